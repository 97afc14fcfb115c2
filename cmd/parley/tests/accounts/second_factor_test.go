package accounts

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// factored is a user who has a second factor.
type factored struct {
	*harness.Caller
	secret   string
	recovery []string
}

// shownBy is the code that an authenticator shows now.
func shownBy(t *testing.T, secret string) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, time.Now())
	require.NoError(t, err)
	return code
}

// code is a code that was not used yet, as if time had passed since the last one.
func (f *factored) code(t *testing.T) string {
	t.Helper()
	f.SQL(t, `UPDATE account_totp SET last_step = 0 WHERE user_id = $1`, f.User)
	return shownBy(t, f.secret)
}

// wrongCode is none that an authenticator shows about now.
func wrongCode(t *testing.T, secret string) string {
	t.Helper()
	near := map[string]bool{}
	for step := -3; step <= 3; step++ {
		code, err := totp.GenerateCode(secret, time.Now().Add(time.Duration(step)*30*time.Second))
		require.NoError(t, err)
		near[code] = true
	}
	for _, code := range []string{"000000", "111111", "222222", "333333", "444444", "555555", "666666", "777777"} {
		if !near[code] {
			return code
		}
	}
	panic("more codes than there are steps")
}

// undelayed forgets wrong passwords and codes.
func undelayed(t *testing.T, p *harness.Program) {
	t.Helper()
	conn := p.Super(t)
	defer conn.Close(t.Context())
	_, err := conn.Exec(t.Context(), `DELETE FROM login_attempts`)
	require.NoError(t, err)
}

// audited counts the rows of an action in the audit log of a workspace.
func audited(t *testing.T, p *harness.Program, workspace, action string) int {
	t.Helper()
	return p.Number(t, `SELECT count(*) FROM audit_log WHERE workspace_id = $1 AND action = $2`, workspace, action)
}

// methods are how the caller's session was authenticated.
func methods(t *testing.T, c *harness.Caller) []string {
	t.Helper()
	return c.Texts(t, `SELECT amr::text FROM sessions WHERE id = $1`, c.Session(t))
}

// withFactor gives a caller a second factor.
func withFactor(t *testing.T, c *harness.Caller) *factored {
	t.Helper()
	made := c.Post(t, "/v1/auth/factors/totp", nil)
	require.Equal(t, http.StatusCreated, made.Status, made)
	f := &factored{Caller: c, secret: made.Text("secret")}
	confirmed := c.Post(t, "/v1/auth/factors/totp/confirm", map[string]any{"code": shownBy(t, f.secret)})
	require.Equal(t, http.StatusOK, confirmed.Status, confirmed)
	for _, code := range confirmed.Body["recovery_codes"].([]any) {
		f.recovery = append(f.recovery, code.(string))
	}
	return f
}

// ticket logs in with the right password.
func (f *factored) ticket(t *testing.T, headers ...harness.Header) string {
	t.Helper()
	a := f.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": f.Email, "password": harness.Password}, headers...)
	harness.RequireCode(t, a, http.StatusUnauthorized, "SECOND_FACTOR_REQUIRED")
	require.Len(t, a.Body["details"], 1, "nothing else is told")
	require.Regexp(t, `^tkt_`, a.Text("details.ticket"))
	return a.Text("details.ticket")
}

// finish is the second step of a log-in.
func finish(t *testing.T, p *harness.Program, ticket, code string, headers ...harness.Header) harness.Answer {
	t.Helper()
	return p.Anonymous().Post(t, "/v1/auth/login/factor", map[string]any{"ticket": ticket, "code": code}, headers...)
}

// stale has the caller's session authenticated long ago.
func stale(t *testing.T, c *harness.Caller) {
	t.Helper()
	for _, table := range []string{"sessions", "account_sessions"} {
		conn := c.Super(t)
		_, err := conn.Exec(t.Context(), `UPDATE `+table+` SET authenticated_at = now() - interval '10 minutes' WHERE user_id = $1`, c.User)
		require.NoError(t, err)
		require.NoError(t, conn.Close(t.Context()))
	}
}

