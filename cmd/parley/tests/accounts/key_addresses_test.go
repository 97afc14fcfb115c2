package accounts

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestAKeyIsGoodFromItsAddressesOnly(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.BehindProxy, "RATE_LIMIT_MAX=40", "RATE_LIMIT_WINDOW=1h")
	ada := p.Register(t)
	key := ada.Key(t, "viewer", map[string]any{"allowed_addresses": []string{"203.0.113.7", "198.51.100.0/24", "2001:db8::/32"}})
	listed := ada.Get(t, "/v1/api-keys").Items()[0]
	require.Equal(t, []any{"203.0.113.7/32", "198.51.100.0/24", "2001:db8::/32"}, listed["allowed_addresses"])
	for _, ip := range []string{"203.0.113.7", "198.51.100.200", "2001:db8:1::1", "::ffff:203.0.113.7"} {
		require.Equal(t, http.StatusOK, key.Get(t, "/v1/bots", harness.From(ip)).Status, ip)
	}
	for _, ip := range []string{"203.0.113.8", "2001:db9::1", "198.51.101.1"} {
		a := key.Get(t, "/v1/bots", harness.From(ip))
		harness.RequireCode(t, a, http.StatusForbidden, "ADDRESS_NOT_ALLOWED")
		require.Equal(t, http.StatusForbidden, key.Post(t, "/v1/bots", map[string]any{"name": "b"}, harness.From(ip)).Status)
	}
	harness.RequireCode(t, key.Get(t, "/v1/bots", harness.From("203.0.113.7, 192.0.2.1")), http.StatusForbidden, "ADDRESS_NOT_ALLOWED")
	harness.RequireCode(t, key.Get(t, "/v1/bots"), http.StatusForbidden, "ADDRESS_NOT_ALLOWED")
	for n := range 41 { // whoever found the key uses up its own address's calls, and not those of the workspace's keys
		a := key.Get(t, "/v1/bots", harness.From("192.0.2.66"))
		require.Equal(t, n == 40, a.Status == http.StatusTooManyRequests, "%d: %s", n, a)
	}
	require.Equal(t, http.StatusOK, key.Get(t, "/v1/bots", harness.From("203.0.113.7")).Status)

	free := ada.Key(t, "viewer")
	require.Equal(t, http.StatusOK, free.Get(t, "/v1/bots", harness.From("192.0.2.1")).Status, "no limit")
	require.Nil(t, ada.Get(t, "/v1/api-keys").Items()[0]["allowed_addresses"])
}

func TestWhatTheAddressesOfAKeyMustBeLike(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	for _, wrong := range []string{"example.com", "10.0.0.1/8", "10.0.0.0/33", "fe80::1%eth0", "::ffff:10.0.0.0/104", "10.0.0", "any"} {
		harness.RequireWrong(t, ada.Post(t, "/v1/api-keys", map[string]any{"name": "k", "role": "viewer", "allowed_addresses": []string{wrong}}), "allowed_addresses")
	}
	harness.RequireWrong(t, ada.Post(t, "/v1/api-keys", map[string]any{"name": "k", "role": "viewer", "allowed_addresses": []string{}}), "allowed_addresses")
}
