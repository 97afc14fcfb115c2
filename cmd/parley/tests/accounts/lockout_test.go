package accounts

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestAStrangerLocksNobodyOut(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.BehindProxy)
	ada, token := p.RegisterAt(t, "192.0.2.1")
	require.Regexp(t, "^dev_", token)
	var answers [2][]int
	for i, email := range []string{ada.Email, "nobody@example.com"} {
		for _, stranger := range []string{"198.51.100.1", "203.0.113.1", "2001:db8:7::1"} {
			for n := range 17 {
				answers[i] = append(answers[i], p.TryAt(t, email, "wrong horse battery", stranger).Status)
				if n == 4 { // the delay of two seconds has begun: the test may be slower than that
					p.SQL(t, `UPDATE login_attempts SET blocked_until = blocked_until + interval '1 hour' WHERE blocked_until > now() - interval '1 minute'`)
				}
			}
		}
	}
	require.Equal(t, answers[0], answers[1], "a stranger cannot tell which address is known")
	require.Contains(t, answers[0], http.StatusTooManyRequests)

	for range 8 {
		a := p.TryAt(t, ada.Email, harness.Password, "192.0.2.77")
		require.Equal(t, http.StatusOK, a.Status, "a network that logged in before: %s", a)
	}
	for i := range 8 {
		a := p.TryAt(t, ada.Email, harness.Password, fmt.Sprintf("198.51.100.%d", i+2), harness.Device(token))
		require.Equal(t, http.StatusOK, a.Status, "a device that logged in before, in the stranger's own network: %s", a)
		token = a.Text("device_token")
	}
	for _, blocked := range []string{"203.0.113.200", "2001:db8:7:ffff::1"} {
		harness.RequireCode(t, p.TryAt(t, ada.Email, harness.Password, blocked), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
		harness.RequireCode(t, p.TryAt(t, ada.Email, harness.Password, blocked, harness.Device("dev_x")), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	}
	a := p.TryAt(t, ada.Email, harness.Password, "192.0.3.1")
	require.Equal(t, http.StatusOK, a.Status, "a network that nobody has tried from: %s", a)
	_, foreign := p.RegisterAt(t, "203.0.113.1")
	harness.RequireCode(t, p.TryAt(t, ada.Email, harness.Password, "203.0.113.1", harness.Device(foreign)), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
}

func TestADeviceIsLimitedByItsOwnFailures(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.BehindProxy)
	ada, token := p.RegisterAt(t, "192.0.2.1")
	for i := range 5 {
		harness.RequireCode(t, p.TryAt(t, ada.Email, "wrong horse battery", fmt.Sprintf("198.51.%d.1", i), harness.Device(token)), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	}
	harness.RequireCode(t, p.TryAt(t, ada.Email, harness.Password, "198.51.99.1", harness.Device(token)), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	require.Equal(t, http.StatusOK, p.TryAt(t, ada.Email, harness.Password, "192.0.2.1").Status)
	require.Equal(t, http.StatusOK, p.TryAt(t, ada.Email, harness.Password, "198.51.99.1").Status)

	const next = "staple the right horse"
	require.Equal(t, http.StatusNoContent, ada.Put(t, "/v1/auth/password", map[string]any{"current_password": harness.Password, "new_password": next}).Status)
	a := p.TryAt(t, ada.Email, next, "203.0.113.1", harness.Device(token))
	require.Equal(t, http.StatusOK, a.Status, "a token of before is ignored: %s", a)
	require.NotContains(t, p.Log.String(), token[4:], "a device token is logged")
	harness.RequireNowhere(t, harness.Postgres.Superuser(t, p.Database), token[4:])
}

func TestGuessesFromManyNetworksAreSlowedDownTogether(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.BehindProxy)
	ada, token := p.RegisterAt(t, "192.0.2.1")
	for i, email := range []string{ada.Email, "nobody@example.com"} {
		network := func(n int) string { return fmt.Sprintf("10.%d.%d.1", i, n) }
		for range 12 { // one network, however stubborn, counts ten times
			require.Equal(t, http.StatusUnauthorized, p.TryAt(t, email, "wrong horse battery", network(0)).Status)
			p.SQL(t, `UPDATE login_attempts SET blocked_until = now()`)
		}
		require.Equal(t, 10, p.Number(t, `SELECT failures FROM account_failures WHERE failures > 0`))
		p.SQL(t, `UPDATE account_failures SET failures = 99`)
		require.Equal(t, http.StatusUnauthorized, p.TryAt(t, email, "wrong horse battery", network(1)).Status)
		require.Equal(t, http.StatusUnauthorized, p.TryAt(t, email, "wrong horse battery", network(2)).Status)
		p.SQL(t, `UPDATE account_failures SET blocked_until = blocked_until + interval '1 hour' WHERE blocked_until > updated_at`) // however slow the test is
		for _, word := range []string{"wrong horse battery", harness.Password} {
			harness.RequireCode(t, p.TryAt(t, email, word, network(3)), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
		}
		if email == ada.Email {
			require.Equal(t, http.StatusOK, p.TryAt(t, email, harness.Password, "192.0.2.2").Status, "a network that logged in before")
			require.Equal(t, http.StatusOK, p.TryAt(t, email, harness.Password, network(4), harness.Device(token)).Status, "a device that did")
			require.Equal(t, http.StatusOK, p.TryAt(t, email, harness.Password, network(4)).Status, "whose network is known now")
		}
		p.SQL(t, `DELETE FROM account_failures`)
	}
	require.Zero(t, p.Number(t, `SELECT count(*) FROM login_networks n WHERE position('192.0.2' IN n::text) > 0`), "networks are kept as keyed hashes")
}

func TestRightPasswordsAtOnceAllLogIn(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.BehindProxy)
	ada, _ := p.RegisterAt(t, "192.0.2.1")
	for _, address := range []string{"192.0.2.1", "198.51.100.1"} {
		for range 4 {
			require.Equal(t, http.StatusUnauthorized, p.TryAt(t, ada.Email, "wrong horse battery", address).Status)
		}
		for _, a := range sameTime(16, func(int) harness.Answer { return p.TryAt(t, ada.Email, harness.Password, address) }) {
			require.Equal(t, http.StatusOK, a.Status, "%s: %s", address, a)
		}
	}
	require.Zero(t, p.Number(t, `SELECT count(*) FROM login_attempts`), "a right password forgets")
}

func TestOfManyGuessesAtOnceAsManyAreAnsweredAsOfGuessesInTurn(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	for _, email := range []string{ada.Email, "nobody@example.com"} {
		for range 4 {
			require.Equal(t, http.StatusUnauthorized, p.TryAt(t, email, "wrong horse battery", "192.0.2.1").Status)
		}
		p.SQL(t, `UPDATE login_attempts SET failures = 11`) // the next one blocks for minutes, however slow the test is
		statuses := map[int]int{}
		for _, a := range sameTime(24, func(int) harness.Answer { return p.TryAt(t, email, "wrong horse battery", "192.0.2.1") }) {
			statuses[a.Status]++
		}
		require.Equal(t, map[int]int{http.StatusUnauthorized: 1, http.StatusTooManyRequests: 23}, statuses)
		p.SQL(t, `TRUNCATE login_attempts`)
	}
}

func TestNetworksOfLogInsAreFewAndGoWithTheUser(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.BehindProxy)
	ada, _ := p.RegisterAt(t, "192.0.2.1")
	p.SQL(t, `INSERT INTO login_networks SELECT $1, sha256(n::text::bytea), now() - n * interval '1 minute' FROM generate_series(1, 25) n`, ada.User)
	require.Equal(t, http.StatusOK, p.TryAt(t, ada.Email, harness.Password, "198.51.100.1").Status)
	require.Equal(t, 20, p.Number(t, `SELECT count(*) FROM login_networks`), "those that were used last")
	p.SQL(t, `UPDATE login_networks SET used_at = now() - interval '181 days'`)
	for range 5 {
		require.Equal(t, http.StatusUnauthorized, p.TryAt(t, ada.Email, "wrong horse battery", "192.0.2.1").Status)
	}
	harness.RequireCode(t, p.TryAt(t, ada.Email, harness.Password, "192.0.2.2"), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM account_failures WHERE failures = 5`), "it is a stranger's by now")
	p.SQL(t, `SELECT app.forget_login_attempts()`)
	require.Zero(t, p.Number(t, `SELECT count(*) FROM login_networks`))
}
