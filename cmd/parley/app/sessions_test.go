package app

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
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
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// sql does harm, or lets time pass, as no caller may.
func (p *program) sql(t *testing.T, sql string, args ...any) {
	t.Helper()
	conn := p.super(t)
	defer conn.Close(t.Context())
	tag, err := conn.Exec(t.Context(), sql, args...)
	require.NoError(t, err, sql)
	if strings.HasPrefix(sql, "UPDATE") || strings.HasPrefix(sql, "DELETE") {
		require.NotZero(t, tag.RowsAffected(), "nothing was changed: %s", sql)
	}
}

// number reads one number past the wall.
func (p *program) number(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	conn := p.super(t)
	defer conn.Close(t.Context())
	require.NoError(t, conn.QueryRow(t.Context(), sql, args...).Scan(&n), sql)
	return n
}

// super connects past the wall; whoever asks closes, as the server has only so many connections.
func (p *program) super(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.database)
	require.NoError(t, err)
	return conn
}

// logIn opens another session of the same user.
func (c *caller) logIn(t *testing.T, pass string) (*caller, answer) {
	t.Helper()
	other := &caller{program: c.program, email: c.email}
	a := other.post(t, "/v1/auth/login", map[string]any{"email": c.email, "password": pass})
	if a.Status == http.StatusOK {
		other.take(a)
	}
	return other, a
}

func (c *caller) another(t *testing.T) *caller {
	t.Helper()
	other, a := c.logIn(t, password)
	require.Equal(t, http.StatusOK, a.Status, a)
	return other
}

// spend presents a refresh token.
func (c *caller) spend(t *testing.T, token string) answer {
	t.Helper()
	return c.anonymous().post(t, "/v1/auth/refresh", map[string]any{"refresh_token": token})
}

// session tells the id of the caller's session, out of its token, alive or not.
func (c *caller) session(t *testing.T) string {
	t.Helper()
	_, claims := opened(t, c.token)
	return claims["sid"].(string)
}

// joins makes the caller a member of another workspace, in which it signs in from then on.
func (c *caller) joins(t *testing.T, workspace string) {
	t.Helper()
	c.sql(t, `INSERT INTO workspace_members (workspace_id, user_id, role, created_at) VALUES ($1, $2, 'editor', '2000-01-01')`, workspace, c.user)
}

func (c *caller) requireEnded(t *testing.T, why string) {
	t.Helper()
	requireCode(t, c.get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	a := c.spend(t, c.refresh)
	require.Equal(t, http.StatusUnauthorized, a.Status, "%s: its refresh token is still good: %s", why, a)
}

func (c *caller) requireAlive(t *testing.T, why string) {
	t.Helper()
	require.Equal(t, http.StatusOK, c.get(t, "/v1/auth/me").Status, why)
}

// sameTime makes n calls at once.
func sameTime(n int, call func(i int) answer) []answer {
	answers := make([]answer, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { answers[i] = call(i) })
	}
	wg.Wait()
	return answers
}

func opened(t *testing.T, token string) (head, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	for i, into := range []*map[string]any{&head, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, into))
	}
	return head, claims
}

// resign makes a token out of a good one, changed and signed with a key of the forger's choice.
func resign(t *testing.T, token, key string, with func() hash.Hash, change func(head, claims map[string]any)) string {
	t.Helper()
	head, claims := opened(t, token)
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
	p := start(t)
	ada := p.register(t)
	first, id := ada.refresh, ada.session(t)
	a := ada.spend(t, first)
	require.Equal(t, http.StatusOK, a.Status, a)
	ada.take(a)
	require.NotEqual(t, first, ada.refresh)
	require.Equal(t, id, ada.session(t), "it is the same session")
	ada.requireAlive(t, "the new access token")

	again := ada.spend(t, first)
	require.Equal(t, http.StatusOK, again.Status, "the answer was lost: the same token may be sent again for a moment: %s", again)
	require.Equal(t, ada.refresh, again.text("refresh_token"))
	require.Equal(t, 2, p.number(t, `SELECT generation FROM sessions`), "nothing moved")
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM audit_log WHERE action = 'session.refresh'`))
}

func TestTwentyTabsThatRefreshAtOnceAllStaySignedIn(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	tokens := map[string]bool{}
	for _, a := range sameTime(20, func(int) answer { return ada.spend(t, ada.refresh) }) {
		require.Equal(t, http.StatusOK, a.Status, a)
		tokens[a.text("refresh_token")] = true
		tab := &caller{program: p, token: a.text("access_token")}
		tab.requireAlive(t, "every tab's access token")
	}
	require.Len(t, tokens, 1, "one refresh token for all")
	require.Equal(t, 2, p.number(t, `SELECT generation FROM sessions`))
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM audit_log WHERE action = 'session.refresh'`))
}

