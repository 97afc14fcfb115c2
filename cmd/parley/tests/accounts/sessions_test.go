package accounts

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// sameTime makes n calls at once.
func sameTime(n int, call func(i int) harness.Answer) []harness.Answer {
	answers := make([]harness.Answer, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { answers[i] = call(i) })
	}
	wg.Wait()
	return answers
}

// resign makes a token out of a good one, changed and signed with a key of the forger's choice.
func resign(t *testing.T, token, key string, with func() hash.Hash, change func(head, claims map[string]any)) string {
	t.Helper()
	head, claims := harness.Opened(t, token)
	if change != nil {
		change(head, claims)
	}
	var parts []string
	for _, part := range []map[string]any{head, claims} {
		for name, value := range maps.Clone(part) {
			if value == nil {
				delete(part, name)
			}
		}
		raw, err := json.Marshal(part)
		require.NoError(t, err)
		parts = append(parts, base64.RawURLEncoding.EncodeToString(raw))
	}
	text := strings.Join(parts, ".")
	mac := hmac.New(with, []byte(key))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestARefreshTokenIsGoodForOneChange(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	first, id := ada.Refresh, ada.Session(t)
	a := ada.Spend(t, first)
	require.Equal(t, http.StatusOK, a.Status, a)
	ada.Take(a)
	require.NotEqual(t, first, ada.Refresh)
	require.Equal(t, id, ada.Session(t), "it is the same session")
	ada.RequireAlive(t, "the new access token")

	again := ada.Spend(t, first)
	require.Equal(t, http.StatusOK, again.Status, "the answer was lost: the same token may be sent again for a moment: %s", again)
	require.Equal(t, ada.Refresh, again.Text("refresh_token"))
	require.Equal(t, 2, p.Number(t, `SELECT generation FROM sessions`), "nothing moved")
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'session.refresh'`))
}

func TestTwentyTabsThatRefreshAtOnceAllStaySignedIn(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	tokens := map[string]bool{}
	for _, a := range sameTime(20, func(int) harness.Answer { return ada.Spend(t, ada.Refresh) }) {
		require.Equal(t, http.StatusOK, a.Status, a)
		tokens[a.Text("refresh_token")] = true
		tab := &harness.Caller{Program: p, Token: a.Text("access_token")}
		tab.RequireAlive(t, "every tab's access token")
	}
	require.Len(t, tokens, 1, "one refresh token for all")
	require.Equal(t, 2, p.Number(t, `SELECT generation FROM sessions`))
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'session.refresh'`))
}

