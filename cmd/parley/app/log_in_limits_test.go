package app

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// strangersAt tries a password for an address that nobody has, from each network once, and counts the answers by status.
func (p *program) strangersAt(t *testing.T, networks int, network func(n int) string) map[int]int {
	t.Helper()
	statuses := map[int]int{}
	for n := range networks {
		statuses[p.tryAt(t, uuid.NewString()+"@example.com", password, network(n)).Status]++
	}
	return statuses
}

func TestNetworksOfOneProviderAreLimitedTogether(t *testing.T) {
	t.Parallel()
	p := start(t, behindProxy, "AUTH_RATE_LIMIT_MAX=3")
	for format, want := range map[string]int{
		"2001:db8:1:%x00::1": 12, // networks of one /48 make four times as many calls as one
		"2001:db8:2:%x::1":   6,  // of one /56 twice as many
		"2001:db8:3:1:%x::1": 3,  // one /64
		"2001:db8:1%x::1":    25, // of 25 providers
	} {
		statuses := p.strangersAt(t, 25, func(n int) string { return fmt.Sprintf(format, n) })
		tried := statuses[http.StatusUnauthorized]
		require.GreaterOrEqual(t, tried, want, format)
		require.LessOrEqual(t, tried, want+want/2, "%s: more than time gives back while the test runs", format)
		require.Equal(t, 25, tried+statuses[http.StatusTooManyRequests], format)
	}
}

func TestFailedCallsOfOneProviderAreLimitedTogether(t *testing.T) {
	t.Parallel()
	p := start(t, behindProxy, "RATE_LIMIT_MAX=3", "RATE_LIMIT_WINDOW=1h")
	for name, call := range map[string]func(address string) answer{
		"2001:db8:1:%x00::1": func(address string) answer { return p.anonymous().get(t, "/v1/auth/me", from(address)) },
		"2001:db8:2:%x00::1": func(address string) answer {
			return p.anonymous().post(t, "/v1/auth/refresh", map[string]any{"refresh_token": "bad"}, from(address))
		},
	} {
		statuses := map[int]int{}
		for n := range 25 {
			statuses[call(fmt.Sprintf(name, n)).Status]++
		}
		require.Equal(t, map[int]int{http.StatusUnauthorized: 12, http.StatusTooManyRequests: 13}, statuses, name)
	}
}

func TestStrangersDoNotUseUpTheLogInOfThoseWhoLoggedInBefore(t *testing.T) {
	t.Parallel()
	p := start(t, behindProxy, "AUTH_RATE_LIMIT_MAX=20", "AUTH_RATE_LIMIT_STRANGERS=4")
	ada, token := p.registerAt(t, "192.0.2.1")
	six, sixth := p.registerAt(t, "2001:db8:1:100::1")
	limited := func(address string, headers ...header) {
		t.Helper()
		requireLimited(t, p.tryAt(t, ada.email, password, address, headers...))
	}
	statuses := p.strangersAt(t, 40, func(n int) string { return fmt.Sprintf("198.51.%d.1", n) })
	require.Positive(t, statuses[http.StatusUnauthorized])
	require.GreaterOrEqual(t, statuses[http.StatusTooManyRequests], 35, "all strangers have one limit")
	limited("203.0.113.1")
	limited("203.0.113.1", device("dev_x"))
	for _, c := range []struct {
		email, address string
		headers        []header
	}{
		{ada.email, "192.0.2.200", nil}, {six.email, "2001:db8:1:100:ffff::1", nil},
		{ada.email, "203.0.113.2", []header{device(token)}}, {six.email, "198.51.100.1", []header{device(sixth)}},
	} {
		a := p.tryAt(t, c.email, password, c.address, c.headers...)
		require.Equal(t, http.StatusOK, a.Status, "%s: %s", c.address, a)
	}
	requireCode(t, p.tryAt(t, uuid.NewString()+"@example.com", password, "192.0.2.9"), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	requireCode(t, p.tryAt(t, ada.email, "wrong horse battery", "192.0.2.9"), http.StatusUnauthorized, "INVALID_CREDENTIALS")

	// after a restart, which forgets the limits, the database tells which networks are known
	require.Equal(t, ExitOK, p.stop())
	p = startOn(t, p.database, append(p.settings, "AUTH_RATE_LIMIT_STRANGERS=1")...)
	p.strangersAt(t, 2, func(n int) string { return fmt.Sprintf("198.51.%d.1", n) })
	require.Eventually(t, func() bool { return p.tryAt(t, ada.email, password, "192.0.2.77").Status == http.StatusOK }, 20*time.Second, 100*time.Millisecond)
	requireLimited(t, p.tryAt(t, ada.email, password, "100.64.0.1"))
}

func TestADeviceIsNotLimitedWithItsAddress(t *testing.T) {
	t.Parallel()
	p := start(t, "AUTH_RATE_LIMIT_MAX=3")
	ada := &caller{program: p, email: uuid.NewString() + "@example.com"}
	a := ada.post(t, "/v1/auth/register", map[string]any{"email": ada.email, "password": password, "workspace_name": "Acme"})
	require.Equal(t, http.StatusCreated, a.Status, a)
	for range 4 {
		p.tryAt(t, "nobody@example.com", password, "192.0.2.1")
	}
	requireLimited(t, p.tryAt(t, ada.email, password, "192.0.2.1"))
	for range 3 {
		in := p.tryAt(t, ada.email, password, "192.0.2.1", device(a.text("device_token")))
		require.Equal(t, http.StatusOK, in.Status, in)
	}
	requireLimited(t, p.tryAt(t, ada.email, password, "192.0.2.1", device(a.text("device_token"))))
}