func TestASpentTokenAfterGraceEndsTheSessionForGood(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	phone := ada.another(t)
	parent, stolen := ada.refresh, ada.session(t)
	ada.take(ada.spend(t, parent))
	p.sql(t, `UPDATE sessions SET rotated_at = rotated_at - interval '11 s',
		retirements = ARRAY(SELECT r - interval '11 s' FROM unnest(retirements) r) WHERE id = $1`, stolen)

	requireCode(t, ada.spend(t, parent), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM sessions WHERE id = $1 AND revoked_at IS NOT NULL`, stolen), "committed, although the answer was a refusal")
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM audit_log WHERE action = 'session.revoke_stolen' AND resource_id = $1 AND workspace_id = $2`, stolen, ada.workspace))
	ada.requireEnded(t, "the newest token of a stolen session")
	phone.requireAlive(t, "another session of the same user")
	require.Equal(t, http.StatusOK, phone.spend(t, phone.refresh).Status)
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM audit_log WHERE action = 'session.revoke_stolen'`), "told once")
}

func TestEveryGenerationHasItsOwnGrace(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	first := ada.refresh
	second := ada.spend(t, first).text("refresh_token")
	third := ada.spend(t, second).text("refresh_token")
	late := ada.spend(t, first)
	require.Equal(t, http.StatusOK, late.Status, "two rotations within the grace make no thief of a late tab: %s", late)
	require.Equal(t, third, late.text("refresh_token"))

	p.sql(t, `UPDATE sessions SET retirements[1] = retirements[1] - interval '11 s'`)
	require.Equal(t, third, ada.spend(t, second).text("refresh_token"), "the second is still within its own")
	requireCode(t, ada.spend(t, first), http.StatusUnauthorized, "UNAUTHORIZED")
	requireCode(t, ada.spend(t, third), http.StatusUnauthorized, "UNAUTHORIZED")
}

const jwtSecret = "a secret that the tests know of 32 bytes"

// forgedTokens are what an attacker may try with a token of the user's own; each is refused.
func forgedTokens(t *testing.T, good, other string) map[string]string {
	t.Helper()
	signed := func(change func(head, claims map[string]any)) string {
		return resign(t, good, jwtSecret, sha256.New, change)
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
		"another algorithm":        resign(t, good, jwtSecret, sha512.New, func(h, _ map[string]any) { h["alg"] = "HS512" }),
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
	p := start(t, "JWT_SECRET="+jwtSecret)
	ada, eve := p.register(t), p.register(t)
	joined := p.register(t).workspace
	ada.joins(t, joined)
	forged := forgedTokens(t, ada.token, ada.refresh)
	for name, change := range map[string]func(c map[string]any){
		"a life of more than a day":             func(c map[string]any) { c["exp"] = time.Now().Add(25 * time.Hour).Unix() },
		"no workspace":                          func(c map[string]any) { c["workspace_id"] = nil },
		"a workspace that is no id":             func(c map[string]any) { c["workspace_id"] = 7 },
		"the workspace of another":              func(c map[string]any) { c["workspace_id"] = eve.workspace },
		"another workspace of the same user":    func(c map[string]any) { c["workspace_id"] = joined },
		"the session of another":                func(c map[string]any) { c["sid"] = eve.session(t) },
		"another user in the session":           func(c map[string]any) { c["sub"] = eve.user },
		"the zero user in the session":          func(c map[string]any) { c["sub"] = uuid.Nil.String() },
		"the zero session, which is not looked": func(c map[string]any) { c["sid"] = uuid.Nil.String() },
	} {
		forged[name] = resign(t, ada.token, jwtSecret, sha256.New, func(_, c map[string]any) { change(c) })
	}
	for name, token := range forged {
		a := (&caller{program: p, token: token}).get(t, "/v1/auth/me")
		require.Equal(t, http.StatusUnauthorized, a.Status, "%s: %s", name, a)
		requireCode(t, a, http.StatusUnauthorized, "UNAUTHORIZED")
	}
	requireCode(t, ada.get(t, "/v1/auth/me", header{"X-Workspace-Id", eve.workspace}), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, http.StatusOK, ada.get(t, "/v1/auth/me", header{"X-Workspace-Id", joined}).Status)
	for name, change := range map[string]func(h, c map[string]any){
		"the tool of this test makes good tokens": nil,
		"an iat of a clock that is ahead":         func(_, c map[string]any) { c["iat"] = time.Now().Unix() + 15 },
	} {
		token := resign(t, ada.token, jwtSecret, sha256.New, change)
		(&caller{program: p, token: token}).requireAlive(t, name)
	}
}

func TestNoForgedRefreshTokenTouchesItsSession(t *testing.T) {
	t.Parallel()
	p := start(t, "JWT_SECRET="+jwtSecret)
	ada, eve := p.register(t), p.register(t)
	joined := p.register(t).workspace
	ada.joins(t, joined)
	forged := forgedTokens(t, ada.refresh, ada.token)
	for name, change := range map[string]func(c map[string]any){
		"the workspace of another":           func(c map[string]any) { c["workspace_id"] = eve.workspace },
		"another workspace of the same user": func(c map[string]any) { c["workspace_id"] = joined },
		"a workspace that there is not":      func(c map[string]any) { c["workspace_id"] = uuid.NewString() },
		"the zero workspace":                 func(c map[string]any) { c["workspace_id"] = uuid.Nil.String() },
		"a workspace that is no id":          func(c map[string]any) { c["workspace_id"] = 7 },
		"another user in the session":        func(c map[string]any) { c["sub"] = eve.user },
		"the session of another":             func(c map[string]any) { c["sid"] = eve.session(t) },
	} {
		forged[name] = resign(t, ada.refresh, jwtSecret, sha256.New, func(_, c map[string]any) { change(c) })
	}
	forged["no gen"] = resign(t, ada.refresh, jwtSecret, sha256.New, func(_, c map[string]any) { c["gen"] = nil })
	forged["a gen that is a text"] = resign(t, ada.refresh, jwtSecret, sha256.New, func(_, c map[string]any) { c["gen"] = "1" })
	forged["nothing"] = " "
	forged["no token"] = "null"
	for name, token := range forged {
		a := ada.spend(t, token)
		require.Equal(t, http.StatusUnauthorized, a.Status, "%s: %s", name, a)
		requireCode(t, a, http.StatusUnauthorized, "UNAUTHORIZED")
	}
	require.Equal(t, 3, p.number(t, `SELECT count(*) FROM sessions WHERE revoked_at IS NULL AND generation = 1`), "no forgery ended or moved any")
	require.Equal(t, http.StatusOK, ada.spend(t, ada.refresh).Status)
}

// A process of the release before signs refresh tokens that do not name the workspace, of a generation that the row does not know
// as one that does.
func TestARefreshTokenOfTheReleaseBeforeIsGoodAndGivenAgainAsItWas(t *testing.T) {
	t.Parallel()
	p := start(t, "JWT_SECRET="+jwtSecret)
	ada := p.register(t)
	names := func(token string) bool {
		_, claims := opened(t, token)
		return claims["workspace_id"] == ada.workspace
	}
	require.True(t, names(ada.refresh))
	without := func(token string) string {
		return resign(t, token, jwtSecret, sha256.New, func(_, c map[string]any) { c["workspace_id"] = nil })
	}
	spent := ada.refresh
	ada.take(ada.spend(t, spent))
	require.True(t, names(ada.refresh))
	p.sql(t, `UPDATE sessions SET workspace_token_generation = 1`) // as if the release before had made the second
	given := ada.spend(t, spent).text("refresh_token")
	require.False(t, names(given))
	require.Equal(t, given, ada.spend(t, spent).text("refresh_token"), "each time the same")
	require.Equal(t, 2, p.number(t, `SELECT generation FROM sessions`), "nothing moved")

	next := ada.spend(t, without(ada.refresh))
	require.Equal(t, http.StatusOK, next.Status, next)
	require.True(t, names(next.text("refresh_token")), "the next names it")
	require.Equal(t, next.text("refresh_token"), ada.spend(t, ada.refresh).text("refresh_token"), "which form is spent does not matter")

	p.sql(t, `UPDATE sessions SET retirements = '{}'`)
	requireCode(t, ada.spend(t, without(ada.refresh)), http.StatusUnauthorized, "UNAUTHORIZED")
	requireCode(t, ada.spend(t, next.text("refresh_token")), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM audit_log WHERE action = 'session.revoke_stolen'`), "theft is noticed in either form")
}

