package accounts

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/testing/mailtest"
)

const inUseSubject = "Somebody used your address at Parley"

func startRequired(t *testing.T, settings ...string) (*harness.Program, *mailtest.Server) {
	t.Helper()
	return startWithMail(t, append([]string{"EMAIL_VERIFICATION=required"}, settings...)...)
}

// registerAs registers with an address that others may have.
func registerAs(t *testing.T, p *harness.Program, email, password string, headers ...harness.Header) *harness.Caller {
	t.Helper()
	c := &harness.Caller{Program: p, Email: email}
	a := c.Post(t, "/v1/auth/register", map[string]any{"email": email, "password": password, "workspace_name": "Acme"}, headers...)
	require.Equal(t, http.StatusCreated, a.Status, a)
	c.Take(a)
	return c
}

// proved registers with an address and proves it.
func proved(t *testing.T, p *harness.Program, box *mailtest.Server) *harness.Caller {
	t.Helper()
	c := p.Register(t)
	prove(t, p, box, c.Email, 1)
	return c
}

func prove(t *testing.T, p *harness.Program, box *mailtest.Server, email string, nth int) {
	t.Helper()
	token := tokenOf(t, box.Wait(t, email, verifySubject, nth), "verify-email")
	a := p.Anonymous().Post(t, "/v1/auth/email/verify", map[string]any{"token": token})
	require.Equal(t, http.StatusNoContent, a.Status, a)
}

const otherPassword = "staple the right horse"

func TestAnAccountWithoutAProofInvitesNobody(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t)
	ada := p.Register(t)
	invite := func() harness.Answer {
		return ada.Post(t, "/v1/invitations", map[string]any{"email": "grace@example.com", "role": "viewer"})
	}
	harness.RequireCode(t, invite(), http.StatusForbidden, "EMAIL_NOT_VERIFIED")
	require.Zero(t, p.Number(t, `SELECT count(*) FROM invitations`))
	prove(t, p, box, ada.Email, 1)
	require.Equal(t, http.StatusCreated, invite().Status)
}

func TestARegistrationTellsNothingOfWhoHasTheAddress(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t)
	ada := proved(t, p, box)
	eve := registerAs(t, p, ada.Email, otherPassword)
	nobody := p.Register(t)
	require.NotEqual(t, ada.User, eve.User)
	require.NotEqual(t, ada.Workspace, eve.Workspace)

	// the owner learns of it, and gets neither link nor code
	notice := box.Wait(t, ada.Email, inUseSubject, 1)
	require.NotContains(t, notice.Text+notice.HTML, "token=")
	require.NotRegexp(t, `\b[0-9]{6}\b`, notice.Text)

	// what the new account sees is the same as with an address that nobody has
	box.Wait(t, nobody.Email, verifySubject, 1)
	for _, c := range []*harness.Caller{eve, nobody} {
		me := c.Get(t, "/v1/auth/me")
		require.Equal(t, false, me.Body["email_verified"])
		require.Len(t, me.Body["memberships"], 1)
		harness.RequireCode(t, c.Post(t, "/v1/auth/email/verify", map[string]any{"code": unsentCode(t, p, c)}), http.StatusUnprocessableEntity, "WRONG_CODE")
		require.Equal(t, http.StatusAccepted, c.Post(t, "/v1/auth/email/resend", nil).Status)
	}

	// each password opens its own account
	require.Equal(t, ada.User, p.LogIn(t, ada.Email, harness.Password).Text("user_id"))
	require.Equal(t, eve.User, p.LogIn(t, ada.Email, otherPassword).Text("user_id"))
	forgot(t, p, ada.Email)
	reset(t, p, tokenOf(t, box.Wait(t, ada.Email, resetSubject, 1), "reset-password"), "a third good password")
	require.Equal(t, ada.User, p.LogIn(t, ada.Email, "a third good password").Text("user_id"))
	require.Equal(t, http.StatusOK, eve.Get(t, "/v1/auth/me").Status, "nothing of the one account is of the other")
}

