package accounts

import (
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/testing/mailtest"
)

// A stranger makes an account with an address, and waits for its owner to use it ("Pre-hijacked Accounts", USENIX Security 2022).
// The stranger's ways to stay in are the sessions, keys, second factors, identities, invitations and pending changes of the account.

// verifyWith sends back the token of the nth email that verifies an address, with what else is in the body.
func verifyWith(t *testing.T, c *harness.Caller, box *mailtest.Server, email string, nth int, more map[string]any) harness.Answer {
	t.Helper()
	body := map[string]any{"token": tokenOf(t, box.Wait(t, email, verifySubject, nth), "verify-email")}
	maps.Copy(body, more)
	return c.Post(t, "/v1/auth/email/verify", body)
}

// resetBy sets a password by the nth link that a forgotten one sends, and logs in with it.
func resetBy(t *testing.T, p *harness.Program, box *mailtest.Server, email, password string, nth int) *harness.Caller {
	t.Helper()
	forgot(t, p, email)
	a := reset(t, p, tokenOf(t, box.Wait(t, email, resetSubject, nth), "reset-password"), password)
	require.Equal(t, http.StatusNoContent, a.Status, a)
	in := p.LogIn(t, email, password)
	require.Equal(t, http.StatusOK, in.Status, in)
	c := &harness.Caller{Program: p, Email: email}
	c.Take(in)
	return c
}

func proofOf(t *testing.T, c *harness.Caller) string {
	t.Helper()
	return c.Get(t, "/v1/auth/me").Text("email_proof")
}

// invitee is somebody whom a member has invited by email, and who has proved the address.
func invitee(t *testing.T, box *mailtest.Server, by *harness.Caller, role string) *harness.Caller {
	t.Helper()
	c := &harness.Caller{Program: by.Program, Email: "u" + uuid.NewString() + "@example.com"}
	a := c.Accept(t, inviteBy(t, box, by, c.Email, role), harness.Password)
	require.Equal(t, http.StatusOK, a.Status, a)
	c.Take(a)
	c.SQL(t, `UPDATE users SET verified_at = now() WHERE id = $1`, c.User)
	return c
}

var invitationText = regexp.MustCompile(domain.InvitationFormat)

// inviteBy invites an address, and returns the token of the email.
func inviteBy(t *testing.T, box *mailtest.Server, by *harness.Caller, email, role string) string {
	t.Helper()
	a := by.Post(t, "/v1/invitations", map[string]any{"email": email, "role": role})
	require.Equal(t, http.StatusCreated, a.Status, a)
	token := ""
	require.Eventually(t, func() bool {
		for _, m := range box.To(t, email) {
			if found := invitationText.FindString(m.Text); found != "" {
				token = found
			}
		}
		return token != ""
	}, 60*time.Second, 20*time.Millisecond)
	return token
}