func TestTheSecretCanBeChangedWhileTokensAreAbout(t *testing.T) {
	t.Parallel()
	const second = "the secret that comes after the first one"
	database := pg.URL(t)
	before := startOn(t, database, "JWT_SECRET="+jwtSecret)
	ada := before.register(t)
	idle := before.register(t)
	oldKey, _ := opened(t, ada.token)
	on := func(p *program, c *caller) *caller { return &caller{program: p, token: c.token, refresh: c.refresh} }

	during := startOn(t, database, "JWT_SECRET="+second, "JWT_PREVIOUS_SECRETS="+jwtSecret)
	moved := on(during, ada)
	moved.requireAlive(t, "an access token of the old secret")
	a := moved.spend(t, ada.refresh)
	require.Equal(t, http.StatusOK, a.Status, "a refresh token of the old secret: %s", a)
	moved.take(a)
	for _, token := range []string{moved.token, moved.refresh} {
		head, _ := opened(t, token)
		require.NotEqual(t, oldKey["kid"], head["kid"], "what is new is signed by the new secret")
	}
	require.Equal(t, moved.refresh, moved.spend(t, ada.refresh).text("refresh_token"), "the grace holds over the change")

	verifyOnly := startOn(t, database, "JWT_SECRET="+jwtSecret, "JWT_PREVIOUS_SECRETS="+second)
	on(verifyOnly, moved).requireAlive(t, "a process that has the new secret to verify only")

	after := startOn(t, database, "JWT_SECRET="+second)
	requireCode(t, on(after, idle).get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	requireCode(t, on(after, idle).spend(t, idle.refresh), http.StatusUnauthorized, "UNAUTHORIZED")
	requireCode(t, on(after, idle).spend(t, ada.refresh), http.StatusUnauthorized, "UNAUTHORIZED")
	on(after, moved).requireAlive(t, "what was refreshed meanwhile")
	require.Equal(t, http.StatusOK, on(after, moved).spend(t, moved.refresh).Status)
	idle.requireAlive(t, "a token of the dropped secret ended no session")
}

func TestASessionEndsWhenItIsNotUsedAndWhenItIsOld(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	for _, column := range []string{"idle_expires_at", "expires_at"} {
		c := ada.another(t)
		p.sql(t, `UPDATE sessions SET `+column+` = now() - interval '1 s' WHERE id = $1`, c.session(t))
		c.requireEnded(t, column)
	}
	require.Len(t, ada.get(t, "/v1/auth/sessions").items(), 1, "what has expired is not listed")

	c := ada.another(t)
	p.sql(t, `UPDATE sessions SET expires_at = now() + interval '1 h' WHERE id = $1`, c.session(t))
	require.Equal(t, http.StatusOK, c.spend(t, c.refresh).Status)
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM sessions WHERE id = $1 AND idle_expires_at = expires_at`, c.session(t)), "no refresh carries it over its end")
	require.Equal(t, 60, p.number(t, `SELECT extract(day FROM expires_at - created_at)::int FROM sessions WHERE id = $1`, ada.session(t)))
	require.Equal(t, 14, p.number(t, `SELECT extract(day FROM idle_expires_at - rotated_at)::int FROM sessions WHERE id = $1`, ada.session(t)))
}

func TestLogOutEndsThisSessionWhereverItIsSaid(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	phone := ada.another(t)
	require.Equal(t, http.StatusNoContent, ada.post(t, "/v1/auth/logout", nil).Status)
	ada.requireEnded(t, "logged out")
	phone.requireAlive(t, "the phone")

	phone.joins(t, eve.workspace) // a session of one workspace that works in another
	a := phone.post(t, "/v1/auth/logout", nil, header{"X-Workspace-Id", eve.workspace})
	require.Equal(t, http.StatusNoContent, a.Status, a)
	phone.requireEnded(t, "logged out in another workspace")
	requireCode(t, eve.post(t, "/v1/auth/logout", nil, header{"X-Workspace-Id", ada.workspace}), http.StatusForbidden, "FORBIDDEN")
	eve.requireAlive(t, "a forbidden workspace ends nothing")
}

func TestLogOutAtOnceFromTwoTabsIsNoSurprise(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	for _, a := range sameTime(6, func(int) answer { return ada.post(t, "/v1/auth/logout", nil) }) {
		require.Contains(t, []int{http.StatusNoContent, http.StatusUnauthorized}, a.Status, a)
	}
	ada.requireEnded(t, "logged out")
}

func TestLogOutAllEndsTheOthersInEveryWorkspace(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	phone := ada.another(t)
	ada.joins(t, eve.workspace)
	abroad := ada.another(t)
	require.Equal(t, eve.workspace, abroad.workspace)

	a := ada.post(t, "/v1/auth/logout-all", nil)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.EqualValues(t, 2, a.at("ended"))
	phone.requireEnded(t, "logout-all")
	abroad.requireEnded(t, "logout-all, in another workspace")
	ada.requireAlive(t, "the one that said so")
	eve.requireAlive(t, "another user's")
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM audit_log WHERE action = 'session.close_others' AND workspace_id = $1 AND changes = '{"ended": 2}'`, ada.workspace))
	require.EqualValues(t, 0, ada.post(t, "/v1/auth/logout-all", nil).at("ended"))
}

