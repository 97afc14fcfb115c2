package accounts

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/testing/mailtest"
)

// Subjects of emails.
const (
	resetSubject   = "Set another password for Parley"
	changedSubject = "Your password for Parley was changed"
	verifySubject  = "Is this your address?"
)

// startWithMail starts the program with a mail server.
func startWithMail(t *testing.T, settings ...string) (*harness.Program, *mailtest.Server) {
	t.Helper()
	box := mailtest.New(t)
	return harness.Start(t, append(append([]string{"SMTP_URL=smtp://" + box.Address, "PUBLIC_URL=https://parley.example"}, harness.FastJobs...), settings...)...), box
}

var linkText = regexp.MustCompile(`https://parley\.example/account/(\S+)\?token=(\S+)`)

// tokenOf returns the token of the link of an email, which text and HTML both have.
func tokenOf(t *testing.T, m mailtest.Message, page string) string {
	t.Helper()
	found := linkText.FindStringSubmatch(m.Text)
	require.NotNil(t, found, m.Text)
	require.Equal(t, page, found[1])
	require.Contains(t, m.HTML, `href="`+found[0]+`"`)
	token, err := url.QueryUnescape(found[2])
	require.NoError(t, err)
	return token
}

func forgot(t *testing.T, p *harness.Program, email string, headers ...harness.Header) {
	t.Helper()
	a := p.Anonymous().Post(t, "/v1/auth/password/forgot", map[string]any{"email": email}, headers...)
	require.Equal(t, http.StatusAccepted, a.Status, a)
	require.Empty(t, a.Raw)
}

func reset(t *testing.T, p *harness.Program, token, password string) harness.Answer {
	t.Helper()
	return p.Anonymous().Post(t, "/v1/auth/password/reset", map[string]any{"token": token, "password": password})
}

func TestAForgottenPasswordIsReset(t *testing.T) {
	t.Parallel()
	p, box := startWithMail(t)
	ada := p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	forgot(t, p, strings.ToUpper(ada.Email), harness.Header{Name: "Host", Value: "evil.example"}, harness.Header{Name: "X-Forwarded-Host", Value: "evil.example"})
	mail := box.Wait(t, ada.Email, resetSubject, 1)
	require.NotContains(t, mail.Text+mail.HTML, "evil")
	first := tokenOf(t, mail, "reset-password")
	harness.RequireNowhere(t, super, first)

	// a newer link takes the place of an earlier one
	forgot(t, p, ada.Email)
	token := tokenOf(t, box.Wait(t, ada.Email, resetSubject, 2), "reset-password")
	harness.RequireCode(t, reset(t, p, first, "staple the right horse"), http.StatusNotFound, "LINK_NOT_FOUND")
	harness.RequireWrong(t, reset(t, p, token, "password"), "password")
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/auth/me").Status, "nothing has happened yet")

	// of many calls with one link, one succeeds
	done := 0
	for _, a := range harness.AtOnce(8, func() harness.Answer { return reset(t, p, token, "staple the right horse") }) {
		if a.Status == http.StatusNoContent {
			done++
			continue
		}
		harness.RequireCode(t, a, http.StatusNotFound, "LINK_NOT_FOUND")
	}
	require.Equal(t, 1, done)
	ada.RequireEnded(t, "all sessions end")
	require.Equal(t, http.StatusUnauthorized, p.LogIn(t, ada.Email, harness.Password).Status)
	in := p.LogIn(t, ada.Email, "staple the right horse")
	require.Equal(t, http.StatusOK, in.Status, in)
	ada.Take(in)
	require.Equal(t, true, ada.Get(t, "/v1/auth/me").Body["email_verified"], "whoever reads the mail of the address has it")
	box.Wait(t, ada.Email, changedSubject, 1)
	require.Contains(t, strings.Join(ada.AccountEvents(t), "\n"), "password.reset")
	require.NotContains(t, p.Log.String(), token)
}

// Somebody may register with the address of somebody else, make a key and wait. Whoever resets the password proves the address, and
// the key ends with that; the key of an account that was proved before works on.
func TestAResetOfAnAccountThatNobodyProvedStopsWhatItHasMade(t *testing.T) {
	t.Parallel()
	p, box := startWithMail(t)
	for name, proved := range map[string]bool{"nobody proved": false, "proved": true} {
		eve := p.Register(t)
		if proved {
			p.SQL(t, `UPDATE users SET verified_at = now() WHERE id = $1`, eve.User)
		}
		key := eve.Key(t, "editor")
		require.Equal(t, http.StatusOK, key.Get(t, "/v1/bots").Status)
		eve.Invite(t, "mallory@example.com", "admin")
		withFactor(t, eve)
		forgot(t, p, eve.Email)
		require.Equal(t, http.StatusNoContent, reset(t, p, tokenOf(t, box.Wait(t, eve.Email, resetSubject, 1), "reset-password"), "staple the right horse").Status)
		in := p.LogIn(t, eve.Email, "staple the right horse")
		open := p.Number(t, `SELECT count(*) FROM invitations WHERE workspace_id = $1 AND revoked_at IS NULL`, eve.Workspace)
		logged := p.Number(t, `SELECT count(*) FROM audit_log WHERE workspace_id = $1 AND action = 'member.reset' AND resource_id = $2`, eve.Workspace, eve.User)
		if proved {
			harness.RequireCode(t, in, http.StatusUnauthorized, "SECOND_FACTOR_REQUIRED")
			require.Equal(t, []int{http.StatusOK, 1, 0}, []int{key.Get(t, "/v1/bots").Status, open, logged}, name)
			continue
		}
		harness.RequireCode(t, key.Get(t, "/v1/bots"), http.StatusUnauthorized, "API_KEY_SUSPENDED")
		require.Equal(t, []int{0, 1}, []int{open, logged}, name)
		owner := p.Anonymous()
		owner.Take(in)
		require.Equal(t, http.StatusOK, owner.Post(t, "/v1/api-keys/"+key.User+"/adopt", nil).Status)
		require.Equal(t, http.StatusOK, key.Get(t, "/v1/bots").Status, "it is hers")
	}
}

func TestNothingTellsWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	p, box := startWithMail(t)
	ada := p.Register(t)
	box.Wait(t, ada.Email, verifySubject, 1)
	for range 7 {
		forgot(t, p, ada.Email)
		forgot(t, p, "nobody@example.com")
	}
	require.Eventually(t, func() bool { return p.Number(t, `SELECT count(*) FROM account_emails`) == 0 }, time.Minute, 20*time.Millisecond)
	require.Empty(t, box.To(t, "nobody@example.com"))
	require.Len(t, box.To(t, ada.Email), 1+5, "five a day")
	harness.RequireWrong(t, p.Anonymous().Post(t, "/v1/auth/password/forgot", map[string]any{"email": "no address"}), "email")
}

func TestALinkHasItsTime(t *testing.T) {
	t.Parallel()
	p, box := startWithMail(t)
	ada := p.Register(t)
	forgot(t, p, ada.Email)
	token := tokenOf(t, box.Wait(t, ada.Email, resetSubject, 1), "reset-password")
	harness.RequireCode(t, p.Anonymous().Post(t, "/v1/auth/email/verify", map[string]any{"token": token}), http.StatusNotFound, "LINK_NOT_FOUND")
	p.SQL(t, `UPDATE account_links SET expires_at = now() WHERE purpose = 'password_reset'`)
	harness.RequireCode(t, reset(t, p, token, "staple the right horse"), http.StatusNotFound, "LINK_NOT_FOUND")

	forgot(t, p, ada.Email)
	token = tokenOf(t, box.Wait(t, ada.Email, resetSubject, 2), "reset-password")
	p.SQL(t, `UPDATE users SET disabled_at = now() WHERE id = $1`, ada.User)
	harness.RequireCode(t, reset(t, p, token, "staple the right horse"), http.StatusNotFound, "LINK_NOT_FOUND")
	p.SQL(t, `UPDATE users SET disabled_at = NULL WHERE id = $1`, ada.User)
	require.Equal(t, http.StatusOK, p.LogIn(t, ada.Email, harness.Password).Status, "the password is as it was")
}

