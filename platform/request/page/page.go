// Package page divides lists into pages. A cursor is opaque to clients and signed. It is bound to the workspace and the
// list that it was created for; any other use is refused.
package page

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// ErrCursor says that a cursor was not created by this server for this list.
var ErrCursor = fail.New(fail.Malformed, "BAD_REQUEST", "cursor is not one that this list gave: start again without it")

const macSize = 16 // bytes of HMAC-SHA-256 that are kept

// signer encodes and decodes cursors. P is the position of the last row of a page, a small struct with JSON tags.
type signer[P any] struct {
	keys secret.Keys
	list string
}

// newSigner returns the signer of one list. The name of the list is part of the signature, so that a cursor of one
// list is not valid for another. Cursors are signed with the current key; cursors that were signed with a former key
// are accepted too.
func newSigner[P any](keys secret.Keys, list string) signer[P] {
	return signer[P]{keys: keys, list: list}
}

// Encode returns the cursor that continues after a position. filter is the filter of the list, in a stable form.
func (c signer[P]) Encode(ctx context.Context, filter string, after P) (string, error) {
	position, err := json.Marshal(after)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(slices.Concat(c.sign(ctx, c.keys.Current().Bytes, filter, position), position)), nil
}

// Decode decodes a cursor; nil stands for the first page. The error is ErrCursor.
func (c signer[P]) Decode(ctx context.Context, filter string, cursor *string) (*P, error) {
	if cursor == nil {
		return nil, nil //nolint:nilnil // no cursor is no position
	}
	raw, err := base64.RawURLEncoding.DecodeString(*cursor)
	// The decoder passes over line breaks and loose bits: only the one spelling that we give is taken.
	if err != nil || len(raw) < macSize || base64.RawURLEncoding.EncodeToString(raw) != *cursor {
		return nil, ErrCursor
	}
	ours := func(key []byte) bool { return hmac.Equal(raw[:macSize], c.sign(ctx, key, filter, raw[macSize:])) }
	if !c.keys.Any(ours) {
		return nil, ErrCursor
	}
	var after P
	if err := json.Unmarshal(raw[macSize:], &after); err != nil {
		return nil, ErrCursor.Because(err)
	}
	return &after, nil
}

func (c signer[P]) sign(ctx context.Context, key []byte, filter string, position []byte) []byte {
	workspace := callctx.From(ctx).Principal.WorkspaceID
	mac := hmac.New(sha256.New, key)
	for _, part := range [][]byte{[]byte(c.list), workspace[:], []byte(filter), position} {
		mac.Write([]byte{byte(len(part) >> 24), byte(len(part) >> 16), byte(len(part) >> 8), byte(len(part))})
		mac.Write(part)
	}
	return mac.Sum(nil)[:macSize]
}

// cut takes the rows that were read, one more than limit, and returns the rows of the page and whether more follow.
func cut[T any](rows []T, limit int) (items []T, more bool) {
	if len(rows) > limit {
		return rows[:limit], true
	}
	return rows, false
}

// MaxBytes is the maximum total size of the texts in the rows of a page, in bytes.
const MaxBytes = 512 << 10

// CutBytes is cut for rows with large texts; size returns the size of a row in bytes. A page ends before the row with
// which it would exceed MaxBytes. It always contains its first row.
func CutBytes[T any](rows []T, limit int, size func(T) int) (items []T, more bool) {
	total := 0
	for i, row := range rows {
		if total += size(row); i > 0 && (i == limit || total > MaxBytes) {
			return rows[:i], true
		}
	}
	return rows, false
}

// nextCursor returns the cursor after the last item of a page; nil if no page follows.
func nextCursor[T, P any](ctx context.Context, c signer[P], filter string, items []T, more bool, position func(T) P) (*string, error) {
	if !more {
		return nil, nil //nolint:nilnil // the last page has no next
	}
	next, err := c.Encode(ctx, filter, position(items[len(items)-1]))
	return &next, err
}

// rowLimit returns the number of rows of a page: the number that the client asked for, or the default of the list.
func rowLimit(asked *int, otherwise int) int {
	if asked == nil {
		return otherwise
	}
	return *asked
}

// Map converts the rows of a page. It never returns nil, so that an empty page is [] in JSON.
func Map[From, To any](rows []From, translate func(From) To) []To {
	out := make([]To, len(rows))
	for i, row := range rows {
		out[i] = translate(row)
	}
	return out
}