func TestOnlyOnesOwnSessionsCanBeEnded(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	phone := ada.another(t)
	eve.joins(t, ada.workspace)
	colleague := eve.another(t)
	require.Equal(t, ada.workspace, colleague.workspace)

	end := func(id string) answer { return ada.call(t, http.MethodDelete, "/v1/auth/sessions/"+id, nil) }
	unknown := end(uuid.NewString())
	requireCode(t, unknown, http.StatusNotFound, "NOT_FOUND")
	for name, id := range map[string]string{"another user's in this workspace": colleague.session(t), "another workspace's": eve.session(t)} {
		a := end(id)
		requireCode(t, a, http.StatusNotFound, "NOT_FOUND")
		require.Equal(t, unknown.text("message"), a.text("message"), name)
		require.Equal(t, unknown.at("details"), a.at("details"), name)
	}
	colleague.requireAlive(t, "a colleague's session")
	eve.requireAlive(t, "a stranger's session")

	require.Equal(t, http.StatusNoContent, end(phone.session(t)).Status)
	phone.requireEnded(t, "it was ended")
	require.Equal(t, unknown.text("message"), end(phone.session(t)).text("message"), "what has ended is there no more")
	require.Equal(t, http.StatusNoContent, end(ada.session(t)).Status, "one's own")
	ada.requireEnded(t, "it was ended by itself")
}

