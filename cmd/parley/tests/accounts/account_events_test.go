package accounts

import (
	"maps"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestLogInsOfSomebodyInNoWorkspaceAreRecordedForTheAccount(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	op := uuid.NewString()
	again := &harness.Caller{Program: p, Email: "again@example.com"}
	registration := map[string]any{"email": again.Email, "password": harness.Password, "workspace_name": "Acme"}
	again.Take(again.Post(t, "/v1/auth/register", registration, harness.Operation(op)))
	login := func(c *harness.Caller, more map[string]any) harness.Answer {
		body := map[string]any{"email": c.Email, "password": harness.Password}
		maps.Copy(body, more)
		return p.Anonymous().Post(t, "/v1/auth/login", body)
	}
	harness.RequireCode(t, login(ada, map[string]any{"workspace_id": eve.Workspace}), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, []string{"session.refuse FORBIDDEN " + eve.Workspace + " 127.0.0.1"}, ada.AccountEvents(t))

	p.SQL(t, `DELETE FROM workspace_members WHERE user_id IN ($1, $2)`, ada.User, again.User)
	harness.RequireCode(t, login(ada, map[string]any{"workspace_id": ada.Workspace}), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, "session.refuse FORBIDDEN "+ada.Workspace+" 127.0.0.1", ada.AccountEvents(t)[1])
	require.Equal(t, http.StatusOK, login(ada, nil).Status)
	require.Equal(t, "session.open  127.0.0.1", ada.AccountEvents(t)[2])
	require.Equal(t, http.StatusCreated, p.Anonymous().Post(t, "/v1/auth/register", registration, harness.Operation(op)).Status)
	require.Equal(t, []string{"session.open  127.0.0.1"}, again.AccountEvents(t))

	p.SQL(t, `INSERT INTO account_events (user_id, id, action, reason, trace_id, user_agent)
		SELECT $1, gen_random_uuid(), 'session.refuse', 'NO_WORKSPACE', 't', 'u' FROM generate_series(1, 1000)`, ada.User)
	before := p.Number(t, `SELECT count(*) FROM account_events WHERE user_id = $1`, ada.User)
	require.Equal(t, http.StatusOK, login(ada, nil).Status)
	require.Equal(t, before, p.Number(t, `SELECT count(*) FROM account_events WHERE user_id = $1`, ada.User), "a day's events are bounded")
	require.NotContains(t, p.Log.String(), `"level":"ERROR"`)
}

func TestARefusalIsInTheLogOfItsWorkspaceWhoeverIsRefused(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada := p.Register(t)
	key, chat := ada.Key(t, "editor"), ada.NewEndpoint(t, ada.NewBot(t))
	require.Equal(t, http.StatusOK, ada.Call(t, http.MethodPatch, "/v1/webhook-endpoints/"+chat.ID, map[string]any{"status": "disabled"}).Status)
	harness.RequireCode(t, chat.Send(t, "msg_1", harness.InboundMessage("c", "hello")), http.StatusForbidden, "FORBIDDEN")
	refused := func(resource string) int {
		return p.Number(t, `SELECT count(*) FROM audit_log WHERE workspace_id = $1 AND action = 'access.refuse' AND resource_id = $2`, ada.Workspace, resource)
	}
	require.Equal(t, 1, refused(chat.ID), "a sender to an endpoint that is disabled")

	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/workspaces/"+ada.Workspace).Status)
	harness.RequireCode(t, key.Post(t, "/v1/bots", map[string]any{"name": "x"}), http.StatusForbidden, "WORKSPACE_DELETED")
	require.Equal(t, 1, refused(ada.Workspace), "a key of a deleted workspace")
	harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "x"}), http.StatusForbidden, "WORKSPACE_DELETED")
	require.Equal(t, 2, refused(ada.Workspace), "a member of one")
	require.NotContains(t, p.Log.String(), `"level":"ERROR"`)
}
