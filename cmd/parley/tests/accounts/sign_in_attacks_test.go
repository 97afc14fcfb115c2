package accounts

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func grace() map[string]person {
	return map[string]person{"grace": {"email": "grace@example.com", "email_verified": true}, "eve": {"email": "eve@example.com", "email_verified": true}}
}

func TestASignInIsOfOneBrowserAndComesBackOnce(t *testing.T) {
	t.Parallel()
	corp := startProvider(t, "corp", grace())
	p := startWithProviders(t, setting(t, nil, corp))
	invalid := func(a harness.Answer) {
		t.Helper()
		harness.RequireCode(t, a, http.StatusBadRequest, "OIDC_STATE_INVALID")
		require.Empty(t, a.Header.Get("Location"))
	}
	mine, other := newBrowser(t, p), newBrowser(t, p)
	address := mine.at(t, mine.start(t, "corp"), "grace")
	other.start(t, "corp")
	invalid(other.back(t, address))
	invalid(newBrowser(t, p).back(t, address))
	changed := *address
	query := changed.Query()
	query.Set("state", query.Get("state")+"x")
	changed.RawQuery = query.Encode()
	invalid(mine.back(t, &changed))
	for name, value := range mine.kept { // a cookie that somebody else has made
		forged := newBrowser(t, p)
		forged.kept[name] = "B" + value[1:]
		invalid(forged.back(t, address))
		forged.kept[strings.TrimPrefix(name, "__Host-")] = value // as a neighbor in the domain could set it
		delete(forged.kept, name)
		invalid(forged.back(t, address))
	}
	require.Zero(t, p.Number(t, `SELECT count(*) FROM sign_ins`), "nothing of that has used up the state")

	done := mine.back(t, address)
	require.Equal(t, http.StatusFound, done.Status, done)
	require.NotEmpty(t, location(t, done).Query().Get("code"))
	invalid(mine.back(t, address))
	fresh := mine.at(t, mine.start(t, "corp"), "grace") // a used state with a fresh code of the provider
	query = address.Query()
	query.Set("code", fresh.Query().Get("code"))
	address.RawQuery = query.Encode()
	invalid(mine.back(t, address))
	require.Equal(t, http.StatusOK, mine.exchange(t, location(t, done).Query().Get("code")).Status, "what came back is not lost")
}

func TestSeveralTabsSignInAtOnce(t *testing.T) {
	t.Parallel()
	corp := startProvider(t, "corp", grace())
	p := startWithProviders(t, setting(t, nil, corp))
	b := newBrowser(t, p)
	var addresses []*url.URL
	for range 3 {
		addresses = append(addresses, b.start(t, "corp"))
	}
	for _, address := range addresses {
		require.NotEmpty(t, location(t, b.back(t, b.at(t, address, "grace"))).Query().Get("code"))
	}
	for range 5 {
		b.start(t, "corp")
	}
	require.Len(t, b.kept, 3, "a browser keeps a few")
}