func TestTheListHasMyLivingSessionsEachOnce(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	eve.joins(t, ada.workspace)
	eve.another(t)
	gone := ada.another(t)
	require.Equal(t, http.StatusNoContent, gone.post(t, "/v1/auth/logout", nil).Status)
	want := map[string]bool{ada.session(t): true}
	for range 3 {
		want[ada.another(t).session(t)] = false
	}
	read := func() (ids []string) {
		path := "/v1/auth/sessions?limit=2"
		for {
			a := ada.get(t, path)
			require.Equal(t, http.StatusOK, a.Status, a)
			for _, s := range a.items() {
				id := s["id"].(string)
				current, mine := want[id]
				require.True(t, mine, "a session that is not to be seen: %v", s)
				require.Equal(t, current, s["current"])
				require.Equal(t, "127.0.0.1", s["ip"])
				ids = append(ids, id)
			}
			if a.at("has_more") != true {
				return ids
			}
			path = "/v1/auth/sessions?limit=2&cursor=" + a.text("next_cursor")
		}
	}
	ids := read()
	require.Len(t, ids, 4)
	require.Equal(t, ada.session(t), ids[3], "newest first")
	p.sql(t, `UPDATE sessions SET created_at = '2026-01-01'`)
	same := map[string]bool{}
	for _, id := range read() {
		same[id] = true
	}
	require.Len(t, same, 4, "equal times skip none and repeat none")
}