// unsentCode returns a code that is not valid: all are as likely, and one in a million is.
func unsentCode(t *testing.T, p *harness.Program, c *harness.Caller) string {
	t.Helper()
	require.Eventually(t, func() bool {
		return p.Number(t, `SELECT count(*) FROM account_links WHERE user_id = $1 AND purpose = 'email_verification'`, c.User) == 1
	}, time.Minute, 20*time.Millisecond)
	return "271828"
}

func TestAnAddressIsOfWhoProvesItFirst(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t)
	eve := p.Register(t) // with the address of somebody else
	first := tokenOf(t, box.Wait(t, eve.Email, verifySubject, 1), "verify-email")
	ada := registerAs(t, p, eve.Email, otherPassword)
	second := tokenOf(t, box.Wait(t, eve.Email, verifySubject, 2), "verify-email")

	verify := func(token string) harness.Answer {
		return p.Anonymous().Post(t, "/v1/auth/email/verify", map[string]any{"token": token})
	}
	answers := harness.AtOnce(2, func() harness.Answer { return verify(second) })
	require.ElementsMatch(t, []int{http.StatusNoContent, http.StatusNotFound}, []int{answers[0].Status, answers[1].Status})
	for range 2 {
		harness.RequireCode(t, verify(first), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
	}
	require.Equal(t, true, ada.Get(t, "/v1/auth/me").Body["email_verified"])
	require.Equal(t, false, eve.Get(t, "/v1/auth/me").Body["email_verified"])
	require.Equal(t, ada.User, p.LogIn(t, eve.Email, otherPassword).Text("user_id"))
}

