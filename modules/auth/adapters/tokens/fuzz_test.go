package tokens_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/adapters/tokens"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/fail"
)

var fuzzNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fuzzed makes tokens of a session, for a start to go wrong from; whatever else gets in is a break-in.
func fuzzed(f *testing.F) (*tokens.Tokens, domain.Session, ports.Pair) {
	f.Helper()
	made, err := tokens.New(tokens.Options{Secret: strings.Repeat("k", 32), Issuer: "parley", AccessTTL: time.Minute, Now: func() time.Time { return fuzzNow }})
	require.NoError(f, err)
	s := domain.NewSession(uuid.Max, uuid.Max, made.KeyID(), domain.Client{}, time.Hour, fuzzNow)
	s.ID = uuid.Max // the fuzzer's processes have to make the same tokens
	pair, err := made.Pair(s)
	require.NoError(f, err)
	for _, good := range []string{pair.Access, pair.Refresh} {
		parts := strings.Split(good, ".")
		for _, seed := range []string{
			good, good + ".", "." + good, good + "\n", " " + good, good + "=", strings.ToUpper(good), parts[0] + "." + parts[1] + ".",
			"eyJhbGciOiJub25lIn0." + parts[1] + ".", respelled(parts[0]) + "." + parts[1] + "." + parts[2], parts[0] + "." + parts[1] + "." + respelled(parts[2]),
			parts[0] + ".e30." + parts[2], `{"payload":"` + parts[1] + `","signatures":[]}`,
			`{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		} {
			f.Add(seed)
		}
	}
	f.Add("")
	f.Add("..")
	f.Add("\x00.\xff.\xff")
	return made, s, pair
}

func FuzzAuthenticate(f *testing.F) {
	made, s, pair := fuzzed(f)
	f.Fuzz(func(t *testing.T, token string) {
		p, err := made.Authenticate(t.Context(), token)
		if token == pair.Access {
			require.NoError(t, err)
			require.Equal(t, s.ID, p.SessionID)
			return
		}
		require.ErrorIs(t, err, fail.ErrUnauthorized, "a token that is not the one that was made got in: %q", token)
		require.Zero(t, p)
	})
}

func FuzzReadRefresh(f *testing.F) {
	made, s, pair := fuzzed(f)
	f.Fuzz(func(t *testing.T, token string) {
		read, err := made.ReadRefresh(token)
		if token == pair.Refresh {
			require.NoError(t, err)
			require.Equal(t, s.ID, read.SessionID)
			require.Equal(t, 1, read.Generation)
			return
		}
		require.ErrorIs(t, err, ports.ErrBadRefreshToken, "a token that is not the one that was made was read: %q", token)
		require.Zero(t, read)
	})
}

// respelled changes the bits of the last character that encode nothing, if there are any: other text, the same bytes.
func respelled(part string) string {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return part
	}
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		other := part[:len(part)-1] + string(last)
		if same, err := base64.RawURLEncoding.DecodeString(other); err == nil && other != part && bytes.Equal(same, raw) {
			return other
		}
	}
	return part
}