func TestAPasswordChangeEndsTheOtherSessionsAndTheOldPassword(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	phone := ada.another(t)
	const next = "staple the right horse"
	change := func(current, wanted string, headers ...header) answer {
		return ada.put(t, "/v1/auth/password", map[string]any{"current_password": current, "new_password": wanted}, headers...)
	}
	requireCode(t, change("wrong horse battery", next), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	for name, bad := range map[string]string{"common": "password1", "common in capitals": "PASSWORD1", "made of the address": ada.email, "of the workspace": "AcmeAcme", "short": "seven77", "long": strings.Repeat("x", 129)} {
		a := change(password, bad)
		requireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
		wrong := a.at("details.errors").([]any)
		require.Len(t, wrong, 1, name)
		require.Equal(t, "new_password", wrong[0].(map[string]any)["field"], name)
	}
	phone.requireAlive(t, "refused changes end nothing")
	require.Zero(t, p.number(t, `SELECT count(*) FROM operations`), "and leave no claim")

	op := operation(uuid.NewString())
	require.Equal(t, http.StatusNoContent, change(password, next, op).Status)
	again := change(password, next, op)
	require.Equal(t, http.StatusNoContent, again.Status, "sent again it is done, although its current password is the old one: %s", again)
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))
	requireCode(t, change(password, next+"!", op), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM audit_log WHERE action = 'user.change_password'`))

	phone.requireEnded(t, "the password was changed")
	ada.requireAlive(t, "the one that changed it")
	eve.requireAlive(t, "another user's")
	_, old := ada.logIn(t, password)
	requireCode(t, old, http.StatusUnauthorized, "INVALID_CREDENTIALS")
	_, good := ada.logIn(t, next)
	require.Equal(t, http.StatusOK, good.Status, good)
}

// holdUser keeps the user's row from being changed, so that calls queue behind it in the order of their coming.
func (c *caller) holdUser(t *testing.T) (waiting func(n int), release func()) {
	t.Helper()
	conn := pg.Superuser(t, c.database)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT 1 FROM users WHERE id = $1 FOR UPDATE`, c.user)
	require.NoError(t, err)
	look := pg.Superuser(t, c.database)
	waiting = func(n int) {
		t.Helper()
		require.Eventually(t, func() bool {
			var blocked int
			err := look.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&blocked)
			return err == nil && blocked == n
		}, 20*time.Second, 10*time.Millisecond)
	}
	return waiting, func() { require.NoError(t, tx.Commit(t.Context())) }
}