func TestASpentTokenAfterGraceEndsTheSessionForGood(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	phone := ada.Another(t)
	parent, stolen := ada.Refresh, ada.Session(t)
	ada.Take(ada.Spend(t, parent))
	p.SQL(t, `UPDATE sessions SET rotated_at = rotated_at - interval '11 s',
		retirements = ARRAY(SELECT r - interval '11 s' FROM unnest(retirements) r) WHERE id = $1`, stolen)

	harness.RequireCode(t, ada.Spend(t, parent), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM sessions WHERE id = $1 AND revoked_at IS NOT NULL`, stolen), "committed, although the answer was a refusal")
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'session.revoke_stolen' AND resource_id = $1 AND workspace_id = $2`, stolen, ada.Workspace))
	ada.RequireEnded(t, "the newest token of a stolen session")
	phone.RequireAlive(t, "another session of the same user")
	require.Equal(t, http.StatusOK, phone.Spend(t, phone.Refresh).Status)
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'session.revoke_stolen'`), "audited once")
}

func TestEveryGenerationHasItsOwnGrace(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	first := ada.Refresh
	second := ada.Spend(t, first).Text("refresh_token")
	third := ada.Spend(t, second).Text("refresh_token")
	late := ada.Spend(t, first)
	require.Equal(t, http.StatusOK, late.Status, "two rotations within the grace make no thief of a late tab: %s", late)
	require.Equal(t, third, late.Text("refresh_token"))

	p.SQL(t, `UPDATE sessions SET retirements[1] = retirements[1] - interval '11 s'`)
	require.Equal(t, third, ada.Spend(t, second).Text("refresh_token"), "the second is still within its own")
	harness.RequireCode(t, ada.Spend(t, first), http.StatusUnauthorized, "UNAUTHORIZED")
	harness.RequireCode(t, ada.Spend(t, third), http.StatusUnauthorized, "UNAUTHORIZED")
}

// forgedTokens are what an attacker may try with a token of the user's own; each is refused.
func forgedTokens(t *testing.T, good, other string) map[string]string {
	t.Helper()
	signed := func(change func(head, claims map[string]any)) string {
		return resign(t, good, harness.JWTSecret, sha256.New, change)
	}
	claim := func(name string, value any) string {
		return signed(func(_, c map[string]any) { c[name] = value })
	}
	head := func(name string, value any) string {
		return signed(func(h, _ map[string]any) { h[name] = value })
	}
	parts := strings.Split(good, ".")
	none := signed(func(h, _ map[string]any) { h["alg"] = "none" })
	now := time.Now().Unix()
	forged := map[string]string{
		"signature cut":            good[:len(good)-4],
		"signature removed":        parts[0] + "." + parts[1] + ".",
		"two parts":                parts[0] + "." + parts[1],
		"four parts":               good + "." + parts[2],
		"claims of another":        parts[0] + "." + strings.Split(other, ".")[1] + "." + parts[2],
		"alg none":                 none[:strings.LastIndex(none, ".")+1],
		"alg none, signed":         none,
		"alg None, signed":         head("alg", "None"),
		"another algorithm":        resign(t, good, harness.JWTSecret, sha512.New, func(h, _ map[string]any) { h["alg"] = "HS512" }),
		"another secret":           resign(t, good, "another secret, of which there are many", sha256.New, nil),
		"an empty secret":          resign(t, good, "", sha256.New, nil),
		"a kid that is none":       head("kid", "0000000000000000"),
		"no kid":                   head("kid", nil),
		"its own key":              head("jwk", map[string]any{"kty": "oct", "k": "AAAA"}) + "x",
		"a crit that nobody knows": head("crit", []string{"exp"}),
		"no typ":                   head("typ", nil),
		"typ JWT":                  head("typ", "JWT"),
		"the other kind":           other,
		"expired":                  signed(func(_, c map[string]any) { c["iat"], c["exp"] = now-900, now-1 }),
		"not good yet":             claim("nbf", now+120),
		"from the future":          claim("iat", now+60),
		"another issuer":           claim("iss", "evil"),
		"another audience":         claim("aud", []string{"evil"}),
		"an exp that is a text":    claim("exp", "tomorrow"),
		"a session that is none":   claim("sid", uuid.NewString()),
		"a sid that is no id":      claim("sid", "1"),
	}
	for _, name := range []string{"iss", "aud", "sub", "sid", "iat", "exp"} {
		forged["no "+name] = claim(name, nil)
	}
	return forged
}

func TestNoForgedAccessTokenGetsInOverHTTP(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "JWT_SECRET="+harness.JWTSecret)
	ada, eve := p.Register(t), p.Register(t)
	joined := p.Register(t).Workspace
	ada.Joins(t, joined)
	forged := forgedTokens(t, ada.Token, ada.Refresh)
	for name, change := range map[string]func(c map[string]any){
		"a life of more than a day":             func(c map[string]any) { c["exp"] = time.Now().Add(25 * time.Hour).Unix() },
		"no workspace":                          func(c map[string]any) { c["workspace_id"] = nil },
		"a workspace that is no id":             func(c map[string]any) { c["workspace_id"] = 7 },
		"the workspace of another":              func(c map[string]any) { c["workspace_id"] = eve.Workspace },
		"another workspace of the same user":    func(c map[string]any) { c["workspace_id"] = joined },
		"the session of another":                func(c map[string]any) { c["sid"] = eve.Session(t) },
		"another user in the session":           func(c map[string]any) { c["sub"] = eve.User },
		"the zero user in the session":          func(c map[string]any) { c["sub"] = uuid.Nil.String() },
		"the zero session, which is not looked": func(c map[string]any) { c["sid"] = uuid.Nil.String() },
	} {
		forged[name] = resign(t, ada.Token, harness.JWTSecret, sha256.New, func(_, c map[string]any) { change(c) })
	}
	for name, token := range forged {
		a := (&harness.Caller{Program: p, Token: token}).Get(t, "/v1/auth/me")
		require.Equal(t, http.StatusUnauthorized, a.Status, "%s: %s", name, a)
		harness.RequireCode(t, a, http.StatusUnauthorized, "UNAUTHORIZED")
	}
	harness.RequireCode(t, ada.Get(t, "/v1/auth/me", harness.Header{Name: "X-Workspace-Id", Value: eve.Workspace}), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/auth/me", harness.Header{Name: "X-Workspace-Id", Value: joined}).Status)
	for name, change := range map[string]func(h, c map[string]any){
		"the tool of this test makes good tokens": nil,
		"an iat of a clock that is ahead":         func(_, c map[string]any) { c["iat"] = time.Now().Unix() + 15 },
	} {
		token := resign(t, ada.Token, harness.JWTSecret, sha256.New, change)
		(&harness.Caller{Program: p, Token: token}).RequireAlive(t, name)
	}
}

func TestNoForgedRefreshTokenTouchesItsSession(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "JWT_SECRET="+harness.JWTSecret)
	ada, eve := p.Register(t), p.Register(t)
	joined := p.Register(t).Workspace
	ada.Joins(t, joined)
	forged := forgedTokens(t, ada.Refresh, ada.Token)
	for name, change := range map[string]func(c map[string]any){
		"the workspace of another":           func(c map[string]any) { c["workspace_id"] = eve.Workspace },
		"another workspace of the same user": func(c map[string]any) { c["workspace_id"] = joined },
		"a workspace that there is not":      func(c map[string]any) { c["workspace_id"] = uuid.NewString() },
		"the zero workspace":                 func(c map[string]any) { c["workspace_id"] = uuid.Nil.String() },
		"a workspace that is no id":          func(c map[string]any) { c["workspace_id"] = 7 },
		"another user in the session":        func(c map[string]any) { c["sub"] = eve.User },
		"the session of another":             func(c map[string]any) { c["sid"] = eve.Session(t) },
	} {
		forged[name] = resign(t, ada.Refresh, harness.JWTSecret, sha256.New, func(_, c map[string]any) { change(c) })
	}
	forged["no gen"] = resign(t, ada.Refresh, harness.JWTSecret, sha256.New, func(_, c map[string]any) { c["gen"] = nil })
	forged["a gen that is a text"] = resign(t, ada.Refresh, harness.JWTSecret, sha256.New, func(_, c map[string]any) { c["gen"] = "1" })
	forged["nothing"] = " "
	forged["no token"] = "null"
	for name, token := range forged {
		a := ada.Spend(t, token)
		require.Equal(t, http.StatusUnauthorized, a.Status, "%s: %s", name, a)
		harness.RequireCode(t, a, http.StatusUnauthorized, "UNAUTHORIZED")
	}
	require.Equal(t, 3, p.Number(t, `SELECT count(*) FROM sessions WHERE revoked_at IS NULL AND generation = 1`), "no forgery ended or moved any")
	require.Equal(t, http.StatusOK, ada.Spend(t, ada.Refresh).Status)
}

// A process of the release before signs refresh tokens that do not name the workspace, of a generation that the row does not know
// as one that does.
func TestARefreshTokenOfTheReleaseBeforeIsGoodAndGivenAgainAsItWas(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "JWT_SECRET="+harness.JWTSecret)
	ada := p.Register(t)
	names := func(token string) bool {
		_, claims := harness.Opened(t, token)
		return claims["workspace_id"] == ada.Workspace
	}
	require.True(t, names(ada.Refresh))
	without := func(token string) string {
		return resign(t, token, harness.JWTSecret, sha256.New, func(_, c map[string]any) { c["workspace_id"] = nil })
	}
	spent := ada.Refresh
	ada.Take(ada.Spend(t, spent))
	require.True(t, names(ada.Refresh))
	p.SQL(t, `UPDATE sessions SET workspace_token_generation = 1`) // as if the release before had made the second
	given := ada.Spend(t, spent).Text("refresh_token")
	require.False(t, names(given))
	require.Equal(t, given, ada.Spend(t, spent).Text("refresh_token"), "each time the same")
	require.Equal(t, 2, p.Number(t, `SELECT generation FROM sessions`), "nothing moved")

	next := ada.Spend(t, without(ada.Refresh))
	require.Equal(t, http.StatusOK, next.Status, next)
	require.True(t, names(next.Text("refresh_token")), "the next names it")
	require.Equal(t, next.Text("refresh_token"), ada.Spend(t, ada.Refresh).Text("refresh_token"), "which form is spent does not matter")

	p.SQL(t, `UPDATE sessions SET retirements = '{}'`)
	harness.RequireCode(t, ada.Spend(t, without(ada.Refresh)), http.StatusUnauthorized, "UNAUTHORIZED")
	harness.RequireCode(t, ada.Spend(t, next.Text("refresh_token")), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'session.revoke_stolen'`), "theft is noticed in either form")
}

