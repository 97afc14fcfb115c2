package app

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/api"
)

// samples are right bodies for the calls on something with an id; a new call of the document needs one here.
var samples = map[string]any{
	"changeWorkspace":   map[string]any{"name": "Other"},
	"restoreWorkspace":  map[string]any{},
	"leaveWorkspace":    map[string]any{},
	"changeMember":      map[string]any{"role": "editor"},
	"updateInstruction": map[string]any{"instruction": "Be kind."},
	"takeTurn":          map[string]any{"content": "hello"},
	"changeBot":         map[string]any{"name": "Other"},
	"rollBackBot":       map[string]any{"version": 1},
	"publishBot":        map[string]any{"version": 1},
	"changeThread":      map[string]any{"title": "Other"},
	"rateMessage":       map[string]any{"rating": "good"},

	"changeWebhookEndpoint":           map[string]any{"name": "Other"},
	"rotateWebhookEndpointSecret":     map[string]any{},
	"changeWebhookSubscription":       map[string]any{"status": "disabled"},
	"rotateWebhookSubscriptionSecret": map[string]any{},
}

// TestWhatIsAnothersIsAnsweredLikeWhatNeverWas walks every path of the document that has an id in it.
func TestWhatIsAnothersIsAnsweredLikeWhatNeverWas(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0", "LIMIT_SUBSCRIPTIONS=0", "LIMIT_INVITATIONS_DAY=0") // what is retried stays queued
	ada, eve := p.register(t), p.register(t)
	super := pg.Superuser(t, p.database)
	bot := ada.post(t, "/v1/bots", map[string]any{"name": "Support"}).text("id")
	thread := ada.post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).text("id")
	said := ada.post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "secret"})
	other := p.anonymous()
	other.take(other.post(t, "/v1/auth/login", map[string]any{"email": ada.email, "password": password}))
	another := other.get(t, "/v1/auth/me")
	hers := map[string]string{"bot_id": bot, "thread_id": thread, "version": "1", "a": "1", "b": "1",
		"message_id": said.text("assistant_message.id"), "session_id": another.text("session_id")}

	document, err := openapi3.NewLoader().LoadFromData(api.YAML)
	require.NoError(t, err)
	walked := 0
	for template, item := range document.Paths.Map() {
		if !strings.Contains(template, "_id}") {
			continue
		}
		for method, operation := range item.Operations() {
			if operation.OperationID == "receiveWebhook" {
				continue // for senders, who are in no workspace: their secret is what lets them in
			}
			hers["dead_letter_id"] = deadLetter(t, super, ada.workspace, "note") // some calls use up what they are about
			endpoint := ada.newEndpoint(t, bot)
			hers["endpoint_id"], hers["event_id"] = endpoint.id, endpoint.says(t, "chat", "hello").text("event_id")
			hers["subscription_id"] = ada.subscribe(t, "https://example.com/hook", "turn.completed").id
			hers["file_id"] = ada.upload(t, "secret.txt", "secret").text("id")
			hers["delivery_id"] = ada.post(t, "/v1/webhook-subscriptions/"+hers["subscription_id"]+"/ping", nil).text("id")
			hers["thread_id"] = thread
			if strings.Contains(template, "{turn_id}") {
				hers["thread_id"], hers["turn_id"] = ada.turnFor(t, operation.OperationID)
			}
			hers["invitation_id"], _ = ada.invite(t, uuid.NewString()+"@example.com", "viewer")
			hers["key_id"] = ada.key(t, "viewer").user
			hers["user_id"], hers["workspace_id"] = p.join(t, ada, "editor").user, ada.workspace
			if operation.OperationID == "leaveWorkspace" {
				p.join(t, ada, "owner") // or she could not
			}
			own, random := template, template
			for _, name := range regexp.MustCompile(`{(\w+)}`).FindAllStringSubmatch(template, -1) {
				require.Contains(t, hers, name[1], "this test does not know an id for %s", template)
				own = strings.ReplaceAll(own, name[0], hers[name[1]])
				value := uuid.NewString()
				if !strings.HasSuffix(name[1], "_id") {
					value = "1"
				}
				random = strings.ReplaceAll(random, name[0], value)
			}
			var body any
			if operation.RequestBody != nil && operation.RequestBody.Value.Required {
				require.Contains(t, samples, operation.OperationID, "this test does not know a body for %s", operation.OperationID)
				body = samples[operation.OperationID]
			}
			for _, queries := range []string{"", "?limit=1", "?cursor=x"} {
				foreign, never := eve.call(t, method, own+queries, body), eve.call(t, method, random+queries, body)
				requireSameButTrace(t, never, foreign)
				if queries != "?cursor=x" {
					require.Equal(t, http.StatusNotFound, foreign.Status, "%s %s", method, own)
				}
			}
			require.Less(t, ada.call(t, method, own, body).Status, 300, "%s %s: the owner, after the stranger", method, own)
			if operation.OperationID == "deleteWorkspace" {
				require.Equal(t, http.StatusOK, ada.post(t, own+"/restore", nil).Status)
			}
			if operation.OperationID == "leaveWorkspace" {
				p.rejoin(t, ada, "owner") // her sessions have ended with it
				other.take(other.post(t, "/v1/auth/login", map[string]any{"email": ada.email, "password": password, "workspace_id": ada.workspace}))
				hers["session_id"] = other.get(t, "/v1/auth/me").text("session_id")
			}
			walked++
		}
	}
	require.GreaterOrEqual(t, walked, 10, "the walk has missed paths")

	body := func(id string) map[string]any { return map[string]any{"bot_id": id} }
	requireSameButTrace(t, eve.post(t, "/v1/conversations/threads", body(uuid.NewString())), eve.post(t, "/v1/conversations/threads", body(bot)))
	for _, list := range []string{"/v1/bots", "/v1/conversations/threads", "/v1/jobs", "/v1/dead-letters", "/v1/webhook-endpoints", "/v1/webhook-events", "/v1/webhook-subscriptions", "/v1/webhook-deliveries", "/v1/model-keys", "/v1/files"} {
		require.Empty(t, eve.get(t, list).items(), "a foreign row in "+list)
	}
	require.Len(t, ada.get(t, "/v1/conversations/threads/"+thread+"/messages").items(), 4, "the stranger has left something")
}