func TestManyProofsOfOneAddressAtOnceHaveOneWinner(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t)
	email := "u" + uuid.NewString() + "@example.com"
	var tokens []string
	for n := range 4 {
		registerAs(t, p, email, harness.Password)
		tokens = append(tokens, tokenOf(t, box.Wait(t, email, verifySubject, n+1), "verify-email"))
	}
	next := make(chan string, len(tokens))
	for _, token := range tokens {
		next <- token
	}
	won := 0
	for _, a := range harness.AtOnce(len(tokens), func() harness.Answer {
		return p.Anonymous().Post(t, "/v1/auth/email/verify", map[string]any{"token": <-next})
	}) {
		if a.Status == http.StatusNoContent {
			won++
			continue
		}
		harness.RequireCode(t, a, http.StatusConflict, "EMAIL_ALREADY_EXISTS")
	}
	require.Equal(t, 1, won)
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM users WHERE email = $1 AND verified_at IS NOT NULL`, email))
}

// Who has another account of the address must not guess the password of its owner more often than a stranger: neither by the
// passwords of its own accounts nor by sending registrations again.
func TestAnotherAccountOfAnAddressIsNoWayRoundTheLimitOfGuesses(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t, harness.BehindProxy)
	ada := proved(t, p, box)
	const network = "198.51.100.7"
	op := harness.Operation(uuid.NewString())
	register := func() harness.Answer {
		return p.Anonymous().Post(t, "/v1/auth/register", map[string]any{"email": ada.Email, "password": otherPassword, "workspace_name": "Eve"}, op)
	}
	eve := register()
	require.Equal(t, http.StatusCreated, eve.Status, eve)
	for range 12 {
		require.Equal(t, eve.Text("user_id"), register().Text("user_id"), "a registration that is sent again stays its own")
		if a := p.TryAt(t, ada.Email, otherPassword, network, harness.Device(eve.Text("device_token"))); a.Status == http.StatusTooManyRequests {
			return
		}
	}
	t.Fatal("each log-in to the other account is a guess at the password of the owner, and none was counted")
}

// Whoever registers with an address again and again does not keep an account of it from being logged in to, from where it was before.
func TestRegistrationsOfOthersDoNotBlockALogIn(t *testing.T) {
	t.Parallel()
	p, _ := startRequired(t, harness.BehindProxy)
	ada, device := p.RegisterAt(t, "203.0.113.9")
	for range 4 {
		registerAs(t, p, ada.Email, otherPassword, harness.From("198.51.100.7"))
	}
	for name, in := range map[string]harness.Answer{
		"network": p.TryAt(t, ada.Email, harness.Password, "203.0.113.200"),
		"device":  p.TryAt(t, ada.Email, harness.Password, "192.0.2.1", harness.Device(device)),
	} {
		require.Equal(t, http.StatusOK, in.Status, "%s: %s", name, in)
		require.Equal(t, ada.User, in.Text("user_id"), name)
	}
}

func TestARegistrationSentAgainOpensItsOwnAccount(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t)
	ada := proved(t, p, box)
	op := harness.Operation(uuid.NewString())
	answers := harness.AtOnce(8, func() harness.Answer {
		return p.Anonymous().Post(t, "/v1/auth/register", map[string]any{"email": ada.Email, "password": otherPassword, "workspace_name": "Eve"}, op)
	})
	for _, a := range answers {
		require.Equal(t, http.StatusCreated, a.Status, a)
		require.Equal(t, answers[0].Text("user_id"), a.Text("user_id"))
	}
	require.Equal(t, 2, p.Number(t, `SELECT count(*) FROM users`))
	wrong := p.Anonymous().Post(t, "/v1/auth/register", map[string]any{"email": ada.Email, "password": harness.Password, "workspace_name": "Eve"}, op)
	harness.RequireCode(t, wrong, http.StatusConflict, "EMAIL_ALREADY_EXISTS")
}

func TestAnInvitationIsNotBlockedByWhoHasNotProvedTheAddress(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t)
	host := proved(t, p, box)
	eve := p.Register(t)
	token := inviteBy(t, box, host, eve.Email, "viewer")
	in := p.Accept(t, token, otherPassword)
	require.Equal(t, http.StatusOK, in.Status, in)
	require.NotEqual(t, eve.User, in.Text("user_id"), "a new account of the address")

	// whose own password is given joins with its account
	bob := p.Register(t)
	token = inviteBy(t, box, host, bob.Email, "viewer")
	in = p.Accept(t, token, harness.Password)
	require.Equal(t, bob.User, in.Text("user_id"))

	// the account that has proved the address is the only one that is meant
	zoe := proved(t, p, box)
	registerAs(t, p, zoe.Email, otherPassword)
	token = inviteBy(t, box, host, zoe.Email, "viewer")
	harness.RequireCode(t, p.Accept(t, token, otherPassword), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	require.Equal(t, zoe.User, p.Accept(t, token, harness.Password).Text("user_id"))
}

// Who had the token could find out by it whether the address has an account: a wrong password is refused only where it has one.
func TestWhoInvitesDoesNotLearnWhetherTheAddressHasAnAccount(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t)
	ada, bob := proved(t, p, box), proved(t, p, box)
	super := harness.Postgres.Superuser(t, p.Database)
	op := harness.Operation(uuid.NewString())
	body := map[string]any{"email": bob.Email, "role": "viewer"}
	known := ada.Post(t, "/v1/invitations", body, op)
	unknown := ada.Post(t, "/v1/invitations", map[string]any{"email": "nobody@example.com", "role": "viewer"})
	again := ada.Post(t, "/v1/invitations", body, op)
	require.Equal(t, known.Raw, again.Raw)
	for _, a := range []harness.Answer{known, unknown, again} {
		require.Equal(t, http.StatusCreated, a.Status, a)
		require.NotContains(t, a.Body, "token")
		require.NotRegexp(t, domain.InvitationFormat, a.Raw)
	}
	box.Wait(t, bob.Email, "Invitation to a workspace of Parley", 1)
	email := box.Wait(t, "nobody@example.com", "Invitation to a workspace of Parley", 1)
	token := invitationText.FindString(email.Text)
	link := "https://parley.example/console/invitation#" + token
	require.Contains(t, email.Text, "\n\n"+link+"\n\n")
	require.Contains(t, email.HTML, `href="`+link+`"`)
	harness.RequireNowhere(t, super, token)
	for _, list := range []harness.Answer{ada.Get(t, "/v1/invitations"), ada.Get(t, "/v1/jobs?kind=mail.send"), ada.Get(t, "/v1/audit-log")} {
		require.NotContains(t, list.Raw, token)
	}
	require.Equal(t, http.StatusOK, p.Accept(t, token, harness.Password).Status)
}

func TestAccountsWithoutAProofGo(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t, "UPKEEP_INTERVAL=100ms")
	ada := proved(t, p, box)
	old, fresh := p.Register(t), p.Register(t)
	guest := p.Register(t)
	token := inviteBy(t, box, ada, guest.Email, "viewer")
	require.Equal(t, http.StatusOK, p.Accept(t, token, harness.Password).Status)
	p.SQL(t, `UPDATE users SET created_at = now() - interval '8 days' WHERE id = ANY ($1)`, []string{old.User, guest.User, ada.User})
	again := harness.StartOn(t, p.Database, p.Settings...) // upkeep of an hour begins with the start
	require.Eventually(t, func() bool {
		return p.Number(t, `SELECT count(*) FROM workspaces WHERE deleted_at IS NOT NULL`) == 2
	}, time.Minute, 20*time.Millisecond)
	require.Equal(t, 2, p.Number(t, `SELECT count(*) FROM workspaces WHERE deleted_at IS NOT NULL AND id = ANY ($1)`, []string{old.Workspace, guest.Workspace}))
	require.Zero(t, p.Number(t, `SELECT count(*) FROM workspaces WHERE deleted_at IS NOT NULL AND id = ANY ($1)`, []string{ada.Workspace, fresh.Workspace}))
	require.Equal(t, 2, p.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'workspace.delete'`))

	// until it is purged the account proves its address and restores the workspace
	old.Program = again
	prove(t, again, box, old.Email, 1)
	require.Equal(t, http.StatusOK, old.Post(t, "/v1/workspaces/"+old.Workspace+"/restore", nil).Status)
}

