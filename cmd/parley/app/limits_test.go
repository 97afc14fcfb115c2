package app

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func requireLimited(t *testing.T, a answer) {
	t.Helper()
	requireCode(t, a, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, seconds)
	require.Equal(t, "0", a.Header.Get("RateLimit-Remaining"))
}

func TestAUserIsLimitedOverAllItsSessionsAndNobodyElseIs(t *testing.T) {
	t.Parallel()
	p := start(t, "RATE_LIMIT_MAX=4", "RATE_LIMIT_WINDOW=1h")
	ada, eve := p.register(t), p.register(t)
	phone := ada.another(t)
	for n, c := range []*caller{ada, phone, ada, phone} {
		a := c.get(t, "/v1/auth/me")
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, "4", a.Header.Get("RateLimit-Limit"))
		require.Equal(t, strconv.Itoa(3-n), a.Header.Get("RateLimit-Remaining"))
		reset, err := strconv.Atoi(a.Header.Get("RateLimit-Reset"))
		require.NoError(t, err)
		require.InDelta(t, 900*(n+1), reset, 30)
	}
	for _, c := range []*caller{ada, phone} {
		a := c.get(t, "/v1/auth/me")
		requireLimited(t, a)
		seconds, _ := strconv.Atoi(a.Header.Get("Retry-After"))
		require.InDelta(t, 900, seconds, 30, "a quarter of the window until the next one is allowed")
		requireLimited(t, c.post(t, "/v1/bots", map[string]any{"name": "x"}, header{"X-Workspace-Id", eve.workspace}))
	}
	require.Zero(t, p.number(t, `SELECT count(*) FROM bots`))
	eve.requireAlive(t, "another user")
	for range 9 {
		for _, path := range []string{"/healthz", "/readyz"} {
			a := ada.get(t, path)
			require.Equal(t, http.StatusOK, a.Status, a)
			require.Empty(t, a.Header.Get("RateLimit-Limit"))
		}
	}
}

// A limit that each workspace or key had anew would be none.
func TestAUserHasOneLimitOverAllWorkspacesAndAWorkspaceOneForItsKeys(t *testing.T) {
	t.Parallel()
	p := start(t, "RATE_LIMIT_MAX=12", "RATE_LIMIT_WINDOW=1h")
	ada := p.register(t)
	labs := ada.post(t, "/v1/workspaces", map[string]any{"name": "Labs"}).text("id")
	var keys []*caller
	for n := range 2 {
		a := ada.post(t, "/v1/api-keys", map[string]any{"name": strconv.Itoa(n), "role": "editor"})
		require.Equal(t, http.StatusCreated, a.Status, a)
		keys = append(keys, &caller{program: p, token: a.text("key")})
	}
	elsewhere := ada.another(t)
	elsewhere.take(elsewhere.post(t, "/v1/auth/login", map[string]any{"email": ada.email, "password": password, "workspace_id": labs}))
	for n := range 9 { // besides the three calls before
		c := []*caller{ada, elsewhere}[n%2]
		a := c.get(t, "/v1/bots")
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, strconv.Itoa(8-n), a.Header.Get("RateLimit-Remaining"))
	}
	for _, c := range []*caller{ada, elsewhere} {
		requireLimited(t, c.get(t, "/v1/bots"))
		requireLimited(t, c.get(t, "/v1/bots", header{"X-Workspace-Id", labs}))
	}
	for n := range 12 {
		a := keys[n%2].get(t, "/v1/bots")
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, strconv.Itoa(11-n), a.Header.Get("RateLimit-Remaining"))
	}
	requireLimited(t, keys[0].get(t, "/v1/bots"))
	requireLimited(t, keys[1].get(t, "/v1/bots"))
	p.register(t).requireAlive(t, "another user")
}

func TestForbiddenCallsAreLimitedLikeAllOthers(t *testing.T) {
	t.Parallel()
	p := start(t, "RATE_LIMIT_MAX=3", "RATE_LIMIT_WINDOW=1h")
	ada := p.register(t)
	for range 3 {
		requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": "x"}, header{"X-User-Id", uuid.NewString()}), http.StatusForbidden, "FORBIDDEN")
	}
	requireLimited(t, ada.post(t, "/v1/bots", map[string]any{"name": "x"}, header{"X-User-Id", uuid.NewString()}))
	require.Equal(t, 3, p.number(t, `SELECT count(*) FROM audit_log WHERE action = 'access.refuse'`))
}