// The owner of the address confirms the account of a stranger by the link alone. A reset gives it to her, and the stranger keeps
// nothing: not the password, sessions and keys, no second factor, no identity, no change of the address that waits, and no friends.
func TestAResetAfterALinkAloneLeavesNothingToAStranger(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t)
	super := harness.Postgres.Superuser(t, p.Database)
	eve := p.Register(t)
	require.Equal(t, "none", proofOf(t, eve))
	require.Equal(t, http.StatusNoContent, verifyWith(t, p.Anonymous(), box, eve.Email, 1, nil).Status)
	require.Equal(t, "link", proofOf(t, eve))
	require.Equal(t, true, eve.Get(t, "/v1/auth/me").Body["email_verified"])

	key := eve.Key(t, "editor")
	eve.Identity(t, super)
	owner, admin := invitee(t, box, eve, "owner"), invitee(t, box, eve, "admin")
	deputy := invitee(t, box, admin, "editor")
	require.Equal(t, http.StatusOK, admin.Get(t, "/v1/bots").Status)
	require.Equal(t, http.StatusOK, owner.Delete(t, "/v1/members/"+admin.User).Status, "who has left has left others")
	ownersKey := owner.Key(t, "viewer")
	open := inviteBy(t, box, owner, "mallory@example.com", "viewer")
	stay := p.Register(t) // a member by other means
	stay.Workspace = eve.Workspace
	p.Rejoin(t, stay, "viewer")
	change := eve.Post(t, "/v1/auth/email/change", map[string]any{"email": "eve@example.com", "password": harness.Password})
	require.Equal(t, http.StatusAccepted, change.Status, change)
	leave := tokenOf(t, box.Wait(t, eve.Email, "Another address for your account?", 1), "change-email")
	withFactor(t, eve)

	ada := resetBy(t, p, box, eve.Email, otherPassword, 1)
	require.Equal(t, "account", proofOf(t, ada))
	require.Equal(t, []string{eve.User, eve.Workspace}, []string{ada.User, ada.Workspace})
	eve.RequireEnded(t, "the stranger's session")
	harness.RequireCode(t, p.LogIn(t, eve.Email, harness.Password), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	for _, k := range []*harness.Caller{key, ownersKey} {
		harness.RequireCode(t, k.Get(t, "/v1/bots"), http.StatusUnauthorized, "API_KEY_SUSPENDED")
	}
	for _, c := range []*harness.Caller{owner, deputy} {
		require.Equal(t, http.StatusUnauthorized, c.Get(t, "/v1/bots").Status)
	}
	require.Len(t, ada.Get(t, "/v1/members").Items(), 2)
	require.Equal(t, http.StatusOK, stay.Get(t, "/v1/bots").Status)
	harness.RequireCode(t, p.Accept(t, open, harness.Password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	require.Zero(t, p.Number(t, `SELECT count(*) FROM account_identities WHERE user_id = $1`, eve.User))
	require.Zero(t, p.Number(t, `SELECT count(*) FROM account_totp WHERE user_id = $1`, eve.User))
	harness.RequireCode(t, p.Anonymous().Post(t, "/v1/auth/email/change/confirm", map[string]any{"token": leave}), http.StatusNotFound, "LINK_NOT_FOUND")
	require.Equal(t, 2, p.Number(t, `SELECT count(*) FROM audit_log WHERE workspace_id = $1 AND action = 'member.remove' AND changes @> '{"inviter_distrusted": true}'`, ada.Workspace))
}

// Who has the mailbox and the account keeps what it has made: whether it sends its password or its session along with the link,
// brings the code, or makes up for a link that it used alone.
func TestAProofWithTheAccountKeepsWhatItHasMade(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t)
	for name, prove := range map[string]func(c *harness.Caller) harness.Answer{
		"password": func(c *harness.Caller) harness.Answer {
			harness.RequireCode(t, verifyWith(t, p.Anonymous(), box, c.Email, 1, map[string]any{"password": otherPassword}), http.StatusUnauthorized, "INVALID_CREDENTIALS")
			return verifyWith(t, p.Anonymous(), box, c.Email, 1, map[string]any{"password": harness.Password})
		},
		"session": func(c *harness.Caller) harness.Answer {
			other := p.Register(t)
			harness.RequireCode(t, verifyWith(t, other, box, c.Email, 1, nil), http.StatusForbidden, "LINK_OF_ANOTHER_ACCOUNT")
			return verifyWith(t, c, box, c.Email, 1, nil)
		},
		"code": func(c *harness.Caller) harness.Answer {
			return c.Post(t, "/v1/auth/email/verify", map[string]any{"code": codeOf(t, box.Wait(t, c.Email, verifySubject, 1))})
		},
		"link, then code": func(c *harness.Caller) harness.Answer {
			require.Equal(t, http.StatusNoContent, verifyWith(t, p.Anonymous(), box, c.Email, 1, nil).Status)
			require.Equal(t, "link", proofOf(t, c))
			require.Equal(t, http.StatusAccepted, c.Post(t, "/v1/auth/email/resend", nil).Status)
			return c.Post(t, "/v1/auth/email/verify", map[string]any{"code": codeOf(t, box.Wait(t, c.Email, verifySubject, 2))})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ada := p.Register(t)
			a := prove(ada)
			require.Equal(t, http.StatusNoContent, a.Status, a)
			require.Equal(t, "account", proofOf(t, ada))
			key := ada.Key(t, "editor")
			bob := invitee(t, box, ada, "owner")
			resetBy(t, p, box, ada.Email, otherPassword, 1)
			require.Equal(t, http.StatusOK, key.Get(t, "/v1/bots").Status)
			require.Equal(t, http.StatusOK, bob.Get(t, "/v1/bots").Status)
			require.Equal(t, http.StatusAccepted, bob.Post(t, "/v1/auth/email/resend", nil).Status)
		})
	}
}