func TestTheCodeOfASignInWorksOnceForWhoHasBegunIt(t *testing.T) {
	t.Parallel()
	corp := startProvider(t, "corp", grace())
	p := startWithProviders(t, setting(t, nil, corp))
	invalid := func(a harness.Answer) {
		t.Helper()
		harness.RequireCode(t, a, http.StatusUnauthorized, "OIDC_CODE_INVALID")
	}
	eve, victim := newBrowser(t, p), newBrowser(t, p)
	victim.start(t, "corp")
	code := eve.code(t, corp, "eve")
	invalid(victim.exchange(t, code)) // who is led to the address with eve's code is not signed in as eve
	invalid(newBrowser(t, p).exchange(t, code))
	invalid(victim.exchange(t, code, "code_verifier", strings.Repeat("a", 43)))
	invalid(eve.exchange(t, "sic_"+strings.Repeat("a", 43)))
	ok := 0
	for _, a := range harness.AtOnce(8, func() harness.Answer { return eve.exchange(t, code) }) {
		if a.Status == http.StatusOK {
			ok++
			continue
		}
		invalid(a)
	}
	require.Equal(t, 1, ok)
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM account_sessions`))
	invalid(eve.exchange(t, code))

	code = eve.code(t, corp, "eve")
	p.SQL(t, `UPDATE sign_ins SET code_ends_at = now() WHERE code_hash IS NOT NULL`)
	invalid(eve.exchange(t, code))
}

func TestAnApplicationBindsASignInToItself(t *testing.T) {
	t.Parallel()
	corp := startProvider(t, "corp", grace())
	p := startWithProviders(t, setting(t, nil, corp))
	verifier := strings.Repeat("v", 43)
	digest := sha256.Sum256([]byte(verifier))
	b := newBrowser(t, p)
	code := b.code(t, corp, "grace", "code_challenge", base64.RawURLEncoding.EncodeToString(digest[:]))
	harness.RequireCode(t, b.exchange(t, code), http.StatusUnauthorized, "OIDC_CODE_INVALID")
	harness.RequireCode(t, b.exchange(t, code, "code_verifier", strings.Repeat("w", 43)), http.StatusUnauthorized, "OIDC_CODE_INVALID")
	require.Equal(t, http.StatusOK, newBrowser(t, p).exchange(t, code, "code_verifier", verifier).Status, "without the cookie, as from another origin")
	harness.RequireWrong(t, b.open(t, "/v1/auth/oidc/corp/start?return_to="+appURL+"&code_challenge=short"), "code_challenge")
}

func TestASignInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	corp := startProvider(t, "corp", grace())
	p := startWithProviders(t, setting(t, nil, corp))
	b := newBrowser(t, p)
	for _, bad := range []string{
		"https://evil.example", "//evil.example", "/app", appURL + ".evil.example", appURL + "@evil.example", "https://evil.example/?x=" + appURL, `https:\\evil.example`,
		appURL + "/#x", "javascript:alert(1)", "http://app.example", strings.Repeat(appURL, 60),
	} {
		a := b.open(t, "/v1/auth/oidc/corp/start?return_to="+url.QueryEscape(bad))
		harness.RequireWrong(t, a, "return_to")
		require.Empty(t, a.Header.Get("Location"), bad)
		require.Empty(t, a.Header.Get("Set-Cookie"))
	}
	harness.RequireWrong(t, b.open(t, "/v1/auth/oidc/corp/start"), "return_to")
	harness.RequireCode(t, b.open(t, "/v1/auth/oidc/other/start?return_to="+appURL), http.StatusNotFound, "OIDC_PROVIDER_NOT_FOUND")
	require.Equal(t, http.StatusFound, b.open(t, "/v1/auth/oidc/corp/start?return_to="+publicURL+"/docs").Status)
}

func TestTwoProvidersAreNotMixedUp(t *testing.T) {
	t.Parallel()
	corp, evil := startProvider(t, "corp", grace()), startProvider(t, "evil", grace())
	p := startWithProviders(t, setting(t, nil, corp, evil))
	failed := func(a harness.Answer) {
		t.Helper()
		require.Equal(t, http.StatusFound, a.Status, a)
		require.Equal(t, appURL+"/signed-in?error=OIDC_SIGN_IN_FAILED&tab=1", a.Header.Get("Location"))
	}
	b := newBrowser(t, p)
	answer := b.at(t, b.start(t, "corp"), "grace")
	moved := *answer
	moved.Path = strings.Replace(moved.Path, "/corp/", "/evil/", 1)
	harness.RequireCode(t, b.back(t, &moved), http.StatusBadRequest, "OIDC_STATE_INVALID")
	query := answer.Query()
	query.Set("iss", evil.Issuer) // the person was sent to corp, and evil says that it answers
	answer.RawQuery = query.Encode()
	failed(b.back(t, answer))

	answer = b.at(t, b.start(t, "corp"), "grace")
	query = answer.Query()
	query.Del("iss")
	answer.RawQuery = query.Encode()
	failed(b.back(t, answer))

	// the code of one sign-in in another: nonce and PKCE differ
	first, second := b.at(t, b.start(t, "corp"), "eve"), b.at(t, b.start(t, "corp"), "grace")
	query = second.Query()
	query.Set("code", first.Query().Get("code"))
	second.RawQuery = query.Encode()
	failed(b.back(t, second))

	// the same subject of two providers is two people
	_, one := signIn(t, p, corp, "grace")
	require.Equal(t, http.StatusOK, one.Status, one)
	evil.change(t, "grace", person{"email": "somebody@example.com", "email_verified": true})
	_, two := signIn(t, p, evil, "grace")
	require.Equal(t, http.StatusOK, two.Status, two)
	require.NotEqual(t, one.Text("user_id"), two.Text("user_id"))
}

func TestAProviderThatIsAwayIsAnswered503(t *testing.T) {
	t.Parallel()
	away := &provider{ID: "away", Issuer: "http://" + harness.FreeAddress(t), Secret: "x"}
	p := startWithProviders(t, setting(t, nil, away))
	for range 7 {
		a := newBrowser(t, p).open(t, "/v1/auth/oidc/away/start?return_to="+appURL)
		harness.RequireCode(t, a, http.StatusServiceUnavailable, "OIDC_PROVIDER_UNAVAILABLE")
		require.NotEmpty(t, a.Header.Get("Retry-After"))
	}
	require.Len(t, p.Anonymous().Get(t, "/v1/auth/oidc").Items(), 1)
	require.Equal(t, http.StatusOK, p.LogIn(t, p.Register(t).Email, harness.Password).Status, "passwords work")
}

func TestSignInsAreRemovedAfterTheirTime(t *testing.T) {
	t.Parallel()
	p := startWithProviders(t, setting(t, nil, &provider{ID: "away", Issuer: "http://127.0.0.1:9", Secret: "x"}))
	p.SQL(t, `INSERT INTO sign_ins (state_hash, expires_at) VALUES (sha256('old'), now() - interval '1 second'), (sha256('new'), now() + interval '1 hour')`)
	p.Number(t, `SELECT app.expire_sign_ins(10)`) // or the task has done it
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM sign_ins WHERE state_hash = sha256('new')`))
}
