package accounts

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestNetworksOfOneProviderAreLimitedTogether(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.BehindProxy, "AUTH_RATE_LIMIT_MAX=3")
	for format, want := range map[string]int{
		"2001:db8:1:%x00::1": 12, // networks of one /48 make four times as many calls as one
		"2001:db8:2:%x::1":   6,  // of one /56 twice as many
		"2001:db8:3:1:%x::1": 3,  // one /64
		"2001:db8:1%x::1":    25, // of 25 providers
	} {
		statuses := p.TryUnknownAccounts(t, 25, func(n int) string { return fmt.Sprintf(format, n) })
		tried := statuses[http.StatusUnauthorized]
		require.GreaterOrEqual(t, tried, want, format)
		require.LessOrEqual(t, tried, want+want/2, "%s: more than time gives back while the test runs", format)
		require.Equal(t, 25, tried+statuses[http.StatusTooManyRequests], format)
	}
}

func TestFailedCallsOfOneProviderAreLimitedTogether(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.BehindProxy, "RATE_LIMIT_MAX=3", "RATE_LIMIT_WINDOW=1h")
	for name, call := range map[string]func(address string) harness.Answer{
		"2001:db8:1:%x00::1": func(address string) harness.Answer { return p.Anonymous().Get(t, "/v1/auth/me", harness.From(address)) },
		"2001:db8:2:%x00::1": func(address string) harness.Answer {
			return p.Anonymous().Post(t, "/v1/auth/refresh", map[string]any{"refresh_token": "bad"}, harness.From(address))
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
	p := harness.Start(t, harness.BehindProxy, "AUTH_RATE_LIMIT_MAX=20", "AUTH_RATE_LIMIT_STRANGERS=4")
	ada, token := p.RegisterAt(t, "192.0.2.1")
	six, sixth := p.RegisterAt(t, "2001:db8:1:100::1")
	limited := func(address string, headers ...harness.Header) {
		t.Helper()
		harness.RequireLimited(t, p.TryAt(t, ada.Email, harness.Password, address, headers...))
	}
	statuses := p.TryUnknownAccounts(t, 40, func(n int) string { return fmt.Sprintf("198.51.%d.1", n) })
	require.Positive(t, statuses[http.StatusUnauthorized])
	require.GreaterOrEqual(t, statuses[http.StatusTooManyRequests], 35, "all strangers have one limit")
	limited("203.0.113.1")
	limited("203.0.113.1", harness.Device("dev_x"))
	for _, c := range []struct {
		email, address string
		headers        []harness.Header
	}{
		{ada.Email, "192.0.2.200", nil}, {six.Email, "2001:db8:1:100:ffff::1", nil},
		{ada.Email, "203.0.113.2", []harness.Header{harness.Device(token)}}, {six.Email, "198.51.100.1", []harness.Header{harness.Device(sixth)}},
	} {
		a := p.TryAt(t, c.email, harness.Password, c.address, c.headers...)
		require.Equal(t, http.StatusOK, a.Status, "%s: %s", c.address, a)
	}
	harness.RequireCode(t, p.TryAt(t, uuid.NewString()+"@example.com", harness.Password, "192.0.2.9"), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	harness.RequireCode(t, p.TryAt(t, ada.Email, "wrong horse battery", "192.0.2.9"), http.StatusUnauthorized, "INVALID_CREDENTIALS")

	// after a restart, which forgets the limits, the database tells which networks are known
	require.Equal(t, app.ExitOK, p.Stop())
	p = harness.StartOn(t, p.Database, append(p.Settings, "AUTH_RATE_LIMIT_STRANGERS=1")...)
	p.TryUnknownAccounts(t, 2, func(n int) string { return fmt.Sprintf("198.51.%d.1", n) })
	require.Eventually(t, func() bool { return p.TryAt(t, ada.Email, harness.Password, "192.0.2.77").Status == http.StatusOK }, time.Minute, 100*time.Millisecond)
	harness.RequireLimited(t, p.TryAt(t, ada.Email, harness.Password, "100.64.0.1"))
}

func TestADeviceIsNotLimitedWithItsAddress(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "AUTH_RATE_LIMIT_MAX=3")
	ada := &harness.Caller{Program: p, Email: uuid.NewString() + "@example.com"}
	a := ada.Post(t, "/v1/auth/register", map[string]any{"email": ada.Email, "password": harness.Password, "workspace_name": "Acme"})
	require.Equal(t, http.StatusCreated, a.Status, a)
	for range 4 {
		p.TryAt(t, "nobody@example.com", harness.Password, "192.0.2.1")
	}
	harness.RequireLimited(t, p.TryAt(t, ada.Email, harness.Password, "192.0.2.1"))
	for range 3 {
		in := p.TryAt(t, ada.Email, harness.Password, "192.0.2.1", harness.Device(a.Text("device_token")))
		require.Equal(t, http.StatusOK, in.Status, in)
	}
	harness.RequireLimited(t, p.TryAt(t, ada.Email, harness.Password, "192.0.2.1", harness.Device(a.Text("device_token"))))
}
