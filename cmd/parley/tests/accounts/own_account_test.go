package accounts

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// goes deletes the account of a caller.
func goes(t *testing.T, c *harness.Caller, password string, headers ...harness.Header) harness.Answer {
	t.Helper()
	return c.Call(t, http.MethodDelete, "/v1/auth/me", map[string]any{"password": password}, headers...)
}

// personal are the tables with rows of a user, by the column that names it.
var personal = map[string]string{
	"users": "id", "workspace_members": "user_id", "sessions": "user_id", "account_sessions": "user_id", "account_devices": "user_id",
	"account_events": "user_id", "account_links": "user_id", "account_emails": "user_id", "account_identities": "user_id", "login_networks": "user_id",
}

func requireGone(t *testing.T, conn *pgx.Conn, user string) {
	t.Helper()
	for table, column := range personal {
		require.Zero(t, harness.Count(t, conn, `SELECT count(*) FROM `+table+` WHERE `+column+` = $1`, user), table)
	}
}

func TestAnAccountIsDeletedWithAllThatIsItsOwn(t *testing.T) {
	t.Parallel()
	p, _ := startWithMail(t)
	super := harness.Postgres.Superuser(t, p.Database)
	host := p.Register(t)
	bob := &harness.Caller{Program: p, Email: "bob-" + uuid.NewString() + "@example.com"}
	invitation, token := host.Invite(t, bob.Email, "admin")
	bob.Take(p.Accept(t, token, harness.Password))
	mine := bob.Post(t, "/v1/workspaces", map[string]any{"name": "Mine"}).Text("id")
	phone := bob.Another(t)
	bot := bob.NewBot(t)
	key := bob.Key(t, "editor")
	_, guest := bob.Invite(t, "grace@example.com", "viewer")

	harness.RequireCode(t, goes(t, bob, "wrong"), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	harness.RequireWrong(t, bob.Call(t, http.MethodDelete, "/v1/auth/me", map[string]any{}), "password")
	harness.RequireCode(t, bob.Delete(t, "/v1/auth/me"), http.StatusBadRequest, "BAD_REQUEST")
	refused := goes(t, bob, harness.Password)
	harness.RequireCode(t, refused, http.StatusConflict, "LAST_OWNER")
	require.Equal(t, map[string]any{"workspaces": []any{map[string]any{"id": mine, "name": "Mine"}}}, refused.Body["details"])
	bob.RequireAlive(t, "nothing has changed")
	require.Equal(t, http.StatusOK, key.Get(t, "/v1/bots").Status)
	require.Equal(t, 2, p.Number(t, `SELECT count(*) FROM workspace_members WHERE user_id = $1`, bob.User))

	require.Equal(t, http.StatusNoContent, bob.Delete(t, "/v1/workspaces/"+mine, harness.Header{Name: "X-Workspace-Id", Value: mine}).Status)
	op := harness.Operation(uuid.NewString())
	done := goes(t, bob, harness.Password, op)
	require.Equal(t, http.StatusNoContent, done.Status, done)
	bob.RequireEnded(t, "the account is gone")
	phone.RequireEnded(t, "so are its other sessions")
	harness.RequireCode(t, goes(t, bob, harness.Password, op), http.StatusUnauthorized, "UNAUTHORIZED")
	harness.RequireCode(t, p.LogIn(t, bob.Email, harness.Password), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	requireGone(t, super, bob.User)
	harness.RequireNowhere(t, super, bob.Email)

	// what the workspace has stays
	require.Equal(t, http.StatusOK, host.Get(t, "/v1/bots/"+bot).Status)
	harness.RequireCode(t, key.Get(t, "/v1/bots"), http.StatusUnauthorized, "API_KEY_SUSPENDED")
	harness.RequireCode(t, p.Accept(t, guest, harness.Password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	require.Len(t, host.Get(t, "/v1/members").Items(), 1)
	require.Equal(t, []any{"deleted@account.invalid"}, emailsOf(host.Get(t, "/v1/invitations").Items(), invitation))
	require.Equal(t, []string{"member.leave", "user.delete"}, host.Texts(t, `SELECT action FROM audit_log WHERE workspace_id = $1 AND operation_id = $2 ORDER BY action`, host.Workspace, op.Value))
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM audit_log WHERE workspace_id = $1 AND action = 'member.leave' AND user_id = $2`, mine, bob.User))
	require.Equal(t, true, host.Get(t, "/v1/audit-log/verify").Body["intact"])

	again := p.Anonymous().Post(t, "/v1/auth/register", map[string]any{"email": bob.Email, "password": harness.Password, "workspace_name": "New"})
	require.Equal(t, http.StatusCreated, again.Status, again)
	require.NotEqual(t, bob.User, again.Text("user_id"))
}

func emailsOf(list []map[string]any, id string) (emails []any) {
	for _, i := range list {
		if i["id"] == id {
			emails = append(emails, i["email"])
		}
	}
	return emails
}

func TestWhoIsInNoWorkspaceDeletesItsAccount(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	bob := p.Homeless(t)
	harness.RequireCode(t, goes(t, bob, "wrong"), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	require.Equal(t, http.StatusNoContent, goes(t, bob, harness.Password).Status)
	bob.RequireEnded(t, "the account is gone")
	requireGone(t, harness.Postgres.Superuser(t, p.Database), bob.User)
}

func TestOfTwoOwnersWhoDeleteTheirAccountsAtOnceOneStays(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	super := harness.Postgres.Superuser(t, p.Database)
	for range 5 {
		ada := p.Register(t)
		turn := make(chan *harness.Caller, 2)
		turn <- ada
		turn <- p.Only(t, ada, "owner")
		gone := 0
		for _, a := range harness.AtOnce(2, func() harness.Answer { return goes(t, <-turn, harness.Password) }) {
			if a.Status == http.StatusNoContent {
				gone++
				continue
			}
			harness.RequireCode(t, a, http.StatusConflict, "LAST_OWNER")
		}
		require.Equal(t, 1, gone)
		require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM workspace_members WHERE workspace_id = $1 AND role = 'owner'`, ada.Workspace))
	}
}

// Whatever happens to an account while it is deleted, either it is there whole or nothing of it is.
func TestAnAccountIsDeletedWhileItIsUsed(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	super := harness.Postgres.Superuser(t, p.Database)
	deleted := 0
	for round := range 8 {
		ada, eve := p.Register(t), p.Register(t)
		bob := p.Only(t, ada, "editor")
		_, token := eve.Invite(t, bob.Email, "viewer")
		all := []func() harness.Answer{
			func() harness.Answer { return goes(t, bob, harness.Password) },
			func() harness.Answer { return p.LogIn(t, bob.Email, harness.Password) },
			func() harness.Answer { return p.Accept(t, token, harness.Password) },
			func() harness.Answer { return bob.Refreshed(t) },
			func() harness.Answer { return ada.Patch(t, "/v1/members/"+bob.User, map[string]any{"role": "owner"}) },
			func() harness.Answer { return bob.Post(t, "/v1/auth/logout-all", nil) },
			func() harness.Answer {
				return p.Anonymous().Post(t, "/v1/auth/password/forgot", map[string]any{"email": bob.Email})
			},
		}
		if round%2 == 0 { // where the workspace is first, its only owner does not go
			all = append(all, func() harness.Answer { return bob.Post(t, "/v1/workspaces", map[string]any{"name": "Late"}) })
		}
		calls := make(chan func() harness.Answer, len(all))
		for _, call := range all {
			calls <- call
		}
		for _, a := range harness.AtOnce(len(calls), func() harness.Answer { return (<-calls)() }) {
			require.Less(t, a.Status, http.StatusInternalServerError, a)
		}
		if harness.Count(t, super, `SELECT count(*) FROM users WHERE id = $1`, bob.User) == 0 {
			deleted++
			requireGone(t, super, bob.User)
		}
		require.Zero(t, harness.Count(t, super, `SELECT count(*) FROM workspaces w WHERE NOT EXISTS (SELECT FROM workspace_members m WHERE m.workspace_id = w.id AND m.role = 'owner')`))
	}
	require.Positive(t, deleted)
	require.NotContains(t, p.Log.String(), `"level":"ERROR"`)
}

func TestAUserExportsWhatIsStoredAboutIt(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	here, there := inTwo(t, p)
	eve := p.Register(t)
	_, token := eve.Invite(t, here.Email, "viewer")
	eve.NewBot(t)
	bot := here.NewBot(t)
	require.Equal(t, http.StatusNoContent, there.Post(t, "/v1/auth/logout", nil).Status)

	require.Empty(t, here.Get(t, "/v1/auth/me/export").Body["invitations"], "to an address that is not proved")
	p.SQL(t, `UPDATE users SET verified_at = now() WHERE id = $1`, here.User)
	export := here.Get(t, "/v1/auth/me/export?limit=100")
	require.Equal(t, http.StatusOK, export.Status, export)
	require.Equal(t, []any{here.User, here.Email}, []any{export.Body["account"].(map[string]any)["user_id"], export.Body["account"].(map[string]any)["email"]})
	require.Len(t, export.Body["workspaces"], 2)
	require.Len(t, export.Body["sessions"], 2, "with that which has ended")
	require.NotNil(t, export.Body["sessions"].([]any)[0].(map[string]any)["ended_at"])
	require.Len(t, export.Body["devices"], 2)
	require.Len(t, export.Body["invitations"], 1)
	require.Equal(t, eve.Workspace, export.Body["invitations"].([]any)[0].(map[string]any)["workspace_id"])
	require.Contains(t, string(export.Raw), bot)
	require.NotContains(t, string(export.Raw), token)
	require.NotContains(t, string(export.Raw), eve.User)
	require.NotContains(t, string(export.Raw), eve.Email)

	var actions []any
	path := "/v1/auth/me/export?limit=2"
	for next := path; next != ""; {
		page := here.Get(t, next)
		require.Equal(t, http.StatusOK, page.Status, page)
		actions = append(actions, page.Body["actions"].([]any)...)
		next = ""
		if page.Body["has_more"] == true {
			next = path + "&cursor=" + page.Text("next_cursor")
		}
	}
	require.Equal(t, export.Body["actions"], actions, "page by page it is the same")
	require.Len(t, actions, p.Number(t, `SELECT (SELECT count(*) FROM audit_log WHERE user_id = $1) + (SELECT count(*) FROM account_events WHERE user_id = $1)`, here.User))

	bob := p.Homeless(t)
	alone := bob.Get(t, "/v1/auth/me/export")
	require.Equal(t, http.StatusOK, alone.Status, alone)
	require.Empty(t, alone.Body["workspaces"])
	require.NotEmpty(t, alone.Body["actions"])
	harness.RequireCode(t, here.Key(t, "editor").Get(t, "/v1/auth/me/export"), http.StatusForbidden, "FORBIDDEN")
}
