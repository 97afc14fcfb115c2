package accounts

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/testing/mailtest"
)

// Subjects of emails about a change of the address.
const (
	fromSubject       = "Another address for your account?"
	toSubject         = "Is this your new address?"
	newAddressSubject = "Your account has another address"
)

func newAddress() string { return "n" + uuid.NewString() + "@example.com" }

func askChange(t *testing.T, c *harness.Caller, email string, headers ...harness.Header) {
	t.Helper()
	a := c.Post(t, "/v1/auth/email/change", map[string]any{"email": email, "password": harness.Password}, headers...)
	require.Equal(t, http.StatusAccepted, a.Status, a)
	require.Empty(t, a.Raw)
}

func agree(t *testing.T, p *harness.Program, token string) harness.Answer {
	t.Helper()
	return p.Anonymous().Post(t, "/v1/auth/email/change/confirm", map[string]any{"token": token})
}

// changeTokens returns the tokens of the nth change of an address.
func changeTokens(t *testing.T, box *mailtest.Server, from, to string, nth int) (fromToken, toToken string) {
	t.Helper()
	return tokenOf(t, box.Wait(t, from, fromSubject, nth), "change-email"), tokenOf(t, box.Wait(t, to, toSubject, nth), "change-email")
}

func TestAnAddressChangesWhenBothAddressesAgree(t *testing.T) {
	t.Parallel()
	for name, toFirst := range map[string]bool{"the new one first": true, "the former one first": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, box := startWithMail(t)
			ada, to := p.Register(t), newAddress()
			askChange(t, ada, strings.ToUpper(to), harness.Header{Name: "Host", Value: "evil.example"}, harness.Header{Name: "X-Forwarded-Host", Value: "evil.example"})
			first, second := changeTokens(t, box, ada.Email, to, 1)
			require.NotContains(t, strings.Join(box.Raw(), ""), "evil")
			require.NotContains(t, box.Wait(t, to, toSubject, 1).Text, ada.Email, "the reader may have nothing to do with the account")
			harness.RequireNowhere(t, harness.Postgres.Superuser(t, p.Database), first)
			if toFirst {
				first, second = second, first
			}
			for _, page := range []string{"/v1/auth/email/verify", "/v1/auth/password/reset"} { // a token is for one purpose
				body := map[string]any{"token": first}
				if strings.Contains(page, "reset") {
					body["password"] = otherPassword
				}
				harness.RequireCode(t, p.Anonymous().Post(t, page, body), http.StatusNotFound, "LINK_NOT_FOUND")
			}

			half := agree(t, p, first)
			require.Equal(t, false, half.Body["changed"], half)
			harness.RequireCode(t, agree(t, p, first), http.StatusNotFound, "LINK_NOT_FOUND")
			require.Equal(t, ada.Email, ada.Get(t, "/v1/auth/me").Text("email"), "one address is not enough")

			won := 0
			for _, a := range harness.AtOnce(6, func() harness.Answer { return agree(t, p, second) }) {
				if a.Status == http.StatusOK {
					require.Equal(t, true, a.Body["changed"])
					won++
					continue
				}
				harness.RequireCode(t, a, http.StatusNotFound, "LINK_NOT_FOUND")
			}
			require.Equal(t, 1, won)
			ada.RequireEnded(t, "all sessions end")
			require.Contains(t, box.Wait(t, ada.Email, newAddressSubject, 1).Text, to)
			require.Equal(t, http.StatusUnauthorized, p.LogIn(t, ada.Email, harness.Password).Status)
			ada.Take(p.LogIn(t, to, harness.Password))
			me := ada.Get(t, "/v1/auth/me")
			require.Equal(t, []any{to, true}, []any{me.Body["email"], me.Body["email_verified"]})
			require.Contains(t, strings.Join(ada.AccountEvents(t), "\n"), "email.change")
			require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'email.ask_change' AND user_id = $1`, ada.User))
			require.Equal(t, http.StatusCreated, p.Anonymous().Post(t, "/v1/auth/register", map[string]any{
				"email": ada.Email, "password": otherPassword, "workspace_name": "Later",
			}).Status, "the former address is free")
		})
	}
}

func TestBothLinksUsedAtOnceChangeTheAddress(t *testing.T) {
	t.Parallel()
	p, box := startWithMail(t)
	ada, to := p.Register(t), newAddress()
	askChange(t, ada, to)
	first, second := changeTokens(t, box, ada.Email, to, 1)
	tokens := make(chan string, 2)
	tokens <- first
	tokens <- second
	changed := 0
	for _, a := range harness.AtOnce(2, func() harness.Answer { return agree(t, p, <-tokens) }) {
		require.Equal(t, http.StatusOK, a.Status, a)
		if a.Body["changed"] == true {
			changed++
		}
	}
	require.Equal(t, 1, changed)
	require.Equal(t, ada.User, p.LogIn(t, to, harness.Password).Text("user_id"))
}

func TestAChangeOfTheAddressNeedsThePasswordAndIsLimited(t *testing.T) {
	t.Parallel()
	p, box := startWithMail(t)
	ada, to := p.Register(t), newAddress()
	wrong := ada.Post(t, "/v1/auth/email/change", map[string]any{"email": to, "password": "wrong horse"})
	harness.RequireCode(t, wrong, http.StatusUnauthorized, "INVALID_CREDENTIALS")
	harness.RequireWrong(t, ada.Post(t, "/v1/auth/email/change", map[string]any{"email": ada.Email, "password": harness.Password}), "email")
	harness.RequireWrong(t, ada.Post(t, "/v1/auth/email/change", map[string]any{"email": "none", "password": harness.Password}), "email")
	harness.RequireCode(t, p.Anonymous().Post(t, "/v1/auth/email/change", map[string]any{"email": to, "password": harness.Password}), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Zero(t, p.Number(t, `SELECT count(*) FROM account_links WHERE purpose LIKE 'email_change%'`))

	// a newer change takes the place of an earlier one
	op := harness.Operation(uuid.NewString())
	askChange(t, ada, to, op)
	askChange(t, ada, to, op)
	oldFrom, oldTo := changeTokens(t, box, ada.Email, to, 1)
	other := newAddress()
	askChange(t, ada, other)
	from := tokenOf(t, box.Wait(t, ada.Email, fromSubject, 2), "change-email")
	last := tokenOf(t, box.Wait(t, other, toSubject, 1), "change-email")
	for _, token := range []string{oldFrom, oldTo} {
		harness.RequireCode(t, agree(t, p, token), http.StatusNotFound, "LINK_NOT_FOUND")
	}
	require.Equal(t, http.StatusOK, agree(t, p, from).Status)
	p.SQL(t, `UPDATE account_links SET expires_at = now() WHERE purpose = 'email_change_to'`)
	harness.RequireCode(t, agree(t, p, last), http.StatusNotFound, "LINK_NOT_FOUND")

	for range 3 {
		askChange(t, ada, newAddress())
	}
	limited := ada.Post(t, "/v1/auth/email/change", map[string]any{"email": to, "password": harness.Password})
	harness.RequireCode(t, limited, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	require.NotEmpty(t, limited.Header.Get("Retry-After"))
	require.Eventually(t, func() bool { return p.Number(t, `SELECT count(*) FROM account_emails`) == 0 }, time.Minute, 20*time.Millisecond)
	require.Len(t, box.To(t, to), 1, "a call that is sent again sends nothing again")
}

func TestAChangeOfTheAddressTellsNothingOfWhoHasIt(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"optional", "required"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p, box := startWithMail(t, "EMAIL_VERIFICATION="+mode)
			ada, eve := proved(t, p, box), proved(t, p, box)
			askChange(t, eve, ada.Email)
			notice := box.Wait(t, ada.Email, inUseSubject, 1)
			require.NotContains(t, notice.Text+notice.HTML, "token=")
			require.NotContains(t, notice.Text+notice.HTML, eve.Email)
			from := tokenOf(t, box.Wait(t, eve.Email, fromSubject, 1), "change-email")
			require.Equal(t, false, agree(t, p, from).Body["changed"])
			require.Equal(t, ada.User, p.LogIn(t, ada.Email, harness.Password).Text("user_id"))

			// two who want the same address: the second to have it is refused, and stays as it was
			to := newAddress()
			bob := proved(t, p, box)
			askChange(t, eve, to)
			eveFrom, eveTo := tokenOf(t, box.Wait(t, eve.Email, fromSubject, 2), "change-email"), tokenOf(t, box.Wait(t, to, toSubject, 1), "change-email")
			askChange(t, bob, to)
			bobFrom, bobTo := tokenOf(t, box.Wait(t, bob.Email, fromSubject, 1), "change-email"), tokenOf(t, box.Wait(t, to, toSubject, 2), "change-email")
			agree(t, p, eveFrom)
			agree(t, p, bobFrom)
			require.Equal(t, true, agree(t, p, bobTo).Body["changed"])
			harness.RequireCode(t, agree(t, p, eveTo), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
			require.Equal(t, eve.Email, eve.Get(t, "/v1/auth/me").Text("email"))
			require.Equal(t, http.StatusOK, p.LogIn(t, to, harness.Password).Status)
		})
	}
}

func TestAResetLinkToTheFormerAddressIsWorthless(t *testing.T) {
	t.Parallel()
	p, box := startWithMail(t)
	ada, to := p.Register(t), newAddress()
	forgot(t, p, ada.Email)
	token := tokenOf(t, box.Wait(t, ada.Email, resetSubject, 1), "reset-password")
	askChange(t, ada, to)
	first, second := changeTokens(t, box, ada.Email, to, 1)
	agree(t, p, first)
	require.Equal(t, true, agree(t, p, second).Body["changed"])
	harness.RequireCode(t, reset(t, p, token, otherPassword), http.StatusNotFound, "LINK_NOT_FOUND")
	require.Equal(t, http.StatusOK, p.LogIn(t, to, harness.Password).Status)
}

// Whoever sets a password may do it because somebody else knew the former one, or had the mailbox.
func TestLinksFromBeforeANewPasswordAreWorthless(t *testing.T) {
	t.Parallel()
	for name, byReset := range map[string]bool{"a change": false, "a reset": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, box := startWithMail(t)
			ada, to := p.Register(t), newAddress()
			askChange(t, ada, to)
			from, half := changeTokens(t, box, ada.Email, to, 1)
			require.Equal(t, false, agree(t, p, half).Body["changed"])
			forgot(t, p, ada.Email)
			link := tokenOf(t, box.Wait(t, ada.Email, resetSubject, 1), "reset-password")
			if byReset {
				require.Equal(t, http.StatusNoContent, reset(t, p, link, otherPassword).Status)
			} else {
				a := ada.Put(t, "/v1/auth/password", map[string]any{"current_password": harness.Password, "new_password": otherPassword})
				require.Equal(t, http.StatusNoContent, a.Status, a)
				harness.RequireCode(t, reset(t, p, link, harness.Password), http.StatusNotFound, "LINK_NOT_FOUND")
			}
			harness.RequireCode(t, agree(t, p, from), http.StatusNotFound, "LINK_NOT_FOUND")
		})
	}
}
