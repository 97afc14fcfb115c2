package harness

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// AccountEvents gives action, reason and wanted workspace of the events of the caller's account, the oldest first.
func (c *Caller) AccountEvents(t *testing.T) []string {
	t.Helper()
	return c.Texts(t, `SELECT concat_ws(' ', action, reason, wanted_workspace_id, host(ip)) FROM account_events
		WHERE user_id = $1 AND operation_id IS NOT NULL AND trace_id <> '' AND user_agent <> '' ORDER BY id`, c.User)
}

// Key makes an API key, as which calls are made.
func (c *Caller) Key(t *testing.T, role string, more ...map[string]any) *Caller {
	t.Helper()
	body := map[string]any{"name": "Shop", "role": role}
	for _, m := range more {
		maps.Copy(body, m)
	}
	a := c.Post(t, "/v1/api-keys", body)
	require.Equal(t, http.StatusCreated, a.Status, a)
	return &Caller{Program: c.Program, Token: a.Text("key"), User: a.Text("id"), Workspace: c.Workspace}
}

// EndUser makes a token with an embed key, with which an end user makes calls about a bot.
func (c *Caller) EndUser(t *testing.T, bot string, more ...map[string]any) *Caller {
	t.Helper()
	body := map[string]any{"bot_id": bot}
	for _, m := range more {
		maps.Copy(body, m)
	}
	a := c.Post(t, "/v1/end-user-tokens", body)
	require.Equal(t, http.StatusCreated, a.Status, a)
	return &Caller{Program: c.Program, Token: a.Text("token"), User: a.Text("end_user_id"), Workspace: c.Workspace}
}

// Given is what a member has made and given in a workspace.
type Given struct {
	*Caller
	Key                         *Caller
	Token                       string // of an open invitation with the member's own role
	Hook, KeyHook               *Receiver
	Subscription, KeySub        string
	Endpoint, KeyEndpoint       Endpoint
	resources, working, stopped []string // ids
}

// Identity gives the caller an identity of a provider that is not configured.
func (c *Caller) Identity(t *testing.T, super *pgx.Conn) string {
	t.Helper()
	id := uuid.NewString()
	_, err := super.Exec(t.Context(), `INSERT INTO account_identities VALUES ($1, $2, 'gone', 'https://gone.example', $2::uuid::text, $3, now(), now())`, c.User, id, c.Email)
	require.NoError(t, err)
	return id
}

// Gives has a new member of a role make one of everything.
func (c *Caller) Gives(t *testing.T, role, bot string) Given {
	t.Helper()
	g := Given{Caller: c.Join(t, c, role), Hook: NewReceiver(t), KeyHook: NewReceiver(t)}
	_, g.Token = g.Invite(t, "guest-"+uuid.NewString()+"@example.com", role)
	g.Key = g.Caller.Key(t, "editor")
	g.Subscription, g.KeySub = g.Subscribe(t, g.Hook.URL, "bot.updated").ID, g.Key.Subscribe(t, g.KeyHook.URL, "bot.updated").ID
	g.Endpoint, g.KeyEndpoint = g.NewEndpoint(t, bot), g.Key.NewEndpoint(t, bot)
	g.working = []string{g.Endpoint.ID, g.KeyEndpoint.ID}
	g.stopped = []string{g.Key.User, g.Subscription, g.KeySub}
	g.resources = slices.Concat(g.working, g.stopped)
	return g
}

