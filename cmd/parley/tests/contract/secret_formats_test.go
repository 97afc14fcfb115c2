package contract

import (
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/auth/adapters/devices"
	"github.com/parley/parley/modules/auth/adapters/tokens"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/work/webhook"
)

// Secrets are random, and some characters stand in few of them: many are made of each kind.
func TestEverySecretThatTheProgramMakesIsScrubbedWhole(t *testing.T) {
	t.Parallel()
	scrubber, now := harness.NewScrubber(t), time.Now()
	jwts, err := tokens.New(tokens.Options{Secret: "a secret of at least 32 bytes, or it is refused", Issuer: "parley", AccessTTL: time.Minute, Now: time.Now})
	require.NoError(t, err)
	email, err := domain.NewEmail("ada@example.com")
	require.NoError(t, err)
	for range 500 {
		_, key, err := domain.NewAPIKey(domain.APIKey{Name: "k", Role: domain.Viewer}, now)
		require.NoError(t, err)
		_, invitation := domain.NewInvitation(email, domain.Viewer, uuid.New(), now)
		session := domain.NewSession(uuid.New(), uuid.New(), jwts.KeyID(), domain.Client{}, time.Hour, now)
		pair, err := jwts.Pair(session)
		require.NoError(t, err)
		for name, made := range map[string]string{
			"API key": key, "invitation": invitation, "access token": pair.Access, "refresh token": pair.Refresh, "webhook secret": webhook.NewSecret(),
			"device token": devices.Devices{Keys: secret.Keys{{Bytes: []byte("key")}}, Now: time.Now}.Issue(uuid.New(), "hash", ""),
		} {
			for _, around := range [][2]string{{"", ""}, {"it was ", ", and more"}, {`{"x":"`, `"}`}, {"https://example.com/a?x=", "&b=c"}} {
				require.Equal(t, around[0]+"[removed]"+around[1], scrubber.Scrub(around[0]+made+around[1]), name)
			}
			require.Equal(t, "in a URL: [removed]", scrubber.Scrub("in a URL: "+url.QueryEscape(made)), name)
		}
	}
	kept, err := secret.Keep(filepath.Join(t.TempDir(), "secret"))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"a secret that is kept": kept, "a model's key": "sk-ant-api03-x_y-z", "an address": "ada.l+x@mail.example.com",
		"a header": "Bearer some-opaque-token", "a field": "password=correct",
	} {
		require.Equal(t, "x [removed] y", scrubber.Scrub("x "+text+" y"), name)
	}
	require.NotContains(t, scrubber.Scrub("dial postgres://parley:the-password-of-it@db/parley: no"), "password")
	require.NotContains(t, scrubber.Scrub("key a-secret-key-that-is-configured-by-hand"), "configured")
	plain := "list the bots: ERROR: column b.status does not exist (SQLSTATE 42703) in thread 0191f3a0-0000-7000-8000-000000000000"
	require.Equal(t, plain, scrubber.Scrub(plain), "what happened stays readable")
}