func TestTheSecretCanBeChangedWhileTokensAreAbout(t *testing.T) {
	t.Parallel()
	const second = "the secret that comes after the first one"
	database := harness.Postgres.URL(t)
	before := harness.StartOn(t, database, "JWT_SECRET="+harness.JWTSecret)
	ada := before.Register(t)
	idle := before.Register(t)
	oldKey, _ := harness.Opened(t, ada.Token)
	on := func(p *harness.Program, c *harness.Caller) *harness.Caller {
		return &harness.Caller{Program: p, Token: c.Token, Refresh: c.Refresh}
	}

	during := harness.StartOn(t, database, "JWT_SECRET="+second, "JWT_PREVIOUS_SECRETS="+harness.JWTSecret)
	moved := on(during, ada)
	moved.RequireAlive(t, "an access token of the old secret")
	a := moved.Spend(t, ada.Refresh)
	require.Equal(t, http.StatusOK, a.Status, "a refresh token of the old secret: %s", a)
	moved.Take(a)
	for _, token := range []string{moved.Token, moved.Refresh} {
		head, _ := harness.Opened(t, token)
		require.NotEqual(t, oldKey["kid"], head["kid"], "what is new is signed by the new secret")
	}
	require.Equal(t, moved.Refresh, moved.Spend(t, ada.Refresh).Text("refresh_token"), "the grace holds over the change")

	verifyOnly := harness.StartOn(t, database, "JWT_SECRET="+harness.JWTSecret, "JWT_PREVIOUS_SECRETS="+second)
	on(verifyOnly, moved).RequireAlive(t, "a process that has the new secret to verify only")

	after := harness.StartOn(t, database, "JWT_SECRET="+second)
	harness.RequireCode(t, on(after, idle).Get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	harness.RequireCode(t, on(after, idle).Spend(t, idle.Refresh), http.StatusUnauthorized, "UNAUTHORIZED")
	harness.RequireCode(t, on(after, idle).Spend(t, ada.Refresh), http.StatusUnauthorized, "UNAUTHORIZED")
	on(after, moved).RequireAlive(t, "what was refreshed meanwhile")
	require.Equal(t, http.StatusOK, on(after, moved).Spend(t, moved.Refresh).Status)
	idle.RequireAlive(t, "a token of the dropped secret ended no session")
}

func TestASessionEndsWhenItIsNotUsedAndWhenItIsOld(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	for _, column := range []string{"idle_expires_at", "expires_at"} {
		c := ada.Another(t)
		p.SQL(t, `UPDATE sessions SET `+column+` = now() - interval '1 s' WHERE id = $1`, c.Session(t))
		c.RequireEnded(t, column)
	}
	require.Len(t, ada.Get(t, "/v1/auth/sessions").Items(), 1, "what has expired is not listed")

	c := ada.Another(t)
	p.SQL(t, `UPDATE sessions SET expires_at = now() + interval '1 h' WHERE id = $1`, c.Session(t))
	require.Equal(t, http.StatusOK, c.Spend(t, c.Refresh).Status)
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM sessions WHERE id = $1 AND idle_expires_at = expires_at`, c.Session(t)), "no refresh carries it over its end")
	require.Equal(t, 60, p.Number(t, `SELECT extract(day FROM expires_at - created_at)::int FROM sessions WHERE id = $1`, ada.Session(t)))
	require.Equal(t, 14, p.Number(t, `SELECT extract(day FROM idle_expires_at - rotated_at)::int FROM sessions WHERE id = $1`, ada.Session(t)))
}

func TestLogOutEndsThisSessionWhereverItIsSaid(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	phone := ada.Another(t)
	require.Equal(t, http.StatusNoContent, ada.Post(t, "/v1/auth/logout", nil).Status)
	ada.RequireEnded(t, "logged out")
	phone.RequireAlive(t, "the phone")

	phone.Joins(t, eve.Workspace) // a session of one workspace that works in another
	a := phone.Post(t, "/v1/auth/logout", nil, harness.Header{Name: "X-Workspace-Id", Value: eve.Workspace})
	require.Equal(t, http.StatusNoContent, a.Status, a)
	phone.RequireEnded(t, "logged out in another workspace")
	harness.RequireCode(t, eve.Post(t, "/v1/auth/logout", nil, harness.Header{Name: "X-Workspace-Id", Value: ada.Workspace}), http.StatusForbidden, "FORBIDDEN")
	eve.RequireAlive(t, "a forbidden workspace ends nothing")
}

func TestLogOutAtOnceFromTwoTabsIsNoSurprise(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	for _, a := range sameTime(6, func(int) harness.Answer { return ada.Post(t, "/v1/auth/logout", nil) }) {
		require.Contains(t, []int{http.StatusNoContent, http.StatusUnauthorized}, a.Status, a)
	}
	ada.RequireEnded(t, "logged out")
}

func TestLogOutAllEndsTheOthersInEveryWorkspace(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	phone := ada.Another(t)
	ada.Joins(t, eve.Workspace)
	abroad := ada.Another(t)
	require.Equal(t, eve.Workspace, abroad.Workspace)

	a := ada.Post(t, "/v1/auth/logout-all", nil)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.EqualValues(t, 2, a.At("ended"))
	phone.RequireEnded(t, "logout-all")
	abroad.RequireEnded(t, "logout-all, in another workspace")
	ada.RequireAlive(t, "the session that made the call")
	eve.RequireAlive(t, "another user's")
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'session.close_others' AND workspace_id = $1 AND changes = '{"ended": 2}'`, ada.Workspace))
	require.EqualValues(t, 0, ada.Post(t, "/v1/auth/logout-all", nil).At("ended"))
}

