package app

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// behindProxy believes X-Forwarded-For, so that a test calls from where it likes.
var behindProxy = "TRUSTED_PROXIES=127.0.0.0/8"

func device(token string) header { return header{"X-Device-Token", token} }

// registerAt registers from an address, and gives the device token.
func (p *program) registerAt(t *testing.T, address string) (*caller, string) {
	t.Helper()
	c := &caller{program: p, email: "u" + uuid.NewString() + "@example.com"}
	a := c.post(t, "/v1/auth/register", map[string]any{"email": c.email, "password": password, "workspace_name": "Acme"}, from(address))
	require.Equal(t, http.StatusCreated, a.Status, a)
	c.take(a)
	return c, a.text("device_token")
}

// tryAt tries a password from an address.
func (p *program) tryAt(t *testing.T, email, word, address string, headers ...header) answer {
	t.Helper()
	return p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": email, "password": word}, append(headers, from(address))...)
}

func TestAStrangerLocksNobodyOut(t *testing.T) {
	t.Parallel()
	p := start(t, behindProxy)
	ada, token := p.registerAt(t, "192.0.2.1")
	require.Regexp(t, "^dev_", token)
	var answers [2][]int
	for i, email := range []string{ada.email, "nobody@example.com"} {
		for _, stranger := range []string{"198.51.100.1", "203.0.113.1", "2001:db8:7::1"} {
			for n := range 17 {
				answers[i] = append(answers[i], p.tryAt(t, email, "wrong horse battery", stranger).Status)
				if n == 4 { // the delay of two seconds has begun: the test may be slower than that
					p.sql(t, `UPDATE login_attempts SET blocked_until = blocked_until + interval '1 hour' WHERE blocked_until > now() - interval '1 minute'`)
				}
			}
		}
	}
	require.Equal(t, answers[0], answers[1], "a stranger cannot tell which address is known")
	require.Contains(t, answers[0], http.StatusTooManyRequests)

	for range 8 {
		a := p.tryAt(t, ada.email, password, "192.0.2.77")
		require.Equal(t, http.StatusOK, a.Status, "a network that logged in before: %s", a)
	}
	for i := range 8 {
		a := p.tryAt(t, ada.email, password, fmt.Sprintf("198.51.100.%d", i+2), device(token))
		require.Equal(t, http.StatusOK, a.Status, "a device that logged in before, in the stranger's own network: %s", a)
		token = a.text("device_token")
	}
	for _, blocked := range []string{"203.0.113.200", "2001:db8:7:ffff::1"} {
		requireCode(t, p.tryAt(t, ada.email, password, blocked), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
		requireCode(t, p.tryAt(t, ada.email, password, blocked, device("dev_x")), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	}
	a := p.tryAt(t, ada.email, password, "192.0.3.1")
	require.Equal(t, http.StatusOK, a.Status, "a network that nobody has tried from: %s", a)
	_, foreign := p.registerAt(t, "203.0.113.1")
	requireCode(t, p.tryAt(t, ada.email, password, "203.0.113.1", device(foreign)), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
}

func TestADeviceIsLimitedByItsOwnFailures(t *testing.T) {
	t.Parallel()
	p := start(t, behindProxy)
	ada, token := p.registerAt(t, "192.0.2.1")
	for i := range 5 {
		requireCode(t, p.tryAt(t, ada.email, "wrong horse battery", fmt.Sprintf("198.51.%d.1", i), device(token)), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	}
	requireCode(t, p.tryAt(t, ada.email, password, "198.51.99.1", device(token)), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	require.Equal(t, http.StatusOK, p.tryAt(t, ada.email, password, "192.0.2.1").Status)
	require.Equal(t, http.StatusOK, p.tryAt(t, ada.email, password, "198.51.99.1").Status)

	const next = "staple the right horse"
	require.Equal(t, http.StatusNoContent, ada.put(t, "/v1/auth/password", map[string]any{"current_password": password, "new_password": next}).Status)
	a := p.tryAt(t, ada.email, next, "203.0.113.1", device(token))
	require.Equal(t, http.StatusOK, a.Status, "a token of before is ignored: %s", a)
	require.NotContains(t, p.log.String(), token[4:], "a device token is logged")
	requireNowhere(t, pg.Superuser(t, p.database), token[4:])
}

func TestGuessesFromManyNetworksAreSlowedDownTogether(t *testing.T) {
	t.Parallel()
	p := start(t, behindProxy)
	ada, token := p.registerAt(t, "192.0.2.1")
	for i, email := range []string{ada.email, "nobody@example.com"} {
		network := func(n int) string { return fmt.Sprintf("10.%d.%d.1", i, n) }
		for range 12 { // one network, however stubborn, counts ten times
			require.Equal(t, http.StatusUnauthorized, p.tryAt(t, email, "wrong horse battery", network(0)).Status)
			p.sql(t, `UPDATE login_attempts SET blocked_until = now()`)
		}
		require.Equal(t, 10, p.number(t, `SELECT failures FROM account_failures WHERE failures > 0`))
		p.sql(t, `UPDATE account_failures SET failures = 99`)
		require.Equal(t, http.StatusUnauthorized, p.tryAt(t, email, "wrong horse battery", network(1)).Status)
		require.Equal(t, http.StatusUnauthorized, p.tryAt(t, email, "wrong horse battery", network(2)).Status)
		for _, word := range []string{"wrong horse battery", password} {
			requireCode(t, p.tryAt(t, email, word, network(3)), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
		}
		if email == ada.email {
			require.Equal(t, http.StatusOK, p.tryAt(t, email, password, "192.0.2.2").Status, "a network that logged in before")
			require.Equal(t, http.StatusOK, p.tryAt(t, email, password, network(4), device(token)).Status, "a device that did")
			require.Equal(t, http.StatusOK, p.tryAt(t, email, password, network(4)).Status, "whose network is known now")
		}
		p.sql(t, `DELETE FROM account_failures`)
	}
	require.Zero(t, p.number(t, `SELECT count(*) FROM login_networks n WHERE position('192.0.2' IN n::text) > 0`), "networks are kept as keyed hashes")
}

func TestRightPasswordsAtOnceAllLogIn(t *testing.T) {
	t.Parallel()
	p := start(t, behindProxy)
	ada, _ := p.registerAt(t, "192.0.2.1")
	for _, address := range []string{"192.0.2.1", "198.51.100.1"} {
		for range 4 {
			require.Equal(t, http.StatusUnauthorized, p.tryAt(t, ada.email, "wrong horse battery", address).Status)
		}
		for _, a := range sameTime(16, func(int) answer { return p.tryAt(t, ada.email, password, address) }) {
			require.Equal(t, http.StatusOK, a.Status, "%s: %s", address, a)
		}
	}
	require.Zero(t, p.number(t, `SELECT count(*) FROM login_attempts`), "a right password forgets")
}

func TestOfManyGuessesAtOnceAsManyAreAnsweredAsOfGuessesInTurn(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	for _, email := range []string{ada.email, "nobody@example.com"} {
		for range 4 {
			require.Equal(t, http.StatusUnauthorized, p.tryAt(t, email, "wrong horse battery", "192.0.2.1").Status)
		}
		p.sql(t, `UPDATE login_attempts SET failures = 11`) // the next one blocks for minutes, however slow the test is
		statuses := map[int]int{}
		for _, a := range sameTime(24, func(int) answer { return p.tryAt(t, email, "wrong horse battery", "192.0.2.1") }) {
			statuses[a.Status]++
		}
		require.Equal(t, map[int]int{http.StatusUnauthorized: 1, http.StatusTooManyRequests: 23}, statuses)
		p.sql(t, `TRUNCATE login_attempts`)
	}
}

func TestNetworksOfLogInsAreFewAndGoWithTheUser(t *testing.T) {
	t.Parallel()
	p := start(t, behindProxy)
	ada, _ := p.registerAt(t, "192.0.2.1")
	p.sql(t, `INSERT INTO login_networks SELECT $1, sha256(n::text::bytea), now() - n * interval '1 minute' FROM generate_series(1, 25) n`, ada.user)
	require.Equal(t, http.StatusOK, p.tryAt(t, ada.email, password, "198.51.100.1").Status)
	require.Equal(t, 20, p.number(t, `SELECT count(*) FROM login_networks`), "those that were used last")
	p.sql(t, `UPDATE login_networks SET used_at = now() - interval '181 days'`)
	for range 5 {
		require.Equal(t, http.StatusUnauthorized, p.tryAt(t, ada.email, "wrong horse battery", "192.0.2.1").Status)
	}
	requireCode(t, p.tryAt(t, ada.email, password, "192.0.2.2"), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM account_failures WHERE failures = 5`), "it is a stranger's by now")
	p.sql(t, `SELECT app.forget_login_attempts()`)
	require.Zero(t, p.number(t, `SELECT count(*) FROM login_networks`))
}