func requireSameButTrace(t *testing.T, want, got answer) {
	t.Helper()
	require.Equal(t, want.Status, got.Status, got)
	for _, body := range []map[string]any{want.Body, got.Body} {
		require.NotEmpty(t, body["trace_id"])
		delete(body, "trace_id")
	}
	require.Equal(t, want.Body, got.Body)
	names := func(a answer) (out []string) {
		for name := range a.Header {
			out = append(out, name)
		}
		slices.Sort(out)
		return out
	}
	require.Equal(t, names(want), names(got), "the headers tell them apart")
	require.Equal(t, want.Header.Get("Content-Length"), got.Header.Get("Content-Length"))
}

// everyCall asks one read and one change, which have different ways to the database.
func everyCall(t *testing.T, c *caller, headers ...header) []answer {
	t.Helper()
	return []answer{
		c.get(t, "/v1/auth/me", headers...), c.get(t, "/v1/bots", headers...), c.get(t, "/v1/bots/"+uuid.NewString(), headers...),
		c.get(t, "/v1/files/"+uuid.NewString()+"/content", headers...), c.upload(t, "x.txt", "x", headers...),
		c.post(t, "/v1/bots", map[string]any{"name": "x"}, headers...), c.post(t, "/v1/conversations/threads", map[string]any{}, headers...),
		c.post(t, "/v1/conversations/threads/"+uuid.NewString()+"/turn", map[string]any{"content": "x"}, headers...),
		c.put(t, "/v1/bots/"+uuid.NewString()+"/instruction", map[string]any{"instruction": "x"}, headers...),
	}
}

func TestNoHeaderWidensWhatATokenAllows(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	for name, headers := range map[string][]header{
		"a workspace of others":        {{"X-Workspace-Id", ada.workspace}},
		"a workspace that never was":   {{"X-Workspace-Id", uuid.NewString()}},
		"the nil workspace":            {{"X-Workspace-Id", uuid.Nil.String()}},
		"garbage for a workspace":      {{"X-Workspace-Id", "mine"}},
		"a blank workspace":            {{"X-Workspace-Id", " "}},
		"two workspaces":               {{"X-Workspace-Id", eve.workspace}, {"X-Workspace-Id", ada.workspace}},
		"her own workspace twice":      {{"X-Workspace-Id", eve.workspace}, {"X-Workspace-Id", eve.workspace}},
		"another user":                 {{"X-User-Id", ada.user}},
		"garbage for a user":           {{"X-User-Id", "me"}},
		"a blank user":                 {{"X-User-Id", " "}},
		"two users":                    {{"X-User-Id", eve.user}, {"X-User-Id", ada.user}},
		"another user and workspace":   {{"X-User-Id", ada.user}, {"X-Workspace-Id", ada.workspace}},
		"her user, another workspace":  {{"X-User-Id", eve.user}, {"X-Workspace-Id", ada.workspace}},
		"an injection for a workspace": {{"X-Workspace-Id", eve.workspace + "'; reset role; --"}},
	} {
		for _, a := range everyCall(t, eve, headers...) {
			requireCode(t, a, http.StatusForbidden, "FORBIDDEN")
		}
		require.Empty(t, ada.get(t, "/v1/bots").items(), name)
	}
	own := []header{{"X-Workspace-Id", eve.workspace}, {"X-User-Id", strings.ToUpper(eve.user)}}
	for _, a := range everyCall(t, eve, own...) {
		require.NotEqual(t, http.StatusForbidden, a.Status, a)
		require.Equal(t, eve.workspace, a.Header.Get("X-Workspace-Id"))
		require.Equal(t, eve.user, a.Header.Get("X-User-Id"))
	}
}