func TestOnlyOnesOwnSessionsCanBeEnded(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	phone := ada.Another(t)
	eve.Joins(t, ada.Workspace)
	colleague := eve.Another(t)
	require.Equal(t, ada.Workspace, colleague.Workspace)

	end := func(id string) harness.Answer { return ada.Call(t, http.MethodDelete, "/v1/auth/sessions/"+id, nil) }
	unknown := end(uuid.NewString())
	harness.RequireCode(t, unknown, http.StatusNotFound, "NOT_FOUND")
	for name, id := range map[string]string{"another user's in this workspace": colleague.Session(t), "another workspace's": eve.Session(t)} {
		a := end(id)
		harness.RequireCode(t, a, http.StatusNotFound, "NOT_FOUND")
		require.Equal(t, unknown.Text("message"), a.Text("message"), name)
		require.Equal(t, unknown.At("details"), a.At("details"), name)
	}
	colleague.RequireAlive(t, "a colleague's session")
	eve.RequireAlive(t, "a stranger's session")

	require.Equal(t, http.StatusNoContent, end(phone.Session(t)).Status)
	phone.RequireEnded(t, "it was ended")
	require.Equal(t, unknown.Text("message"), end(phone.Session(t)).Text("message"), "what has ended is there no more")
	require.Equal(t, http.StatusNoContent, end(ada.Session(t)).Status, "one's own")
	ada.RequireEnded(t, "it was ended by itself")
}

