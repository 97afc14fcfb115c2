package accounts

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestAUserIsLimitedOverAllItsSessionsAndNobodyElseIs(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "RATE_LIMIT_MAX=4", "RATE_LIMIT_WINDOW=1h")
	ada, eve := p.Register(t), p.Register(t)
	phone := ada.Another(t)
	for n, c := range []*harness.Caller{ada, phone, ada, phone} {
		a := c.Get(t, "/v1/auth/me")
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, "4", a.Header.Get("RateLimit-Limit"))
		require.Equal(t, strconv.Itoa(3-n), a.Header.Get("RateLimit-Remaining"))
		reset, err := strconv.Atoi(a.Header.Get("RateLimit-Reset"))
		require.NoError(t, err)
		require.InDelta(t, 900*(n+1), reset, 30)
	}
	for _, c := range []*harness.Caller{ada, phone} {
		a := c.Get(t, "/v1/auth/me")
		harness.RequireLimited(t, a)
		seconds, _ := strconv.Atoi(a.Header.Get("Retry-After"))
		require.InDelta(t, 900, seconds, 30, "a quarter of the window until the next one is allowed")
		harness.RequireLimited(t, c.Post(t, "/v1/bots", map[string]any{"name": "x"}, harness.Header{Name: "X-Workspace-Id", Value: eve.Workspace}))
	}
	require.Zero(t, p.Number(t, `SELECT count(*) FROM bots`))
	eve.RequireAlive(t, "another user")
	for range 9 {
		for _, path := range []string{"/healthz", "/readyz"} {
			a := ada.Get(t, path)
			require.Equal(t, http.StatusOK, a.Status, a)
			require.Empty(t, a.Header.Get("RateLimit-Limit"))
		}
	}
}

// A limit that each workspace or key had anew would be none.
func TestAUserHasOneLimitOverAllWorkspacesAndAWorkspaceOneForItsKeys(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "RATE_LIMIT_MAX=12", "RATE_LIMIT_WINDOW=1h")
	ada := p.Register(t)
	labs := ada.Post(t, "/v1/workspaces", map[string]any{"name": "Labs"}).Text("id")
	var keys []*harness.Caller
	for n := range 2 {
		a := ada.Post(t, "/v1/api-keys", map[string]any{"name": strconv.Itoa(n), "role": "editor"})
		require.Equal(t, http.StatusCreated, a.Status, a)
		keys = append(keys, &harness.Caller{Program: p, Token: a.Text("key")})
	}
	elsewhere := ada.Another(t)
	elsewhere.Take(elsewhere.Post(t, "/v1/auth/login", map[string]any{"email": ada.Email, "password": harness.Password, "workspace_id": labs}))
	for n := range 9 { // besides the three calls before
		c := []*harness.Caller{ada, elsewhere}[n%2]
		a := c.Get(t, "/v1/bots")
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, strconv.Itoa(8-n), a.Header.Get("RateLimit-Remaining"))
	}
	for _, c := range []*harness.Caller{ada, elsewhere} {
		harness.RequireLimited(t, c.Get(t, "/v1/bots"))
		harness.RequireLimited(t, c.Get(t, "/v1/bots", harness.Header{Name: "X-Workspace-Id", Value: labs}))
	}
	for n := range 12 {
		a := keys[n%2].Get(t, "/v1/bots")
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, strconv.Itoa(11-n), a.Header.Get("RateLimit-Remaining"))
	}
	harness.RequireLimited(t, keys[0].Get(t, "/v1/bots"))
	harness.RequireLimited(t, keys[1].Get(t, "/v1/bots"))
	p.Register(t).RequireAlive(t, "another user")
}