func TestAnAddressIsVerified(t *testing.T) {
	t.Parallel()
	p, box := startWithMail(t)
	verify := func(c *harness.Caller, body map[string]any) harness.Answer {
		return c.Post(t, "/v1/auth/email/verify", body)
	}

	ada := p.Register(t)
	require.Equal(t, false, ada.Get(t, "/v1/auth/me").Body["email_verified"])
	token := tokenOf(t, box.Wait(t, ada.Email, verifySubject, 1), "verify-email")
	require.Equal(t, http.StatusNoContent, verify(p.Anonymous(), map[string]any{"token": token}).Status)
	harness.RequireCode(t, verify(p.Anonymous(), map[string]any{"token": token}), http.StatusNotFound, "LINK_NOT_FOUND")
	require.Equal(t, true, ada.Get(t, "/v1/auth/me").Body["email_verified"])
	p.SQL(t, `UPDATE users SET verified_by_link = false WHERE id = $1`, ada.User) // or a code would still be sent
	require.Equal(t, http.StatusAccepted, ada.Post(t, "/v1/auth/email/resend", nil).Status)
	require.Contains(t, strings.Join(ada.AccountEvents(t), "\n"), "email.verify")

	bob := p.Register(t)
	code := codeOf(t, box.Wait(t, bob.Email, verifySubject, 1))
	for message, body := range map[string]map[string]any{
		"code must not be sent together with token":                               {"token": token, "code": code},
		"password must not be sent together with code, which has an access token": {"code": code, "password": harness.Password},
		"token must be sent, unless code is":                                      {"password": harness.Password},
	} {
		require.Equal(t, message, verify(bob, body).Text("message"))
	}
	harness.RequireCode(t, verify(p.Anonymous(), map[string]any{"code": code}), http.StatusUnauthorized, "UNAUTHORIZED")
	harness.RequireCode(t, verify(ada, map[string]any{"code": code}), http.StatusNotFound, "LINK_NOT_FOUND")
	require.Equal(t, http.StatusNoContent, verify(bob, map[string]any{"code": code}).Status)
	require.Equal(t, true, bob.Get(t, "/v1/auth/me").Body["email_verified"])

	// five tries, also at the same time
	eve := p.Register(t)
	code = codeOf(t, box.Wait(t, eve.Email, verifySubject, 1))
	wrong := "000000"
	if code == wrong {
		wrong = "000001"
	}
	tried := 0
	for _, a := range harness.AtOnce(12, func() harness.Answer { return verify(eve, map[string]any{"code": wrong}) }) {
		if a.Text("code") == "WRONG_CODE" {
			tried++
		}
	}
	require.Equal(t, 5, tried)
	harness.RequireCode(t, verify(eve, map[string]any{"code": code}), http.StatusNotFound, "LINK_NOT_FOUND")
	op := harness.Operation(uuid.NewString())
	require.Equal(t, http.StatusAccepted, eve.Post(t, "/v1/auth/email/resend", nil, op, harness.Header{Name: "Accept-Language", Value: "ru-RU,ru;q=0.9"}).Status)
	require.Equal(t, http.StatusAccepted, eve.Post(t, "/v1/auth/email/resend", nil, op, harness.Header{Name: "Accept-Language", Value: "ru-RU,ru;q=0.9"}).Status)
	mail := box.Wait(t, eve.Email, "Это ваш адрес?", 1)
	require.Equal(t, http.StatusNoContent, verify(eve, map[string]any{"code": codeOf(t, mail)}).Status)
	require.Len(t, box.To(t, eve.Email), 2)

	harness.RequireWrong(t, verify(p.Anonymous(), map[string]any{"code": "12345"}), "code")
	eve.LogInAgain(t)
	require.Equal(t, http.StatusNoContent, eve.Post(t, "/v1/auth/logout", nil).Status)
	harness.RequireCode(t, verify(eve, map[string]any{"code": code}), http.StatusUnauthorized, "UNAUTHORIZED")
}

var codeText = regexp.MustCompile(`(?m)^    ([0-9]{6})$`)

func codeOf(t *testing.T, m mailtest.Message) string {
	t.Helper()
	found := codeText.FindStringSubmatch(m.Text)
	require.NotNil(t, found, m.Text)
	require.Contains(t, m.HTML, ">"+found[1]+"<")
	return found[1]
}

func TestAnEmailSurvivesAMailServerThatIsAway(t *testing.T) {
	t.Parallel()
	p, box := startWithMail(t)
	box.Refuse("450 try later")
	ada := p.Register(t)
	require.Eventually(t, func() bool {
		return p.Number(t, `SELECT count(*) FROM account_emails WHERE attempt = 1 AND run_at < now() + interval '1 minute'`) == 1
	},
		time.Minute, 20*time.Millisecond)
	box.Refuse("")
	p.SQL(t, `UPDATE account_emails SET run_at = now()`)
	box.Wait(t, ada.Email, verifySubject, 1)

	box.Refuse("550 no such mailbox")
	bob := p.Register(t)
	require.Eventually(t, func() bool { return p.Number(t, `SELECT count(*) FROM account_emails`) == 0 }, time.Minute, 20*time.Millisecond)
	require.Contains(t, p.Log.String(), "given up")
	require.NotContains(t, p.Log.String(), bob.Email)
}

func TestVerificationCanBeOff(t *testing.T) {
	t.Parallel()
	p, _ := startWithMail(t, "EMAIL_VERIFICATION=off")
	p.Register(t)
	require.Zero(t, p.Number(t, `SELECT count(*) FROM account_emails`))
}

func TestThePolicyOfSignUps(t *testing.T) {
	t.Parallel()
	for policy, newcomers := range map[string]bool{"invite": true, "closed": false} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			p := harness.Start(t, "SIGN_UP="+policy)
			harness.RequireCode(t, p.Anonymous().Post(t, "/v1/auth/register", map[string]any{
				"email": "eve@example.com", "password": harness.Password, "workspace_name": "Eve",
			}), http.StatusForbidden, "SIGN_UP_CLOSED")
			email := fmt.Sprintf("ada-%s@example.com", policy)
			made := harness.Operate(t, p.Settings, "users", "create", "--email", email, "--workspace", "Navy")[0]
			ada := &harness.Caller{Program: p, Email: email}
			ada.Take(p.LogIn(t, email, made["password"].(string)))
			_, token := ada.Invite(t, "grace@example.com", "viewer")
			in := p.Accept(t, token, harness.Password)
			if newcomers {
				require.Equal(t, http.StatusOK, in.Status, in)
				return
			}
			harness.RequireCode(t, in, http.StatusForbidden, "SIGN_UP_CLOSED")
			harness.Operate(t, p.Settings, "users", "create", "--email", "grace@example.com")
			require.Equal(t, 2, p.Number(t, `SELECT count(*) FROM users`))
		})
	}
}