func TestTheListHasMyLivingSessionsEachOnce(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	eve.Joins(t, ada.Workspace)
	eve.Another(t)
	gone := ada.Another(t)
	require.Equal(t, http.StatusNoContent, gone.Post(t, "/v1/auth/logout", nil).Status)
	want := map[string]bool{ada.Session(t): true}
	for range 3 {
		want[ada.Another(t).Session(t)] = false
	}
	read := func() (ids []string) {
		path := "/v1/auth/sessions?limit=2"
		for {
			a := ada.Get(t, path)
			require.Equal(t, http.StatusOK, a.Status, a)
			for _, s := range a.Items() {
				id := s["id"].(string)
				current, mine := want[id]
				require.True(t, mine, "a session that is not to be seen: %v", s)
				require.Equal(t, current, s["current"])
				require.Equal(t, "127.0.0.1", s["ip"])
				ids = append(ids, id)
			}
			if a.At("has_more") != true {
				return ids
			}
			path = "/v1/auth/sessions?limit=2&cursor=" + a.Text("next_cursor")
		}
	}
	ids := read()
	require.Len(t, ids, 4)
	require.Equal(t, ada.Session(t), ids[3], "newest first")
	p.SQL(t, `UPDATE sessions SET created_at = '2026-01-01'`)
	same := map[string]bool{}
	for _, id := range read() {
		same[id] = true
	}
	require.Len(t, same, 4, "equal times skip none and repeat none")
}