func TestForbiddenCallsAreLimitedLikeAllOthers(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "RATE_LIMIT_MAX=3", "RATE_LIMIT_WINDOW=1h")
	ada := p.Register(t)
	for range 3 {
		harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "x"}, harness.Header{Name: "X-User-Id", Value: uuid.NewString()}), http.StatusForbidden, "FORBIDDEN")
	}
	harness.RequireLimited(t, ada.Post(t, "/v1/bots", map[string]any{"name": "x"}, harness.Header{Name: "X-User-Id", Value: uuid.NewString()}))
	require.Equal(t, 3, p.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'access.refuse'`))
}

func TestLogInIsLimitedByAddressMoreStrictly(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "AUTH_RATE_LIMIT_MAX=3")
	ada := p.Register(t)
	logIn := func() harness.Answer {
		return p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": uuid.NewString() + "@example.com", "password": harness.Password})
	}
	for range 2 {
		harness.RequireCode(t, logIn(), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	}
	a := logIn()
	harness.RequireLimited(t, a)
	require.Equal(t, "3", a.Header.Get("RateLimit-Limit"))
	harness.RequireLimited(t, p.Anonymous().Post(t, "/v1/auth/register", map[string]any{"email": "x@example.com", "password": harness.Password, "workspace_name": "x"}))
	ada.RequireAlive(t, "who is signed in already")
	require.Equal(t, http.StatusOK, ada.Spend(t, ada.Refresh).Status, "so is refresh")
}

func TestBadTokensAreLimitedByAddressAndGoodOnesAreNot(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "RATE_LIMIT_MAX=5", "RATE_LIMIT_WINDOW=1h")
	ada := p.Register(t)
	for range 5 {
		harness.RequireCode(t, (&harness.Caller{Program: p, Token: "bad"}).Get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	}
	harness.RequireLimited(t, (&harness.Caller{Program: p, Token: "bad"}).Get(t, "/v1/auth/me"))
	harness.RequireLimited(t, p.Anonymous().Get(t, "/v1/auth/me"))
	harness.RequireLimited(t, p.Anonymous().Spend(t, "bad"))
	ada.RequireAlive(t, "a good token from the same address")
	require.Equal(t, http.StatusOK, ada.Spend(t, ada.Refresh).Status, "a good refresh token too")
}

func TestRefreshIsLimitedBySessionAndNotByAddress(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "RATE_LIMIT_MAX=3", "RATE_LIMIT_WINDOW=1h")
	ada := p.Register(t)
	office := []*harness.Caller{ada, ada.Another(t), ada.Another(t), ada.Another(t), p.Register(t)}
	for _, c := range office {
		require.Equal(t, http.StatusOK, c.Spend(t, c.Refresh).Status, "an office shares an address")
	}
	for range 2 {
		require.Equal(t, http.StatusOK, ada.Spend(t, ada.Refresh).Status)
	}
	a := ada.Spend(t, ada.Refresh)
	harness.RequireCode(t, a, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	require.NotEmpty(t, a.Header.Get("Retry-After"))
	require.Equal(t, http.StatusOK, office[1].Spend(t, office[1].Refresh).Status)

	q := harness.Start(t, "RATE_LIMIT_MAX=3", "RATE_LIMIT_WINDOW=1h")
	for n, body := range []any{`{`, `{}`, map[string]any{"refresh_token": "bad"}} {
		require.GreaterOrEqual(t, q.Anonymous().Post(t, "/v1/auth/refresh", body).Status, 400, n)
	}
	harness.RequireLimited(t, q.Anonymous().Post(t, "/v1/auth/refresh", `{`))
}

func TestWhoIsNotSignedInIsKnownByItsOwnAddressOnly(t *testing.T) {
	t.Parallel()
	logIn := func(p *harness.Program, headers ...harness.Header) harness.Answer {
		return p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": uuid.NewString() + "@example.com", "password": harness.Password}, headers...)
	}
	believed := harness.Start(t, "AUTH_RATE_LIMIT_MAX=1", "TRUSTED_PROXIES=127.0.0.0/8,10.0.0.0/8")
	for _, test := range []struct {
		address string
		limited bool
		why     string
	}{
		{"192.0.2.1", false, "the first"},
		{"192.0.2.1", true, "the same"},
		{"192.0.2.2", false, "another"},
		{"198.51.100.9, 192.0.2.2", true, "what a client says before the proxies is not believed"},
		{"198.51.100.10, 192.0.2.2, 10.1.2.3", true, "behind two proxies"},
		{"::ffff:192.0.2.2", true, "the same in IPv6 clothes"},
		{"2001:db8:1:1::1", false, "IPv6"},
		{"2001:db8:1:1:ffff::2", true, "the same /64"},
		{"2001:db8:1:2::1", false, "another /64"},
	} {
		a := logIn(believed, harness.From(test.address))
		if test.limited {
			harness.RequireLimited(t, a)
		} else {
			require.Equal(t, http.StatusUnauthorized, a.Status, "%s: %s", test.why, a)
		}
	}
	for name, settings := range map[string][]string{
		"no proxy is trusted": {"AUTH_RATE_LIMIT_MAX=1"}, "another proxy is trusted": {"AUTH_RATE_LIMIT_MAX=1", "TRUSTED_PROXIES=10.0.0.1"},
	} {
		p := harness.Start(t, settings...)
		require.Equal(t, http.StatusUnauthorized, logIn(p, harness.From("192.0.2.1")).Status)
		for n := range 3 {
			a := logIn(p, harness.From(fmt.Sprintf("192.0.2.%d", n+2)), harness.Header{Name: "X-Real-Ip", Value: fmt.Sprintf("192.0.2.%d", n+2)}, harness.Header{Name: "Forwarded", Value: "for=192.0.2.9"})
			require.Equal(t, http.StatusTooManyRequests, a.Status, name)
		}
	}
}

// A limiter that has lost its Redis goes on alone, and no call fails for it.
func TestWithoutItsRedisTheProgramStillLimitsAndReplays(t *testing.T) {
	t.Parallel()
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := closed.Addr().String()
	require.NoError(t, closed.Close())
	p := harness.Start(t, "REDIS_URL=redis://"+address+"/0", "RATE_LIMIT_MAX=4", "RATE_LIMIT_WINDOW=1h")
	ada := p.Register(t)
	op := harness.Operation(uuid.NewString())
	body := map[string]any{"name": "Support"}
	first, again := ada.Post(t, "/v1/bots", body, op), ada.Post(t, "/v1/bots", body, op)
	require.Equal(t, http.StatusCreated, first.Status, first)
	require.Equal(t, first.Raw, again.Raw)
	ada.RequireAlive(t, "the third")
	ada.RequireAlive(t, "the fourth")
	harness.RequireLimited(t, ada.Get(t, "/v1/auth/me"))
	require.Equal(t, http.StatusOK, ada.Get(t, "/readyz").Status)
}