// Of two accounts with her address the owner of the mailbox confirms the wrong one. Her own takes the address from it, as it has both
// the mailbox and the account; the link of the wrong one no longer helps.
func TestAProofWithTheAccountIsStrongerThanALinkAlone(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t)
	eve := p.Register(t)
	wrong := tokenOf(t, box.Wait(t, eve.Email, verifySubject, 1), "verify-email")
	ada := registerAs(t, p, eve.Email, otherPassword)
	code := codeOf(t, box.Wait(t, eve.Email, verifySubject, 2))
	require.Equal(t, http.StatusNoContent, p.Anonymous().Post(t, "/v1/auth/email/verify", map[string]any{"token": wrong}).Status)
	require.Equal(t, "link", proofOf(t, eve))
	a := ada.Post(t, "/v1/auth/email/verify", map[string]any{"code": code})
	require.Equal(t, http.StatusNoContent, a.Status, a)
	require.Equal(t, []string{"none", "account"}, []string{proofOf(t, eve), proofOf(t, ada)})
	require.Equal(t, ada.User, p.LogIn(t, eve.Email, otherPassword).Text("user_id"))

	// nothing takes it from her
	require.Equal(t, http.StatusAccepted, eve.Post(t, "/v1/auth/email/resend", nil).Status)
	box.Wait(t, eve.Email, inUseSubject, 1)
	harness.RequireCode(t, eve.Post(t, "/v1/auth/email/verify", map[string]any{"code": unsentCode(t, p, eve)}), http.StatusUnprocessableEntity, "WRONG_CODE")
	require.Equal(t, "account", proofOf(t, ada))
}

// A stranger asks for the address of somebody else, who agrees by the link alone: the address is proved no better than that.
func TestAnAddressThatAnAccountGetsByALinkAloneIsNotTrusted(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t)
	for name, of := range map[string]struct {
		more  map[string]any
		proof string
	}{"alone": {nil, "link"}, "with the password": {map[string]any{"password": harness.Password}, "account"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eve := proved(t, p, box)
			victim := "u" + uuid.NewString() + "@example.com"
			require.Equal(t, http.StatusAccepted, eve.Post(t, "/v1/auth/email/change", map[string]any{"email": victim, "password": harness.Password}).Status)
			confirm := func(email, subject string, more map[string]any) harness.Answer {
				body := map[string]any{"token": tokenOf(t, box.Wait(t, email, subject, 1), "change-email")}
				maps.Copy(body, more)
				return p.Anonymous().Post(t, "/v1/auth/email/change/confirm", body)
			}
			harness.RequireCode(t, confirm(victim, "Is this your new address?", map[string]any{"password": otherPassword}), http.StatusUnauthorized, "INVALID_CREDENTIALS")
			require.Equal(t, http.StatusOK, confirm(victim, "Is this your new address?", of.more).Status)
			require.Equal(t, http.StatusOK, confirm(eve.Email, "Another address for your account?", map[string]any{"password": harness.Password}).Status)
			in := p.LogIn(t, victim, harness.Password)
			require.Equal(t, http.StatusOK, in.Status, in)
			eve.Take(in)
			require.Equal(t, of.proof, proofOf(t, eve))
			key := eve.Key(t, "editor")
			resetBy(t, p, box, victim, otherPassword, 1)
			want := map[string]int{"link": http.StatusUnauthorized, "account": http.StatusOK}
			require.Equal(t, want[of.proof], key.Get(t, "/v1/bots").Status)
		})
	}
}

// The email says which account it is about, so that its reader can tell her own.
func TestTheEmailThatVerifiesAnAddressNamesTheAccount(t *testing.T) {
	t.Parallel()
	p, box := startRequired(t, harness.BehindProxy)
	firefox := harness.Header{Name: "User-Agent", Value: "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"}
	email := "u" + uuid.NewString() + "@example.com"
	body := map[string]any{"email": email, "password": harness.Password, "workspace_name": "Analytical Engine"}
	a := p.Anonymous().Post(t, "/v1/auth/register", body, firefox, harness.From("203.0.113.9"))
	require.Equal(t, http.StatusCreated, a.Status, a)
	text := strings.Join(strings.Fields(box.Wait(t, email, verifySubject, 1).Text), " ")
	require.Contains(t, text, `with the workspace "Analytical Engine"`)
	require.Contains(t, text, "Firefox on Linux, network 203.0.113.0/24")
	require.Contains(t, text, "at "+time.Now().UTC().Format("2006-01-02"))
}