// Update makes an event for whoever subscribes to bot.updated.
func (c *Caller) Update(t *testing.T, bot string) {
	t.Helper()
	require.Equal(t, http.StatusOK, c.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": uuid.NewString()}).Status)
}

var Shared = []string{"JWT_SECRET=" + JWTSecret, "SECRET_KEY=" + JWTSecret}

// Invite invites somebody and gives the token.
func (c *Caller) Invite(t *testing.T, email, role string) (id, token string) {
	t.Helper()
	a := c.Post(t, "/v1/invitations", map[string]any{"email": email, "role": role})
	require.Equal(t, http.StatusCreated, a.Status, a)
	return a.Text("id"), a.Text("token")
}

func (p *Program) Accept(t *testing.T, token, word string, headers ...Header) Answer {
	t.Helper()
	return p.Anonymous().Post(t, "/v1/invitations/accept", map[string]any{"token": token, "password": word}, headers...)
}

func RequireSameButTrace(t *testing.T, want, got Answer) {
	t.Helper()
	require.Equal(t, want.Status, got.Status, got)
	for _, body := range []map[string]any{want.Body, got.Body} {
		if body["error"] == nil { // OpenAI's form has no trace id
			require.NotEmpty(t, body["trace_id"])
			delete(body, "trace_id")
		}
	}
	require.Equal(t, want.Body, got.Body)
	names := func(a Answer) (out []string) {
		for name := range a.Header {
			out = append(out, name)
		}
		slices.Sort(out)
		return out
	}
	require.Equal(t, names(want), names(got), "the headers tell them apart")
	require.Equal(t, want.Header.Get("Content-Length"), got.Header.Get("Content-Length"))
}

// EveryCall asks one read and one change, which have different ways to the database.
func EveryCall(t *testing.T, c *Caller, headers ...Header) []Answer {
	t.Helper()
	return []Answer{
		c.Get(t, "/v1/auth/me", headers...), c.Get(t, "/v1/bots", headers...), c.Get(t, "/v1/bots/"+uuid.NewString(), headers...),
		c.Get(t, "/v1/files/"+uuid.NewString()+"/content", headers...), c.Upload(t, "x.txt", "x", headers...),
		c.Post(t, "/v1/bots", map[string]any{"name": "x"}, headers...), c.Post(t, "/v1/conversations/threads", map[string]any{}, headers...),
		c.Post(t, "/v1/conversations/threads/"+uuid.NewString()+"/turn", map[string]any{"content": "x"}, headers...),
		c.Put(t, "/v1/bots/"+uuid.NewString()+"/instruction", map[string]any{"instruction": "x"}, headers...),
	}
}

func RequireLimited(t *testing.T, a Answer) {
	t.Helper()
	RequireCode(t, a, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, seconds)
	require.Equal(t, "0", a.Header.Get("RateLimit-Remaining"))
}

func From(address string) Header { return Header{"X-Forwarded-For", address} }

// BehindProxy believes X-Forwarded-For, so that a test calls from where it likes.
var BehindProxy = "TRUSTED_PROXIES=127.0.0.0/8"

func Device(token string) Header { return Header{"X-Device-Token", token} }

// RegisterAt registers from an address, and gives the device token.
func (p *Program) RegisterAt(t *testing.T, address string) (*Caller, string) {
	t.Helper()
	c := &Caller{Program: p, Email: "u" + uuid.NewString() + "@example.com"}
	a := c.Post(t, "/v1/auth/register", map[string]any{"email": c.Email, "password": Password, "workspace_name": "Acme"}, From(address))
	require.Equal(t, http.StatusCreated, a.Status, a)
	c.Take(a)
	return c, a.Text("device_token")
}

// TryAt tries a password from an address.
func (p *Program) TryAt(t *testing.T, email, word, address string, headers ...Header) Answer {
	t.Helper()
	return p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": email, "password": word}, append(headers, From(address))...)
}

// TryUnknownAccounts tries a password for an address that nobody has, from each network once, and counts the answers by status.
func (p *Program) TryUnknownAccounts(t *testing.T, networks int, network func(n int) string) map[int]int {
	t.Helper()
	statuses := map[int]int{}
	for n := range networks {
		statuses[p.TryAt(t, uuid.NewString()+"@example.com", Password, network(n)).Status]++
	}
	return statuses
}

// Sent waits until every email that was queued has been dealt with.
func (p *Program) Sent(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		return p.Number(t, `SELECT count(*) FROM job_queue WHERE kind = 'mail.send' AND status <> 'done'`) == 0
	}, 30*time.Second, 50*time.Millisecond)
}

func (c *Caller) TryInvite(t *testing.T, email string) Answer {
	t.Helper()
	return c.Post(t, "/v1/invitations", map[string]any{"email": email, "role": "viewer"})
}

// LogInAgain opens a session of the caller and uses its tokens from now on.
func (c *Caller) LogInAgain(t *testing.T) Answer {
	t.Helper()
	a := c.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": c.Email, "password": Password})
	require.Equal(t, http.StatusOK, a.Status, a)
	c.Take(a)
	return a
}

// Only makes somebody a member of a workspace who is in no other.
func (p *Program) Only(t *testing.T, owner *Caller, role string) *Caller {
	t.Helper()
	c := &Caller{Program: p, Email: "u" + uuid.NewString() + "@example.com"}
	_, token := owner.Invite(t, c.Email, role)
	a := p.Accept(t, token, Password)
	require.Equal(t, http.StatusOK, a.Status, a)
	c.Take(a)
	return c
}

