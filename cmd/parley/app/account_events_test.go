package app

import (
	"maps"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// accountEvents gives action, reason and wanted workspace of the events of the caller's account, the oldest first.
func (c *caller) accountEvents(t *testing.T) []string {
	t.Helper()
	return c.texts(t, `SELECT concat_ws(' ', action, reason, wanted_workspace_id, host(ip)) FROM account_events
		WHERE user_id = $1 AND operation_id IS NOT NULL AND trace_id <> '' AND user_agent <> '' ORDER BY id`, c.user)
}

func TestLogInsOfSomebodyInNoWorkspaceAreRecordedForTheAccount(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	op := uuid.NewString()
	again := &caller{program: p, email: "again@example.com"}
	registration := map[string]any{"email": again.email, "password": password, "workspace_name": "Acme"}
	again.take(again.post(t, "/v1/auth/register", registration, operation(op)))
	login := func(c *caller, more map[string]any) answer {
		body := map[string]any{"email": c.email, "password": password}
		maps.Copy(body, more)
		return p.anonymous().post(t, "/v1/auth/login", body)
	}
	requireCode(t, login(ada, map[string]any{"workspace_id": eve.workspace}), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, []string{"session.refuse FORBIDDEN " + eve.workspace + " 127.0.0.1"}, ada.accountEvents(t))

	p.sql(t, `DELETE FROM workspace_members WHERE user_id IN ($1, $2)`, ada.user, again.user)
	requireCode(t, login(ada, map[string]any{"workspace_id": ada.workspace}), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, "session.refuse FORBIDDEN "+ada.workspace+" 127.0.0.1", ada.accountEvents(t)[1])
	require.Equal(t, http.StatusOK, login(ada, nil).Status)
	require.Equal(t, "session.open  127.0.0.1", ada.accountEvents(t)[2])
	require.Equal(t, http.StatusCreated, p.anonymous().post(t, "/v1/auth/register", registration, operation(op)).Status)
	require.Equal(t, []string{"session.open  127.0.0.1"}, again.accountEvents(t))

	p.sql(t, `INSERT INTO account_events (user_id, id, action, reason, trace_id, user_agent)
		SELECT $1, gen_random_uuid(), 'session.refuse', 'NO_WORKSPACE', 't', 'u' FROM generate_series(1, 1000)`, ada.user)
	before := p.number(t, `SELECT count(*) FROM account_events WHERE user_id = $1`, ada.user)
	require.Equal(t, http.StatusOK, login(ada, nil).Status)
	require.Equal(t, before, p.number(t, `SELECT count(*) FROM account_events WHERE user_id = $1`, ada.user), "a day's events are bounded")
	require.NotContains(t, p.log.String(), `"level":"ERROR"`)
}

func TestARefusalIsInTheLogOfItsWorkspaceWhoeverIsRefused(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ada := p.register(t)
	key, chat := ada.key(t, "editor"), ada.newEndpoint(t, ada.newBot(t))
	require.Equal(t, http.StatusOK, ada.call(t, http.MethodPatch, "/v1/webhook-endpoints/"+chat.id, map[string]any{"status": "disabled"}).Status)
	requireCode(t, chat.send(t, "msg_1", said("c", "hello")), http.StatusForbidden, "FORBIDDEN")
	refused := func(resource string) int {
		return p.number(t, `SELECT count(*) FROM audit_log WHERE workspace_id = $1 AND action = 'access.refuse' AND resource_id = $2`, ada.workspace, resource)
	}
	require.Equal(t, 1, refused(chat.id), "a sender to an endpoint that is disabled")

	require.Equal(t, http.StatusNoContent, ada.delete(t, "/v1/workspaces/"+ada.workspace).Status)
	requireCode(t, key.post(t, "/v1/bots", map[string]any{"name": "x"}), http.StatusForbidden, "WORKSPACE_DELETED")
	require.Equal(t, 1, refused(ada.workspace), "a key of a deleted workspace")
	requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": "x"}), http.StatusForbidden, "WORKSPACE_DELETED")
	require.Equal(t, 2, refused(ada.workspace), "a member of one")
	require.NotContains(t, p.log.String(), `"level":"ERROR"`)
}