func TestOptionalProofKeepsTheContract(t *testing.T) {
	t.Parallel()
	p, _ := startWithMail(t)
	ada := p.Register(t)
	a := p.Anonymous().Post(t, "/v1/auth/register", map[string]any{"email": ada.Email, "password": otherPassword, "workspace_name": "Eve"})
	harness.RequireCode(t, a, http.StatusConflict, "EMAIL_ALREADY_EXISTS")
	ada.Invite(t, "grace@example.com", "viewer")
}

// A program of the release before, or one with optional proofs, goes on beside accounts that share an address.
func TestOptionalProofWorksOnWhatRequiredProofHasMade(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t)
	ada := proved(t, p, box)
	eve := registerAs(t, p, ada.Email, otherPassword)
	other := p.Register(t)
	optional := harness.StartOn(t, p.Database, append(p.Settings, "EMAIL_VERIFICATION=optional")...)
	require.Equal(t, ada.User, optional.LogIn(t, ada.Email, harness.Password).Text("user_id"))
	require.Equal(t, http.StatusUnauthorized, optional.LogIn(t, ada.Email, otherPassword).Status)
	eve.Program = optional
	require.Equal(t, http.StatusOK, eve.Get(t, "/v1/auth/me").Status)
	register := func(email string) harness.Answer {
		return optional.Anonymous().Post(t, "/v1/auth/register", map[string]any{"email": email, "password": otherPassword, "workspace_name": "Eve"})
	}
	harness.RequireCode(t, register(ada.Email), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
	require.Equal(t, http.StatusCreated, register(other.Email).Status, "who shares an address does not block it")
	harness.RequireCode(t, register(other.Email), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
}
