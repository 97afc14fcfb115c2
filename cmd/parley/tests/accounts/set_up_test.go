package accounts

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// setUpLinks are the links that a program has logged.
func setUpLinks(t *testing.T, p *harness.Program) (links []*url.URL) {
	t.Helper()
	for _, line := range p.Log.Lines(t) {
		if text, ok := line["link"].(string); ok {
			link, err := url.Parse(text)
			require.NoError(t, err)
			links = append(links, link)
		}
	}
	return links
}

func setUp(t *testing.T, p *harness.Program, token, email string) harness.Answer {
	t.Helper()
	return p.Anonymous().Post(t, "/v1/auth/set-up", map[string]any{"token": token, "email": email, "password": harness.Password, "workspace_name": "Navy"})
}

func TestTheFirstAccountIsMadeByALinkThatTheServerPrints(t *testing.T) {
	t.Parallel()
	first := harness.Start(t, "SIGN_UP=closed", "EMAIL_VERIFICATION=required", "JWT_SECRET="+harness.JWTSecret)
	second := harness.StartOn(t, first.Database, "SIGN_UP=invite", "EMAIL_VERIFICATION=required", "PUBLIC_URL=https://parley.example", "JWT_SECRET="+harness.JWTSecret)
	var tokens []string
	for p, begins := range map[*harness.Program]string{first: first.URL, second: "https://parley.example"} {
		require.Eventually(t, func() bool { return len(setUpLinks(t, p)) == 1 }, time.Minute, 20*time.Millisecond, p.Log)
		links := setUpLinks(t, p)
		require.True(t, strings.HasPrefix(links[0].String(), begins+"/account/set-up?token="), links[0])
		tokens = append(tokens, links[0].Query().Get("token"))
	}
	page, err := http.Get(first.URL + "/account/set-up?token=x")
	require.NoError(t, err)
	require.NoError(t, page.Body.Close())
	require.Equal(t, http.StatusOK, page.StatusCode)

	// bad input uses nothing up
	for _, token := range []string{"set_x", tokens[0] + "A", "lnk_" + strings.TrimPrefix(tokens[0], "set_")} {
		harness.RequireCode(t, setUp(t, first, token, "ada@example.com"), http.StatusNotFound, "LINK_NOT_FOUND")
	}
	harness.RequireWrong(t, setUp(t, first, tokens[0], "no address"), "email")

	// of all links of all processes one makes an account, once
	programs, next := []*harness.Program{first, second}, make(chan int, 8)
	for n := range 8 {
		next <- n
	}
	var made []harness.Answer
	for _, a := range harness.AtOnce(8, func() harness.Answer {
		n := <-next
		return setUp(t, programs[n%2], tokens[n/2%2], "u"+uuid.NewString()+"@example.com")
	}) {
		if a.Status == http.StatusCreated {
			made = append(made, a)
			continue
		}
		harness.RequireCode(t, a, http.StatusNotFound, "LINK_NOT_FOUND")
	}
	require.Len(t, made, 1)
	require.Equal(t, 1, first.Number(t, `SELECT count(*) FROM users`))
	require.Equal(t, 1, first.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'user.set_up'`))
	owner := &harness.Caller{Program: second}
	owner.Take(made[0])
	me := owner.Get(t, "/v1/auth/me")
	require.Equal(t, []any{"owner", "Navy", true}, []any{me.Body["role"], me.Body["workspace_name"], me.Body["email_verified"]})
	owner.Invite(t, "grace@example.com", "viewer")

	again := harness.StartOn(t, first.Database, "SIGN_UP=closed")
	require.Empty(t, setUpLinks(t, again), "there is an account")
}

func TestNoSetUpLinkIsPrintedWherePeopleRegister(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	require.Empty(t, setUpLinks(t, p))
	harness.RequireCode(t, setUp(t, p, "set_x", "ada@example.com"), http.StatusNotFound, "LINK_NOT_FOUND")
}