func TestNoSessionOfTheOldPasswordSurvivesItsChange(t *testing.T) {
	t.Parallel()
	p := start(t)
	const next = "staple the right horse"
	for _, first := range []string{"login", "change"} {
		ada := p.register(t)
		waiting, release := ada.holdUser(t)
		results := map[string]chan answer{"login": make(chan answer, 1), "change": make(chan answer, 1)}
		calls := map[string]func(){
			"login": func() {
				_, a := ada.logIn(t, password)
				results["login"] <- a
			},
			"change": func() {
				results["change"] <- ada.put(t, "/v1/auth/password", map[string]any{"current_password": password, "new_password": next})
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
			requireCode(t, login, http.StatusUnauthorized, "INVALID_CREDENTIALS")
		} else {
			require.Equal(t, http.StatusOK, login.Status, login)
			(&caller{program: p, token: login.text("access_token"), refresh: login.text("refresh_token")}).requireEnded(t, "it was opened with the old password")
		}
		require.Equal(t, 1, p.number(t, `SELECT count(*) FROM sessions WHERE user_id = $1 AND revoked_at IS NULL`, ada.user), "%s first", first)
	}
}

func TestPasswordsThatAreEasyToGuessAreRefused(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	for _, weak := range []string{
		"password", "12345678", "PassWord1", "Password1!", "qwertyuiop", "iloveyou1", "aaaaaaaa", "яяяяяяяя", "zofia.kowalewska", "ZofiaKowalewska", "hydroplatforma1",
	} {
		email := "zofia.kowalewska@example.com"
		requireWrong(t, p.anonymous().post(t, "/v1/auth/register", map[string]any{"email": email, "password": weak, "workspace_name": "Hydroplatforma"}), "password")
	}
	require.Zero(t, p.number(t, `SELECT count(*) FROM users WHERE email LIKE 'zofia%'`))
	_, token := ada.invite(t, "zofia.kowalewska@example.com", "viewer")
	for _, weak := range []string{"Password1!", "zofia.kowalewska", "AcmeAcme"} {
		requireWrong(t, p.accept(t, token, weak), "password")
	}
	require.Equal(t, http.StatusOK, p.accept(t, token, password).Status)
	requireWrong(t, p.anonymous().post(t, "/v1/auth/register", map[string]any{"email": "<ada@x>", "password": "aaaaaaaa", "workspace_name": " "}),
		"email", "password", "workspace_name")
}

func TestAPasswordMayBeTypedInEitherNormalForm(t *testing.T) {
	t.Parallel()
	p := start(t)
	const composed, decomposed = "caf\u00e9 correct horse", "cafe\u0301 correct horse"
	ada := &caller{program: p, email: uuid.NewString() + "@example.com"}
	a := ada.post(t, "/v1/auth/register", map[string]any{"email": ada.email, "password": decomposed, "workspace_name": "Acme"})
	require.Equal(t, http.StatusCreated, a.Status, a)
	for _, typed := range []string{composed, decomposed} {
		_, a := ada.logIn(t, typed)
		require.Equal(t, http.StatusOK, a.Status, "%q: %s", typed, a)
	}
	old, err := argon2id.CreateHash(decomposed, argon2id.DefaultParams) // as it was hashed before passwords were normalised
	require.NoError(t, err)
	p.sql(t, `UPDATE users SET password_hash = $1`, old)
	_, a = ada.logIn(t, composed)
	requireCode(t, a, http.StatusUnauthorized, "INVALID_CREDENTIALS")
	_, a = ada.logIn(t, decomposed)
	require.Equal(t, http.StatusOK, a.Status, a)
	_, a = ada.logIn(t, composed)
	require.Equal(t, http.StatusOK, a.Status, "its hash had other parameters, so it was made anew, of the normal form: %s", a)
}

func TestAccountsOlderThanTheCanonicalAddressLogInAsTheyAre(t *testing.T) {
	t.Parallel()
	p := start(t)
	register := func(email string) answer {
		return p.anonymous().post(t, "/v1/auth/register", map[string]any{"email": email, "password": password, "workspace_name": "Acme"})
	}
	logIn := func(email string) answer {
		return p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": email, "password": password})
	}
	ada := p.register(t)
	for _, twin := range []string{"<%s>", "%s.", "%s\u200b", "%s(comment)", "\u202e%s", `"x"%s`, "x\u2066%s"} {
		requireWrong(t, register(fmt.Sprintf(twin, ada.email)), "email")
	}
	one := register("zoë@пример.рф")
	require.Equal(t, http.StatusCreated, one.Status, one)
	requireCode(t, register("ZOE\u0308@xn--e1afmkfd.xn--p1ai"), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
	for _, spelling := range []string{"zoë@пример.рф", "zoe\u0308@ПРИМЕР.рф", "zoë@xn--e1afmkfd.xn--p1ai"} {
		a := logIn(spelling)
		require.Equal(t, http.StatusOK, a.Status, "%q: %s", spelling, a)
		require.Equal(t, one.text("user_id"), a.text("user_id"))
	}
	for _, old := range []string{"<ada@x>", "ada@x.", "ada@x\u200b", "x@y(comment)", `"ada"@x`, "grace@пример.рф"} {
		bob := p.register(t)
		p.sql(t, `UPDATE users SET email = $1 WHERE id = $2`, old, bob.user)
		a := logIn(" " + strings.ToUpper(old))
		require.Equal(t, http.StatusOK, a.Status, "%q: %s", old, a)
		require.Equal(t, bob.user, a.text("user_id"), old)
	}
	for _, spelling := range []string{"grace@пример.рф", "grace@xn--e1afmkfd.xn--p1ai"} {
		requireCode(t, register(spelling), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
		_, token := ada.invite(t, spelling, "viewer")
		requireCode(t, p.accept(t, token, "staple the right horse"), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	}
	_, token := ada.invite(t, "grace@пример.рф", "viewer")
	in := p.accept(t, token, password)
	require.Equal(t, http.StatusOK, in.Status, "the account that there is joins: %s", in)
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM users WHERE email LIKE 'grace@%'`))
	_, token = ada.invite(t, "grace@example.com", "viewer")
	p.sql(t, `UPDATE invitations SET email = '<grace@example.com>' WHERE accepted_at IS NULL AND revoked_at IS NULL`)
	requireCode(t, p.accept(t, token, password), http.StatusNotFound, "INVITATION_NOT_FOUND")
}

func TestARemovedMemberIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	there := header{"X-Workspace-Id", eve.workspace}
	ada.joins(t, eve.workspace)
	require.Equal(t, http.StatusOK, ada.get(t, "/v1/bots", there).Status)
	abroad := ada.another(t)
	p.sql(t, `DELETE FROM workspace_members WHERE workspace_id = $1 AND user_id = $2`, eve.workspace, ada.user)
	requireCode(t, ada.get(t, "/v1/bots", there), http.StatusForbidden, "FORBIDDEN")
	requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": "x"}, there), http.StatusForbidden, "FORBIDDEN")
	ada.requireAlive(t, "at home")
	abroad.requireEnded(t, "the session of the workspace that it was removed from")
}

func TestAHashOfThePastIsRenewedByTheRightPasswordOnly(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	weak, err := argon2id.CreateHash(password, &argon2id.Params{Memory: 8 * 1024, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	require.NoError(t, err)
	p.sql(t, `UPDATE users SET password_hash = $1`, weak)
	stored := func() (hash string) {
		require.NoError(t, pg.Superuser(t, p.database).QueryRow(t.Context(), `SELECT password_hash FROM users`).Scan(&hash))
		return hash
	}
	_, a := ada.logIn(t, "wrong horse battery")
	requireCode(t, a, http.StatusUnauthorized, "INVALID_CREDENTIALS")
	require.Equal(t, weak, stored())
	ada.another(t)
	renewed := stored()
	require.Contains(t, renewed, "$argon2id$v=19$m=19456,t=2,p=1$")
	ada.another(t)
	require.Equal(t, renewed, stored(), "renewed once")

	p.sql(t, `UPDATE users SET password_hash = $1`, weak)
	waiting, release := ada.holdUser(t)
	answers := make(chan answer, 2)
	for i := range 2 {
		go func() {
			_, a := ada.logIn(t, password)
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

func (p *program) attempts(t *testing.T) (failures, wait int) {
	t.Helper()
	conn := p.super(t)
	defer conn.Close(t.Context())
	err := conn.QueryRow(t.Context(), `SELECT failures, round(extract(epoch FROM blocked_until - updated_at)) FROM login_attempts`).Scan(&failures, &wait)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, 0
	}
	require.NoError(t, err)
	return failures, wait
}

func TestWrongPasswordsSlowTheNextOneDownKnownAddressOrNot(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	for _, c := range []*caller{ada, {program: p, email: "nobody@example.com"}} {
		var wants []int
		for n := range 14 {
			_, a := c.logIn(t, "wrong horse battery")
			requireCode(t, a, http.StatusUnauthorized, "INVALID_CREDENTIALS")
			failures, wait := p.attempts(t)
			require.Equal(t, n+1, failures)
			wants = append(wants, wait)
			if wait == 0 {
				continue
			}
			if n == 7 {
				for _, pass := range []string{"wrong horse battery", password} { // the right one too
					_, blocked := c.logIn(t, pass)
					requireCode(t, blocked, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
					require.Regexp(t, `^([1-9]|1[0-6])$`, blocked.Header.Get("Retry-After"))
				}
				require.Equal(t, failures, first(p.attempts(t)), "a refused attempt is none")
			}
			p.sql(t, `UPDATE login_attempts SET blocked_until = now(), updated_at = now()`)
		}
		require.Equal(t, []int{0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}, wants, c.email)
		require.Zero(t, p.number(t, `SELECT count(*) FROM login_attempts l WHERE position($1 IN l::text) > 0 OR address_hash IN (sha256($1::bytea), $1::bytea)`, c.email), "addresses are kept as a keyed hash")
		p.sql(t, `UPDATE login_attempts SET updated_at = now() - interval '25 h'`)
		_, a := c.logIn(t, "wrong horse battery")
		require.Equal(t, http.StatusUnauthorized, a.Status, a)
		require.Equal(t, 1, first(p.attempts(t)), "a day later all is forgotten")
		if c == ada {
			ada.another(t)
			require.Zero(t, first(p.attempts(t)), "the right password forgets it")
		}
		p.sql(t, `TRUNCATE login_attempts`)
	}
}

func first(n, _ int) int { return n }

func TestWrongPasswordsAtOnceAreAllCounted(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	tried := 0
	for _, a := range sameTime(20, func(int) answer {
		_, a := ada.logIn(t, "wrong horse battery")
		return a
	}) {
		if a.Status == http.StatusUnauthorized {
			tried++
			continue
		}
		requireCode(t, a, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	}
	require.LessOrEqual(t, tried, 6, "more were let through than one at a time would have been")
	require.Equal(t, tried, first(p.attempts(t)))
}

func TestThePasswordChangeIsNoWayRoundTheDelay(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	guess := func() answer {
		return ada.put(t, "/v1/auth/password", map[string]any{"current_password": "wrong horse battery", "new_password": "staple the right horse"})
	}
	for range 5 {
		requireCode(t, guess(), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	}
	requireCode(t, guess(), http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	_, a := ada.logIn(t, password)
	require.Equal(t, http.StatusOK, a.Status, "log-in counts for itself: %s", a)
}

func TestAStrangerAtTheLogInKeepsNobodyFromChangingThePassword(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	for range 5 {
		_, a := ada.logIn(t, "wrong horse battery")
		requireCode(t, a, http.StatusUnauthorized, "INVALID_CREDENTIALS")
	}
	_, a := ada.logIn(t, password)
	requireCode(t, a, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	change := map[string]any{"current_password": password, "new_password": "staple the right horse"}
	require.Equal(t, http.StatusNoContent, ada.put(t, "/v1/auth/password", change).Status)
}
