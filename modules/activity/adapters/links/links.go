// Package links signs links to archives of exports.
package links

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
	"github.com/parley/parley/platform/ops/secret"
)

// Links signs links with the current key, and accepts those that former keys have signed. A token has the time of expiry
// and the user, and is valid for one export of one workspace.
type Links struct{ Keys secret.Keys }

var _ ports.ExportLinks = Links{}

const (
	timeSize  = 8
	shownSize = timeSize + 16 // bytes of a token that are not its signature
)

func (l Links) Token(link domain.ExportLink) string {
	shown := binary.BigEndian.AppendUint64(nil, uint64(link.ExpiresAt.Unix()))
	shown = append(shown, link.UserID[:]...)
	k := ports.ExportKey{WorkspaceID: link.WorkspaceID, ID: link.ExportID}
	return base64.RawURLEncoding.EncodeToString(slices.Concat(shown, sign(l.Keys.Current().Bytes, k, shown)))
}

func (l Links) Open(k ports.ExportKey, token string) (domain.ExportLink, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != shownSize+sha256.Size {
		return domain.ExportLink{}, ports.ErrExportLink
	}
	shown, signature := raw[:shownSize], raw[shownSize:]
	if !l.Keys.Any(func(key []byte) bool { return hmac.Equal(signature, sign(key, k, shown)) }) {
		return domain.ExportLink{}, ports.ErrExportLink
	}
	return domain.ExportLink{
		WorkspaceID: k.WorkspaceID, ExportID: k.ID, UserID: uuid.UUID(shown[timeSize:]),
		ExpiresAt: time.Unix(int64(binary.BigEndian.Uint64(shown[:timeSize])), 0).UTC(),
	}, nil
}

// sign signs parts of fixed lengths.
func sign(key []byte, k ports.ExportKey, shown []byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range [][]byte{k.WorkspaceID[:], k.ID[:], shown} {
		mac.Write(part)
	}
	return mac.Sum(nil)
}