func TestAMemberOfTwoWorkspacesWorksInTheOneThatItNames(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	super := pg.Superuser(t, p.database)
	_, err := super.Exec(t.Context(), `INSERT INTO workspace_members VALUES ($1, $2, 'editor', now())`, ada.workspace, eve.user)
	require.NoError(t, err)
	there := header{"X-Workspace-Id", ada.workspace}

	bot := eve.post(t, "/v1/bots", map[string]any{"name": "Support"}, there)
	require.Equal(t, http.StatusCreated, bot.Status, bot)
	require.Equal(t, ada.workspace, bot.text("workspace_id"))
	require.Equal(t, ada.workspace, bot.Header.Get("X-Workspace-Id"))
	require.Equal(t, "editor", eve.get(t, "/v1/auth/me", there).text("role"))
	require.Len(t, ada.get(t, "/v1/bots").items(), 1)
	require.Empty(t, eve.get(t, "/v1/bots").items(), "the token's own workspace is another")
	requireCode(t, eve.get(t, "/v1/bots/"+bot.text("id")), http.StatusNotFound, "BOT_NOT_FOUND")

	_, err = super.Exec(t.Context(), `DELETE FROM workspace_members WHERE workspace_id = $1 AND user_id = $2`, ada.workspace, eve.user)
	require.NoError(t, err)
	requireCode(t, eve.get(t, "/v1/bots", there), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, http.StatusOK, eve.get(t, "/v1/bots").Status, "her own workspace is still hers")
}

func TestNothingIsServedWithoutAGoodAccessToken(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	parts := strings.Split(ada.token, ".")
	for name, values := range map[string][]string{
		"none":                  nil,
		"empty":                 {"Bearer "},
		"another scheme":        {"Basic " + ada.token},
		"no scheme":             {ada.token},
		"garbage":               {"Bearer garbage"},
		"dots":                  {"Bearer .."},
		"the refresh token":     {"Bearer " + ada.refresh},
		"two tokens":            {"Bearer " + ada.token, "Bearer " + eve.token},
		"the same token twice":  {"Bearer " + ada.token, "Bearer " + ada.token},
		"two in one":            {"Bearer " + ada.token + ", Bearer " + eve.token},
		"another's signature":   {"Bearer " + parts[0] + "." + parts[1] + "." + strings.Split(eve.token, ".")[2]},
		"another's claims":      {"Bearer " + parts[0] + "." + strings.Split(eve.token, ".")[1] + "." + parts[2]},
		"no signature":          {"Bearer " + parts[0] + "." + parts[1] + "."},
		"alg none":              {"Bearer eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + parts[1] + "."},
		"a token and more":      {"Bearer " + ada.token + " x"},
		"a token with a suffix": {"Bearer " + ada.token + "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers := make([]header, 0, 2)
			for _, v := range values {
				headers = append(headers, header{"Authorization", v})
			}
			for _, a := range everyCall(t, p.anonymous(), headers...) {
				requireCode(t, a, http.StatusUnauthorized, "UNAUTHORIZED")
				require.Contains(t, a.Header.Get("WWW-Authenticate"), "Bearer")
				require.Empty(t, a.Header.Get("X-User-Id"))
			}
			// who may not come in does not learn either what else is wrong
			requireCode(t, p.anonymous().post(t, "/v1/bots", "{", headers...), http.StatusUnauthorized, "UNAUTHORIZED")
		})
	}
	require.Equal(t, http.StatusOK, p.anonymous().get(t, "/v1/bots", header{"Authorization", "bearer " + ada.token}).Status, "RFC 9110: a scheme has no case")
	require.Equal(t, http.StatusOK, p.anonymous().get(t, "/v1/bots", header{"Authorization", "Bearer  " + ada.token}).Status, "RFC 9110: one or more spaces")
	requireCode(t, p.anonymous().post(t, "/v1/auth/refresh", map[string]any{"refresh_token": ada.token}), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, http.StatusOK, p.anonymous().post(t, "/v1/auth/refresh", map[string]any{"refresh_token": ada.refresh}).Status, "a wrong use of the token has ended the session")
}

func TestAnEndedSessionIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t)
	for name, end := range map[string]string{
		"revoked":    `UPDATE sessions SET revoked_at = now() WHERE user_id = $1`,
		"idle":       `UPDATE sessions SET idle_expires_at = now() WHERE user_id = $1`,
		"too old":    `UPDATE sessions SET expires_at = now() WHERE user_id = $1`,
		"no member":  `DELETE FROM workspace_members WHERE user_id = $1`,
		"no session": `DELETE FROM sessions WHERE user_id = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ada := p.register(t)
			op := operation(uuid.NewString())
			require.Equal(t, http.StatusCreated, ada.post(t, "/v1/bots", map[string]any{"name": "a"}, op).Status)
			_, err := pg.Superuser(t, p.database).Exec(t.Context(), end, ada.user)
			require.NoError(t, err)
			for _, a := range everyCall(t, ada) {
				requireCode(t, a, http.StatusUnauthorized, "UNAUTHORIZED")
			}
			requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": "a"}, op), http.StatusUnauthorized, "UNAUTHORIZED")
			requireCode(t, ada.post(t, "/v1/auth/refresh", map[string]any{"refresh_token": ada.refresh}), http.StatusUnauthorized, "UNAUTHORIZED")
		})
	}
}