// Homeless is somebody who was removed from the only workspace, and has logged in since.
func (p *Program) Homeless(t *testing.T) *Caller {
	t.Helper()
	ada := p.Register(t)
	bob := p.Only(t, ada, "editor")
	require.Equal(t, http.StatusOK, ada.Delete(t, "/v1/members/"+bob.User).Status)
	RequireCode(t, bob.Get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	RequireCode(t, bob.Anonymous().Post(t, "/v1/auth/refresh", map[string]any{"refresh_token": bob.Refresh}), http.StatusUnauthorized, "UNAUTHORIZED")
	a := bob.LogInAgain(t)
	require.Contains(t, a.Body, "workspace_id")
	require.Nil(t, a.Body["workspace_id"])
	return bob
}

func (c *Caller) Refreshed(t *testing.T) Answer {
	t.Helper()
	return c.Anonymous().Post(t, "/v1/auth/refresh", map[string]any{"refresh_token": c.Refresh})
}

// Join makes a user who is signed in to another's workspace with a role.
func (p *Program) Join(t *testing.T, host *Caller, role string) *Caller {
	t.Helper()
	guest := p.Register(t)
	guest.Workspace = host.Workspace
	p.Rejoin(t, guest, role)
	return guest
}

// Rejoin makes a user a member of its workspace, as which it logs in.
func (p *Program) Rejoin(t *testing.T, c *Caller, role string) {
	t.Helper()
	_, err := Postgres.Superuser(t, p.Database).Exec(t.Context(), `INSERT INTO workspace_members VALUES ($1, $2, $3, now())`, c.Workspace, c.User, role)
	require.NoError(t, err)
	in := p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": c.Email, "password": Password, "workspace_id": c.Workspace})
	require.Equal(t, http.StatusOK, in.Status, in)
	c.Take(in)
}

func (c *Caller) Delete(t *testing.T, path string, headers ...Header) Answer {
	t.Helper()
	return c.Call(t, http.MethodDelete, path, nil, headers...)
}

// Walks makes a call of the walk; one of them takes a file.
func (c *Caller) Walks(t *testing.T, id, method, path string, body any) Answer {
	t.Helper()
	if id == "createFile" {
		return c.Upload(t, "x.txt", "x")
	}
	return c.Call(t, method, path, body)
}

// SQL does harm, or lets time pass, as no caller may.
func (p *Program) SQL(t *testing.T, sql string, args ...any) {
	t.Helper()
	conn := p.Super(t)
	defer conn.Close(t.Context())
	tag, err := conn.Exec(t.Context(), sql, args...)
	require.NoError(t, err, sql)
	if strings.HasPrefix(sql, "UPDATE") || strings.HasPrefix(sql, "DELETE") {
		require.NotZero(t, tag.RowsAffected(), "nothing was changed: %s", sql)
	}
}

// Number reads one number as the superuser.
func (p *Program) Number(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	conn := p.Super(t)
	defer conn.Close(t.Context())
	require.NoError(t, conn.QueryRow(t.Context(), sql, args...).Scan(&n), sql)
	return n
}

// Super connects as the superuser, whom row-level security does not bind; the caller closes the connection, as the server has only so many connections.
func (p *Program) Super(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.Database)
	require.NoError(t, err)
	return conn
}

// LogIn opens another session of the same user.
func (c *Caller) LogIn(t *testing.T, pass string) (*Caller, Answer) {
	t.Helper()
	other := &Caller{Program: c.Program, Email: c.Email}
	a := other.Post(t, "/v1/auth/login", map[string]any{"email": c.Email, "password": pass})
	if a.Status == http.StatusOK {
		other.Take(a)
	}
	return other, a
}

func (c *Caller) Another(t *testing.T) *Caller {
	t.Helper()
	other, a := c.LogIn(t, Password)
	require.Equal(t, http.StatusOK, a.Status, a)
	return other
}

// Spend presents a refresh token.
func (c *Caller) Spend(t *testing.T, token string) Answer {
	t.Helper()
	return c.Anonymous().Post(t, "/v1/auth/refresh", map[string]any{"refresh_token": token})
}

// Session tells the id of the caller's session, out of its token, alive or not.
func (c *Caller) Session(t *testing.T) string {
	t.Helper()
	_, claims := Opened(t, c.Token)
	return claims["sid"].(string)
}

// Joins makes the caller a member of another workspace, in which it signs in from then on.
func (c *Caller) Joins(t *testing.T, workspace string) {
	t.Helper()
	c.SQL(t, `INSERT INTO workspace_members (workspace_id, user_id, role, created_at) VALUES ($1, $2, 'editor', '2000-01-01')`, workspace, c.User)
}

func (c *Caller) RequireEnded(t *testing.T, why string) {
	t.Helper()
	RequireCode(t, c.Get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	a := c.Spend(t, c.Refresh)
	require.Equal(t, http.StatusUnauthorized, a.Status, "%s: its refresh token is still good: %s", why, a)
}

func (c *Caller) RequireAlive(t *testing.T, why string) {
	t.Helper()
	require.Equal(t, http.StatusOK, c.Get(t, "/v1/auth/me").Status, why)
}

func Opened(t *testing.T, token string) (head, claims map[string]any) {
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

const JWTSecret = "a secret that the tests know of 32 bytes"

// HoldUser keeps the user's row from being changed, so that calls queue behind it in the order of their coming.
func (c *Caller) HoldUser(t *testing.T) (waiting func(n int), release func()) {
	t.Helper()
	conn := Postgres.Superuser(t, c.Database)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT 1 FROM users WHERE id = $1 FOR UPDATE`, c.User)
	require.NoError(t, err)
	look := Postgres.Superuser(t, c.Database)
	waiting = func(n int) {
		t.Helper()
		require.Eventually(t, func() bool {
			var blocked int
			err := look.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&blocked)
			return err == nil && blocked == n
		}, time.Minute, 10*time.Millisecond)
	}
	return waiting, func() { require.NoError(t, tx.Commit(t.Context())) }
}

func (p *Program) Attempts(t *testing.T) (failures, wait int) {
	t.Helper()
	conn := p.Super(t)
	defer conn.Close(t.Context())
	err := conn.QueryRow(t.Context(), `SELECT failures, round(extract(epoch FROM blocked_until - updated_at)) FROM login_attempts`).Scan(&failures, &wait)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, 0
	}
	require.NoError(t, err)
	return failures, wait
}