func TestLogInIsLimitedByAddressMoreStrictly(t *testing.T) {
	t.Parallel()
	p := start(t, "AUTH_RATE_LIMIT_MAX=3")
	ada := p.register(t)
	logIn := func() answer {
		return p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": uuid.NewString() + "@example.com", "password": password})
	}
	for range 2 {
		requireCode(t, logIn(), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	}
	a := logIn()
	requireLimited(t, a)
	require.Equal(t, "3", a.Header.Get("RateLimit-Limit"))
	requireLimited(t, p.anonymous().post(t, "/v1/auth/register", map[string]any{"email": "x@example.com", "password": password, "workspace_name": "x"}))
	ada.requireAlive(t, "who is signed in already")
	require.Equal(t, http.StatusOK, ada.spend(t, ada.refresh).Status, "so is refresh")
}

func TestBadTokensAreLimitedByAddressAndGoodOnesAreNot(t *testing.T) {
	t.Parallel()
	p := start(t, "RATE_LIMIT_MAX=5", "RATE_LIMIT_WINDOW=1h")
	ada := p.register(t)
	for range 5 {
		requireCode(t, (&caller{program: p, token: "bad"}).get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	}
	requireLimited(t, (&caller{program: p, token: "bad"}).get(t, "/v1/auth/me"))
	requireLimited(t, p.anonymous().get(t, "/v1/auth/me"))
	requireLimited(t, p.anonymous().spend(t, "bad"))
	ada.requireAlive(t, "a good token from the same address")
	require.Equal(t, http.StatusOK, ada.spend(t, ada.refresh).Status, "a good refresh token too")
}

func TestRefreshIsLimitedBySessionAndNotByAddress(t *testing.T) {
	t.Parallel()
	p := start(t, "RATE_LIMIT_MAX=3", "RATE_LIMIT_WINDOW=1h")
	ada := p.register(t)
	office := []*caller{ada, ada.another(t), ada.another(t), ada.another(t), p.register(t)}
	for _, c := range office {
		require.Equal(t, http.StatusOK, c.spend(t, c.refresh).Status, "an office shares an address")
	}
	for range 2 {
		require.Equal(t, http.StatusOK, ada.spend(t, ada.refresh).Status)
	}
	a := ada.spend(t, ada.refresh)
	requireCode(t, a, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	require.NotEmpty(t, a.Header.Get("Retry-After"))
	require.Equal(t, http.StatusOK, office[1].spend(t, office[1].refresh).Status)

	q := start(t, "RATE_LIMIT_MAX=3", "RATE_LIMIT_WINDOW=1h")
	for n, body := range []any{`{`, `{}`, map[string]any{"refresh_token": "bad"}} {
		require.GreaterOrEqual(t, q.anonymous().post(t, "/v1/auth/refresh", body).Status, 400, n)
	}
	requireLimited(t, q.anonymous().post(t, "/v1/auth/refresh", `{`))
}

func from(address string) header { return header{"X-Forwarded-For", address} }

func TestWhoIsNotSignedInIsKnownByItsOwnAddressOnly(t *testing.T) {
	t.Parallel()
	logIn := func(p *program, headers ...header) answer {
		return p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": uuid.NewString() + "@example.com", "password": password}, headers...)
	}
	believed := start(t, "AUTH_RATE_LIMIT_MAX=1", "TRUSTED_PROXIES=127.0.0.0/8,10.0.0.0/8")
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
		a := logIn(believed, from(test.address))
		if test.limited {
			requireLimited(t, a)
		} else {
			require.Equal(t, http.StatusUnauthorized, a.Status, "%s: %s", test.why, a)
		}
	}
	for name, settings := range map[string][]string{
		"no proxy is trusted": {"AUTH_RATE_LIMIT_MAX=1"}, "another proxy is trusted": {"AUTH_RATE_LIMIT_MAX=1", "TRUSTED_PROXIES=10.0.0.1"},
	} {
		p := start(t, settings...)
		require.Equal(t, http.StatusUnauthorized, logIn(p, from("192.0.2.1")).Status)
		for n := range 3 {
			a := logIn(p, from(fmt.Sprintf("192.0.2.%d", n+2)), header{"X-Real-Ip", fmt.Sprintf("192.0.2.%d", n+2)}, header{"Forwarded", "for=192.0.2.9"})
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
	p := start(t, "REDIS_URL=redis://"+address+"/0", "RATE_LIMIT_MAX=4", "RATE_LIMIT_WINDOW=1h")
	ada := p.register(t)
	op := operation(uuid.NewString())
	body := map[string]any{"name": "Support"}
	first, again := ada.post(t, "/v1/bots", body, op), ada.post(t, "/v1/bots", body, op)
	require.Equal(t, http.StatusCreated, first.Status, first)
	require.Equal(t, first.Raw, again.Raw)
	ada.requireAlive(t, "the third")
	ada.requireAlive(t, "the fourth")
	requireLimited(t, ada.get(t, "/v1/auth/me"))
	require.Equal(t, http.StatusOK, ada.get(t, "/readyz").Status)
}