func TestAnAuthenticatorIsTheSecondStepOfALogIn(t *testing.T) {
	t.Parallel()
	p, box := startWithMail(t)
	ada := p.Register(t)
	require.Equal(t, map[string]any{"totp": nil, "recovery_codes_left": 0.0}, ada.Get(t, "/v1/auth/factors").Body)
	first := ada.Post(t, "/v1/auth/factors/totp", nil)
	made := ada.Post(t, "/v1/auth/factors/totp", nil)
	require.Equal(t, http.StatusCreated, made.Status, made)
	uri, err := url.Parse(made.Text("uri"))
	require.NoError(t, err)
	require.Equal(t, []string{"otpauth", "totp", "/Parley:" + ada.Email, made.Text("secret"), "Parley", "6", "30", "SHA1"}, []string{
		uri.Scheme, uri.Host, uri.Path, uri.Query().Get("secret"), uri.Query().Get("issuer"), uri.Query().Get("digits"), uri.Query().Get("period"), uri.Query().Get("algorithm"),
	})
	other := ada.Another(t) // nothing has changed yet
	require.Nil(t, ada.Get(t, "/v1/auth/factors").At("totp.confirmed_at"))
	confirm := func(code string, headers ...harness.Header) harness.Answer {
		return ada.Post(t, "/v1/auth/factors/totp/confirm", map[string]any{"code": code}, headers...)
	}
	harness.RequireCode(t, confirm(wrongCode(t, made.Text("secret"))), http.StatusUnprocessableEntity, "WRONG_CODE")
	if code := shownBy(t, first.Text("secret")); code != shownBy(t, made.Text("secret")) {
		harness.RequireCode(t, confirm(code), http.StatusUnprocessableEntity, "WRONG_CODE") // of the secret that was replaced
	}
	op := harness.Operation(uuid.NewString())
	code := shownBy(t, made.Text("secret"))
	done := confirm(code, op)
	require.Equal(t, http.StatusOK, done.Status, done)
	require.Equal(t, done.Raw, confirm(code, op).Raw, "a lost answer is shown again")
	f := &factored{Caller: ada, secret: made.Text("secret")}
	for _, code := range done.Body["recovery_codes"].([]any) {
		require.Regexp(t, `^([0-9A-Z]{6}-){3}[0-9A-Z]{6}$`, code)
		f.recovery = append(f.recovery, code.(string))
	}
	require.Len(t, f.recovery, 10)
	other.RequireEnded(t, "a session from before the factor")
	ada.RequireAlive(t, "the one that has shown a code")
	harness.RequireCode(t, confirm(code), http.StatusConflict, "SECOND_FACTOR_EXISTS")
	harness.RequireCode(t, ada.Post(t, "/v1/auth/factors/totp", nil), http.StatusConflict, "SECOND_FACTOR_EXISTS")
	require.Equal(t, []string{"{pwd,otp}"}, methods(t, ada))

	harness.RequireCode(t, p.LogIn(t, ada.Email, "wrong horse battery"), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	ticket := f.ticket(t)
	harness.RequireCode(t, finish(t, p, ticket, wrongCode(t, f.secret)), http.StatusUnauthorized, "WRONG_CODE")
	used := f.code(t)
	in := finish(t, p, ticket, used)
	require.Equal(t, http.StatusOK, in.Status, in)
	require.NotEmpty(t, in.Text("device_token"))
	ada.Take(in)
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/bots").Status)
	require.Equal(t, []string{"{pwd,otp}"}, methods(t, ada))
	harness.RequireCode(t, finish(t, p, ticket, used), http.StatusUnauthorized, "INVALID_TICKET") // used
	harness.RequireCode(t, finish(t, p, f.ticket(t), used), http.StatusUnauthorized, "WRONG_CODE")

	box.Wait(t, ada.Email, "A second factor was set for your Parley account", 1)
	events := strings.Join(ada.AccountEvents(t), "\n")
	for _, event := range []string{"second_factor.begin", "second_factor.set", "session.ask_factor", "session.refuse WRONG_CODE"} {
		require.Contains(t, events, event)
	}
	require.Equal(t, 1, audited(t, p, ada.Workspace, "second_factor.set"))
	harness.RequireNowhere(t, harness.Postgres.Superuser(t, p.Database), append(f.recovery, f.secret, ticket)...)
	require.NotContains(t, p.Log.String(), f.recovery[0])
	require.NotContains(t, p.Log.String(), ticket)

	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/auth/factors/totp").Status)
	box.Wait(t, ada.Email, "The second factor of your Parley account was removed", 1)
	require.Equal(t, http.StatusOK, p.LogIn(t, ada.Email, harness.Password).Status)
	require.Zero(t, p.Number(t, `SELECT (SELECT count(*) FROM account_recovery_codes) + (SELECT count(*) FROM account_tickets)`))
	harness.RequireCode(t, ada.Delete(t, "/v1/auth/factors/totp"), http.StatusNotFound, "SECOND_FACTOR_NOT_FOUND")
}

func TestARecoveryCodeWorksOnce(t *testing.T) {
	t.Parallel()
	p, box := startWithMail(t)
	ada := withFactor(t, p.Register(t))
	lower := strings.ToLower(strings.ReplaceAll(ada.recovery[1], "-", " "))
	for i, code := range []string{ada.recovery[0], lower} {
		in := finish(t, p, ada.ticket(t), code, harness.Header{Name: "Accept-Language", Value: "ru"})
		require.Equal(t, http.StatusOK, in.Status, in)
		ada.Take(in)
		require.EqualValues(t, 9-i, ada.Get(t, "/v1/auth/factors").Body["recovery_codes_left"])
	}
	require.Equal(t, []string{"{pwd,recovery}"}, methods(t, ada.Caller))
	box.Wait(t, ada.Email, "Использован резервный код вашей учётной записи Parley", 2)
	harness.RequireCode(t, finish(t, p, ada.ticket(t), ada.recovery[0]), http.StatusUnauthorized, "WRONG_CODE")

	// of many log-ins with one code, one succeeds
	tickets := make(chan string, 8)
	for range cap(tickets) {
		tickets <- ada.ticket(t)
	}
	in := 0
	for _, a := range harness.AtOnce(cap(tickets), func() harness.Answer { return finish(t, p, <-tickets, ada.recovery[2]) }) {
		if a.Status == http.StatusOK {
			in++
		}
	}
	require.Equal(t, 1, in)
	undelayed(t, p)

	renewed := ada.Post(t, "/v1/auth/factors/recovery-codes", nil)
	require.Equal(t, http.StatusCreated, renewed.Status, renewed)
	require.EqualValues(t, 10, ada.Get(t, "/v1/auth/factors").Body["recovery_codes_left"])
	box.Wait(t, ada.Email, "Your Parley account has new recovery codes", 1)
	harness.RequireCode(t, finish(t, p, ada.ticket(t), ada.recovery[5]), http.StatusUnauthorized, "WRONG_CODE")
	require.Equal(t, http.StatusOK, finish(t, p, ada.ticket(t), renewed.Body["recovery_codes"].([]any)[9].(string)).Status)
	bob := p.Register(t)
	harness.RequireCode(t, bob.Post(t, "/v1/auth/factors/recovery-codes", nil), http.StatusNotFound, "SECOND_FACTOR_NOT_FOUND")
}

// A code is good for one log-in, also where two processes get it at the same moment; so is a ticket.
func TestACodeOpensOneSessionInAllProcesses(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	other := harness.StartOn(t, p.Database)
	ada := withFactor(t, p.Register(t))
	for name, ticket := range map[string]func(first string) string{
		"one ticket":   func(first string) string { return first },
		"many tickets": func(string) string { return ada.ticket(t) },
	} {
		first := ada.ticket(t)
		calls := make(chan [2]any, 8)
		for i := range cap(calls) {
			calls <- [2]any{[]*harness.Program{p, other}[i%2], ticket(first)}
		}
		code, opened := ada.code(t), 0
		before := p.Number(t, `SELECT count(*) FROM sessions WHERE user_id = $1`, ada.User)
		for _, a := range harness.AtOnce(cap(calls), func() harness.Answer {
			call := <-calls
			return finish(t, call[0].(*harness.Program), call[1].(string), code)
		}) {
			if a.Status == http.StatusOK {
				opened++
			}
		}
		require.Equal(t, 1, opened, name)
		require.Equal(t, before+1, p.Number(t, `SELECT count(*) FROM sessions WHERE user_id = $1`, ada.User), name)
		undelayed(t, p)
	}
}

func TestCodesCannotBeGuessed(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.BehindProxy)
	caller, device := p.RegisterAt(t, "192.0.2.1")
	ada := withFactor(t, caller)
	wrong := wrongCode(t, ada.secret)

	// a ticket has five tries, however many come at once
	ticket := ada.ticket(t)
	tried := 0
	for _, a := range harness.AtOnce(20, func() harness.Answer { return finish(t, p, ticket, wrong) }) {
		require.Contains(t, []int{http.StatusUnauthorized, http.StatusTooManyRequests}, a.Status, a)
		if a.Body["code"] == "WRONG_CODE" {
			tried++
		}
	}
	require.LessOrEqual(t, tried, 5)
	require.LessOrEqual(t, p.Number(t, `SELECT wrong_codes FROM account_totp`), 5)
	undelayed(t, p)
	harness.RequireCode(t, finish(t, p, ticket, ada.code(t)), http.StatusUnauthorized, "INVALID_TICKET")

	// guesses with a ticket each, from networks of their own, are delayed together
	statuses := map[int]int{}
	for n := range 9 {
		from := harness.From(fmt.Sprintf("198.51.%d.1", n))
		statuses[finish(t, p, ada.ticket(t, from), wrong, from).Status]++
		if n == 4 { // the delay of two seconds has begun: the test may be slower than that
			ada.SQL(t, `UPDATE login_attempts SET blocked_until = now() + interval '1 hour' WHERE blocked_until > now() - interval '1 minute'`)
		}
	}
	require.Equal(t, map[int]int{http.StatusUnauthorized: 5, http.StatusTooManyRequests: 4}, statuses)
	late := finish(t, p, ada.ticket(t), ada.code(t))
	harness.RequireCode(t, late, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	require.NotEmpty(t, late.Header.Get("Retry-After"))
	in := finish(t, p, ada.ticket(t), ada.code(t), harness.Device(device))
	require.Equal(t, http.StatusOK, in.Status, "a device that has logged in before: %s", in)

	// after a hundred wrong codes in a row only a recovery code is accepted
	undelayed(t, p)
	ada.SQL(t, `UPDATE account_totp SET wrong_codes = 100`)
	harness.RequireCode(t, finish(t, p, ada.ticket(t), ada.code(t)), http.StatusUnauthorized, "SECOND_FACTOR_LOCKED")
	require.Equal(t, http.StatusOK, finish(t, p, ada.ticket(t), ada.recovery[0]).Status)
	require.Equal(t, http.StatusOK, finish(t, p, ada.ticket(t), ada.code(t)).Status)
}

func TestATicketIsBoundAndShortLived(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, bob := withFactor(t, p.Register(t)), withFactor(t, p.Register(t))
	harness.RequireCode(t, finish(t, p, bob.ticket(t), ada.code(t)), http.StatusUnauthorized, "WRONG_CODE")
	harness.RequireCode(t, finish(t, p, bob.ticket(t), ada.recovery[0]), http.StatusUnauthorized, "WRONG_CODE")
	for _, ticket := range []string{"tkt_", "tkt_AAAA", "x", ada.ticket(t)[:40], ada.ticket(t) + "A"} {
		harness.RequireCode(t, finish(t, p, ticket, ada.code(t)), http.StatusUnauthorized, "INVALID_TICKET")
	}
	// the session is that of the ticket's account and workspace
	in := finish(t, p, bob.ticket(t), bob.code(t))
	require.Equal(t, []string{bob.User, bob.Workspace}, []string{in.Text("user_id"), in.Text("workspace_id")})

	old := ada.ticket(t)
	p.SQL(t, `UPDATE account_tickets SET expires_at = now() WHERE user_id = $1`, ada.User)
	harness.RequireCode(t, finish(t, p, old, ada.code(t)), http.StatusUnauthorized, "INVALID_TICKET")
	require.Equal(t, 300, p.Number(t, `SELECT extract(epoch FROM expires_at - created_at)::integer FROM account_tickets WHERE user_id = $1`, bob.User+""))
	for range 12 {
		ada.ticket(t)
	}
	require.Equal(t, 10, p.Number(t, `SELECT count(*) FROM account_tickets WHERE user_id = $1`, ada.User))

	// a change of the password makes a ticket worthless; so does the end of the factor, of the membership, of the account
	before := ada.ticket(t)
	changed := ada.Put(t, "/v1/auth/password", map[string]any{"current_password": harness.Password, "new_password": "staple the right horse"})
	require.Equal(t, http.StatusNoContent, changed.Status, changed)
	harness.RequireCode(t, finish(t, p, before, ada.code(t)), http.StatusUnauthorized, "INVALID_TICKET")
	before = bob.ticket(t)
	p.SQL(t, `UPDATE users SET disabled_at = now() WHERE id = $1`, bob.User)
	harness.RequireCode(t, finish(t, p, before, bob.code(t)), http.StatusForbidden, "ACCOUNT_DISABLED")
	p.SQL(t, `UPDATE users SET disabled_at = NULL WHERE id = $1`, bob.User)
	before = bob.ticket(t)
	p.SQL(t, `DELETE FROM workspace_members WHERE user_id = $1`, bob.User)
	harness.RequireCode(t, finish(t, p, before, bob.code(t)), http.StatusUnauthorized, "INVALID_TICKET")
	before = bob.ticket(t)
	p.SQL(t, `DELETE FROM account_totp WHERE user_id = $1`, bob.User)
	harness.RequireCode(t, finish(t, p, before, shownBy(t, bob.secret)), http.StatusUnauthorized, "INVALID_TICKET")
}

// A session that is opened while the factor is set has none, and must not outlive that.
func TestNoSessionSlipsInWhileAFactorIsSet(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	for range 5 {
		ada := p.Register(t)
		made := ada.Post(t, "/v1/auth/factors/totp", nil)
		code := shownBy(t, made.Text("secret"))
		turn := make(chan int, 6)
		for i := range cap(turn) {
			turn <- i
		}
		harness.AtOnce(cap(turn), func() harness.Answer {
			if <-turn == 3 {
				return ada.Post(t, "/v1/auth/factors/totp/confirm", map[string]any{"code": code})
			}
			return p.LogIn(t, ada.Email, harness.Password)
		})
		require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM account_totp WHERE user_id = $1 AND confirmed_at IS NOT NULL`, ada.User))
		require.Zero(t, p.Number(t, `SELECT count(*) FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND NOT amr && '{otp,recovery}'`, ada.User))
	}
}

// Whatever else opens a session asks for the second factor too.
func TestThereIsNoWayRoundTheSecondFactor(t *testing.T) {
	t.Parallel()
	p, box := startWithMail(t)
	registration, op := map[string]any{"email": "u" + uuid.NewString() + "@example.com", "password": harness.Password, "workspace_name": "Acme"}, harness.Operation(uuid.NewString())
	c := p.Anonymous()
	c.Email = registration["email"].(string)
	c.Take(c.Post(t, "/v1/auth/register", registration, op))
	p.SQL(t, `UPDATE users SET verified_at = now() WHERE id = $1`, c.User) // or a reset would remove what somebody else may have set
	ada := withFactor(t, c)
	again := p.Anonymous().Post(t, "/v1/auth/register", registration, op)
	harness.RequireCode(t, again, http.StatusUnauthorized, "SECOND_FACTOR_REQUIRED")

	host := p.Register(t)
	_, token := host.Invite(t, ada.Email, "viewer")
	joined := p.Accept(t, token, harness.Password)
	harness.RequireCode(t, joined, http.StatusUnauthorized, "SECOND_FACTOR_REQUIRED")
	require.Equal(t, 1, audited(t, p, host.Workspace, "invitation.accept"))
	in := finish(t, p, joined.Text("details.ticket"), ada.code(t))
	require.Equal(t, host.Workspace, in.Text("workspace_id"), in)

	forgot(t, p, ada.Email)
	link := tokenOf(t, box.Wait(t, ada.Email, resetSubject, 1), "reset-password")
	require.Equal(t, http.StatusNoContent, reset(t, p, link, "staple the right horse").Status)
	ada.RequireEnded(t, "a reset ends all sessions")
	harness.RequireCode(t, p.LogIn(t, ada.Email, "staple the right horse"), http.StatusUnauthorized, "SECOND_FACTOR_REQUIRED")
}
