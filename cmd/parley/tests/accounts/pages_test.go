package accounts

import (
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/testing/browsertest"
)

// says is a script that is true once the page says something, and whether its form is still there.
func says(text string, form bool) string {
	return `document.getElementById("message").textContent.includes(` + strconv.Quote(text) + `) && document.getElementById("form").hidden === ` + strconv.FormatBool(!form)
}

// tokenGone is a script that is true once the token of a link is in the address no more.
const tokenGone = `location.search === "" && !!document.getElementById("form")`

// The pages behind links work in a real browser, and their policy refuses nothing of them.
func TestThePagesOfAnAccountWorkInABrowser(t *testing.T) {
	t.Parallel()
	page := browsertest.Open(t, 390, 844)
	setUpInABrowser(t, page)
	resetInABrowser(t, page)
	verifyInABrowser(t, page)
}

func setUpInABrowser(t *testing.T, page *browsertest.Page) {
	t.Helper()
	p := harness.Start(t, "SIGN_UP=closed")
	require.Eventually(t, func() bool { return len(setUpLinks(t, p)) == 1 }, time.Minute, 20*time.Millisecond, p.Log)
	link := setUpLinks(t, p)[0].String()
	page.Open(t, link, tokenGone)
	page.Do(t, chromedp.SendKeys("#email", "ada@example.com"), chromedp.SendKeys("#workspace", "Navy"), chromedp.SendKeys("#password", harness.Password), chromedp.Click("button"))
	page.Until(t, says("The account is made", false))
	ada := p.Anonymous()
	ada.Take(p.LogIn(t, "ada@example.com", harness.Password))
	require.Equal(t, "Navy", ada.Get(t, "/v1/auth/me").Text("workspace_name"))
	require.Empty(t, page.Complaints())

	// a link that was used, and none
	page.Open(t, link, tokenGone)
	page.Do(t, chromedp.SendKeys("#email", "eve@example.com"), chromedp.SendKeys("#workspace", "Navy"), chromedp.SendKeys("#password", harness.Password), chromedp.Click("button"))
	page.Until(t, says("", false))
	page.Open(t, p.URL+"/account/set-up", says("This page is opened by the link", false))
}

func resetInABrowser(t *testing.T, page *browsertest.Page) {
	t.Helper()
	p, box := startWithMail(t)
	ada := p.Register(t)
	forgot(t, p, ada.Email)
	token := tokenOf(t, box.Wait(t, ada.Email, resetSubject, 1), "reset-password")
	page.Open(t, p.URL+"/account/reset-password?token="+url.QueryEscape(token), tokenGone)
	page.Do(t, chromedp.SendKeys("#password", "password1"), chromedp.Click("button"))
	page.Until(t, `document.getElementById("message").textContent !== "" && !document.getElementById("form").hidden`) // too easy to guess
	page.Do(t, chromedp.SetValue("#password", "staple the right horse"), chromedp.Click("button"))
	page.Until(t, says("The password is set", false))
	harness.RequireCode(t, ada.Get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, http.StatusOK, p.LogIn(t, ada.Email, "staple the right horse").Status)
}

// Who registers in one browser and opens the link in another types the password there.
func verifyInABrowser(t *testing.T, page *browsertest.Page) {
	t.Helper()
	p, box := startRequired(t)
	ada := p.Register(t)
	token := tokenOf(t, box.Wait(t, ada.Email, verifySubject, 1), "verify-email")
	page.Open(t, p.URL+"/account/verify-email?token="+url.QueryEscape(token), tokenGone)
	page.Do(t, chromedp.SendKeys("#password", otherPassword), chromedp.Click("button"))
	page.Until(t, says("not the password of the account", true))
	page.Do(t, chromedp.SetValue("#password", harness.Password), chromedp.Click("button"))
	page.Until(t, says("The address is confirmed", false))
	require.Equal(t, "account", proofOf(t, ada))
}