func TestAPasswordChangeEndsTheOtherSessionsAndTheOldPassword(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	phone := ada.Another(t)
	const next = "staple the right horse"
	change := func(current, wanted string, headers ...harness.Header) harness.Answer {
		return ada.Put(t, "/v1/auth/password", map[string]any{"current_password": current, "new_password": wanted}, headers...)
	}
	harness.RequireCode(t, change("wrong horse battery", next), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	for name, bad := range map[string]string{"common": "password1", "common in capitals": "PASSWORD1", "made of the address": ada.Email, "of the workspace": "AcmeAcme", "short": "seven77", "long": strings.Repeat("x", 129)} {
		a := change(harness.Password, bad)
		harness.RequireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
		wrong := a.At("details.errors").([]any)
		require.Len(t, wrong, 1, name)
		require.Equal(t, "new_password", wrong[0].(map[string]any)["field"], name)
	}
	phone.RequireAlive(t, "refused changes end nothing")
	require.Zero(t, p.Number(t, `SELECT count(*) FROM operations`), "and leave no claim")

	op := harness.Operation(uuid.NewString())
	require.Equal(t, http.StatusNoContent, change(harness.Password, next, op).Status)
	again := change(harness.Password, next, op)
	require.Equal(t, http.StatusNoContent, again.Status, "sent again it is done, although its current password is the old one: %s", again)
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))
	harness.RequireCode(t, change(harness.Password, next+"!", op), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'user.change_password'`))

	phone.RequireEnded(t, "the password was changed")
	ada.RequireAlive(t, "the one that changed it")
	eve.RequireAlive(t, "another user's")
	_, old := ada.LogIn(t, harness.Password)
	harness.RequireCode(t, old, http.StatusUnauthorized, "INVALID_CREDENTIALS")
	_, good := ada.LogIn(t, next)
	require.Equal(t, http.StatusOK, good.Status, good)
}

func TestNoSessionOfTheOldPasswordSurvivesItsChange(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "EMAIL_VERIFICATION=off")
	const next = "staple the right horse"
	for _, first := range []string{"login", "change"} {
		ada := p.Register(t)
		waiting, release := ada.HoldUser(t)
		results := map[string]chan harness.Answer{"login": make(chan harness.Answer, 1), "change": make(chan harness.Answer, 1)}
		calls := map[string]func(){
			"login": func() {
				_, a := ada.LogIn(t, harness.Password)
				results["login"] <- a
			},
			"change": func() {
				results["change"] <- ada.Put(t, "/v1/auth/password", map[string]any{"current_password": harness.Password, "new_password": next})
			},
		}
		second := map[string]string{"login": "change", "change": "login"}[first]
		go calls[first]()
		waiting(1)
		go calls[second]()
		waiting(2)
		release()
		changed, login := <-results["change"], <-results["login"]
		require.Equal(t, http.StatusNoContent, changed.Status, changed)
		if first == "change" {
			harness.RequireCode(t, login, http.StatusUnauthorized, "INVALID_CREDENTIALS")
		} else {
			require.Equal(t, http.StatusOK, login.Status, login)
			(&harness.Caller{Program: p, Token: login.Text("access_token"), Refresh: login.Text("refresh_token")}).RequireEnded(t, "it was opened with the old password")
		}
		require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM sessions WHERE user_id = $1 AND revoked_at IS NULL`, ada.User), "%s first", first)
	}
}

func TestPasswordsThatAreEasyToGuessAreRefused(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	for _, weak := range []string{
		"password", "12345678", "PassWord1", "Password1!", "qwertyuiop", "iloveyou1", "aaaaaaaa", "яяяяяяяя", "zofia.kowalewska", "ZofiaKowalewska", "hydroplatforma1",
	} {
		email := "zofia.kowalewska@example.com"
		harness.RequireWrong(t, p.Anonymous().Post(t, "/v1/auth/register", map[string]any{"email": email, "password": weak, "workspace_name": "Hydroplatforma"}), "password")
	}
	require.Zero(t, p.Number(t, `SELECT count(*) FROM users WHERE email LIKE 'zofia%'`))
	_, token := ada.Invite(t, "zofia.kowalewska@example.com", "viewer")
	for _, weak := range []string{"Password1!", "zofia.kowalewska", "AcmeAcme"} {
		harness.RequireWrong(t, p.Accept(t, token, weak), "password")
	}
	require.Equal(t, http.StatusOK, p.Accept(t, token, harness.Password).Status)
	harness.RequireWrong(t, p.Anonymous().Post(t, "/v1/auth/register", map[string]any{"email": "<ada@x>", "password": "aaaaaaaa", "workspace_name": " "}),
		"email", "password", "workspace_name")
}

func TestAPasswordMayBeTypedInEitherNormalForm(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	const composed, decomposed = "caf\u00e9 correct horse", "cafe\u0301 correct horse"
	ada := &harness.Caller{Program: p, Email: uuid.NewString() + "@example.com"}
	a := ada.Post(t, "/v1/auth/register", map[string]any{"email": ada.Email, "password": decomposed, "workspace_name": "Acme"})
	require.Equal(t, http.StatusCreated, a.Status, a)
	for _, typed := range []string{composed, decomposed} {
		_, a := ada.LogIn(t, typed)
		require.Equal(t, http.StatusOK, a.Status, "%q: %s", typed, a)
	}
	old, err := argon2id.CreateHash(decomposed, argon2id.DefaultParams) // as it was hashed before passwords were normalised
	require.NoError(t, err)
	p.SQL(t, `UPDATE users SET password_hash = $1`, old)
	_, a = ada.LogIn(t, composed)
	harness.RequireCode(t, a, http.StatusUnauthorized, "INVALID_CREDENTIALS")
	_, a = ada.LogIn(t, decomposed)
	require.Equal(t, http.StatusOK, a.Status, a)
	_, a = ada.LogIn(t, composed)
	require.Equal(t, http.StatusOK, a.Status, "its hash had other parameters, so it was made anew, of the normal form: %s", a)
}

func TestAccountsOlderThanTheCanonicalAddressLogInAsTheyAre(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	register := func(email string) harness.Answer {
		return p.Anonymous().Post(t, "/v1/auth/register", map[string]any{"email": email, "password": harness.Password, "workspace_name": "Acme"})
	}
	logIn := func(email string) harness.Answer {
		return p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": email, "password": harness.Password})
	}
	ada := p.Register(t)
	for _, twin := range []string{"<%s>", "%s.", "%s\u200b", "%s(comment)", "\u202e%s", `"x"%s`, "x\u2066%s"} {
		harness.RequireWrong(t, register(fmt.Sprintf(twin, ada.Email)), "email")
	}
	one := register("zoë@пример.рф")
	require.Equal(t, http.StatusCreated, one.Status, one)
	harness.RequireCode(t, register("ZOE\u0308@xn--e1afmkfd.xn--p1ai"), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
	for _, spelling := range []string{"zoë@пример.рф", "zoe\u0308@ПРИМЕР.рф", "zoë@xn--e1afmkfd.xn--p1ai"} {
		a := logIn(spelling)
		require.Equal(t, http.StatusOK, a.Status, "%q: %s", spelling, a)
		require.Equal(t, one.Text("user_id"), a.Text("user_id"))
	}
	for _, old := range []string{"<ada@x>", "ada@x.", "ada@x\u200b", "x@y(comment)", `"ada"@x`, "grace@пример.рф"} {
		bob := p.Register(t)
		p.SQL(t, `UPDATE users SET email = $1 WHERE id = $2`, old, bob.User)
		a := logIn(" " + strings.ToUpper(old))
		require.Equal(t, http.StatusOK, a.Status, "%q: %s", old, a)
		require.Equal(t, bob.User, a.Text("user_id"), old)
	}
	for _, spelling := range []string{"grace@пример.рф", "grace@xn--e1afmkfd.xn--p1ai"} {
		harness.RequireCode(t, register(spelling), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
		_, token := ada.Invite(t, spelling, "viewer")
		harness.RequireCode(t, p.Accept(t, token, "staple the right horse"), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	}
	_, token := ada.Invite(t, "grace@пример.рф", "viewer")
	in := p.Accept(t, token, harness.Password)
	require.Equal(t, http.StatusOK, in.Status, "the account that there is joins: %s", in)
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM users WHERE email LIKE 'grace@%'`))
	_, token = ada.Invite(t, "grace@example.com", "viewer")
	p.SQL(t, `UPDATE invitations SET email = '<grace@example.com>' WHERE accepted_at IS NULL AND revoked_at IS NULL`)
	harness.RequireCode(t, p.Accept(t, token, harness.Password), http.StatusNotFound, "INVITATION_NOT_FOUND")
}

func TestARemovedMemberIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	there := harness.Header{Name: "X-Workspace-Id", Value: eve.Workspace}
	ada.Joins(t, eve.Workspace)
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/bots", there).Status)
	abroad := ada.Another(t)
	p.SQL(t, `DELETE FROM workspace_members WHERE workspace_id = $1 AND user_id = $2`, eve.Workspace, ada.User)
	harness.RequireCode(t, ada.Get(t, "/v1/bots", there), http.StatusForbidden, "FORBIDDEN")
	harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "x"}, there), http.StatusForbidden, "FORBIDDEN")
	ada.RequireAlive(t, "at home")
	abroad.RequireEnded(t, "the session of the workspace that it was removed from")
}

func TestAHashOfThePastIsRenewedByTheRightPasswordOnly(t *testing.T) {
	t.Parallel()
	p := harness.StartAtFullCost(t, "EMAIL_VERIFICATION=off")
	ada := p.Register(t)
	weak, err := argon2id.CreateHash(harness.Password, &argon2id.Params{Memory: 8 * 1024, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	require.NoError(t, err)
	p.SQL(t, `UPDATE users SET password_hash = $1`, weak)
	stored := func() (hash string) {
		require.NoError(t, harness.Postgres.Superuser(t, p.Database).QueryRow(t.Context(), `SELECT password_hash FROM users`).Scan(&hash))
		return hash
	}
	_, a := ada.LogIn(t, "wrong horse battery")
	harness.RequireCode(t, a, http.StatusUnauthorized, "INVALID_CREDENTIALS")
	require.Equal(t, weak, stored())
	ada.Another(t)
	renewed := stored()
	require.Contains(t, renewed, "$argon2id$v=19$m=19456,t=2,p=1$")
	ada.Another(t)
	require.Equal(t, renewed, stored(), "renewed once")

	p.SQL(t, `UPDATE users SET password_hash = $1`, weak)
	waiting, release := ada.HoldUser(t)
	answers := make(chan harness.Answer, 2)
	for i := range 2 {
		go func() {
			_, a := ada.LogIn(t, harness.Password)
			answers <- a
		}()
		waiting(i + 1)
	}
	release()
	for range 2 {
		a := <-answers
		require.Equal(t, http.StatusOK, a.Status, "two log-ins at once with the right password: %s", a)
	}
}

func TestWrongPasswordsSlowTheNextOneDownKnownAddressOrNot(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	for _, c := range []*harness.Caller{ada, {Program: p, Email: "nobody@example.com"}} {
		var wants []int
		for n := range 14 {
			_, a := c.LogIn(t, "wrong horse battery")
			harness.RequireCode(t, a, http.StatusUnauthorized, "INVALID_CREDENTIALS")
			failures, wait := p.Attempts(t)
			require.Equal(t, n+1, failures)
			wants = append(wants, wait)
			if wait == 0 {
				continue
			}
			if n == 7 {
				for _, pass := range []string{"wrong horse battery", harness.Password} { // the right one too
					_, blocked := c.LogIn(t, pass)
					harness.RequireCode(t, blocked, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
					require.Regexp(t, `^([1-9]|1[0-6])$`, blocked.Header.Get("Retry-After"))
				}
				require.Equal(t, failures, first(p.Attempts(t)), "a refused attempt is none")
			}
			p.SQL(t, `UPDATE login_attempts SET blocked_until = now(), updated_at = now()`)
		}
		require.Equal(t, []int{0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}, wants, c.Email)
		require.Zero(t, p.Number(t, `SELECT count(*) FROM login_attempts l WHERE position($1 IN l::text) > 0 OR address_hash IN (sha256($1::bytea), $1::bytea)`, c.Email), "addresses are kept as a keyed hash")
		p.SQL(t, `UPDATE login_attempts SET updated_at = now() - interval '25 h'`)
		_, a := c.LogIn(t, "wrong horse battery")
		require.Equal(t, http.StatusUnauthorized, a.Status, a)
		require.Equal(t, 1, first(p.Attempts(t)), "a day later all is forgotten")
		if c == ada {
			ada.Another(t)
			require.Zero(t, first(p.Attempts(t)), "the right password forgets it")
		}
		p.SQL(t, `TRUNCATE login_attempts`)
	}
}

func first(n, _ int) int { return n }

func TestWrongPasswordsAtOnceAreAllCounted(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	tried := 0
	for _, a := range sameTime(20, func(int) harness.Answer {
		_, a := ada.LogIn(t, "wrong horse battery")
		return a
	}) {
		if a.Status == http.StatusUnauthorized {
			tried++
			continue
		}
		harness.RequireCode(t, a, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	}
	require.LessOrEqual(t, tried, 6, "more were let through than one at a time would have been")
	require.Equal(t, tried, first(p.Attempts(t)))
}

func TestThePasswordChangeIsNoWayRoundTheDelay(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	guess := func() harness.Answer {
		return ada.Put(t, "/v1/auth/password", map[string]any{"current_password": "wrong horse battery", "new_password": "staple the right horse"})
	}
	for range 5 {
		harness.RequireCode(t, guess(), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	}
	harness.RequireCode(t, guess(), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	_, a := ada.LogIn(t, harness.Password)
	require.Equal(t, http.StatusOK, a.Status, "log-in counts for itself: %s", a)
}

func TestAStrangerAtTheLogInKeepsNobodyFromChangingThePassword(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	for range 5 {
		_, a := ada.LogIn(t, "wrong horse battery")
		harness.RequireCode(t, a, http.StatusUnauthorized, "INVALID_CREDENTIALS")
	}
	_, a := ada.LogIn(t, harness.Password)
	harness.RequireCode(t, a, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	change := map[string]any{"current_password": harness.Password, "new_password": "staple the right horse"}
	require.Equal(t, http.StatusNoContent, ada.Put(t, "/v1/auth/password", change).Status)
}
