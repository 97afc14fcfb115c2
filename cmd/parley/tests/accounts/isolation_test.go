package accounts

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/api"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

// samples are right bodies for the calls on something with an id; a new call of the document needs one here.
var samples = map[string]any{
	"changeApiKey":     map[string]any{"name": "x"},
	"mergeEndUser":     map[string]any{"external_id": "known"},
	"changeWorkspace":  map[string]any{"name": "Other"},
	"restoreWorkspace": map[string]any{},
	"leaveWorkspace":   map[string]any{},
	"startExport":      map[string]any{},

	"putSecondFactorDemand": map[string]any{"required": false},
	"putRetention":          map[string]any{"threads_days": 30},

	"changeMember":         map[string]any{"role": "editor"},
	"updateInstruction":    map[string]any{"instruction": "Be kind."},
	"takeTurn":             map[string]any{"content": "hello"},
	"tryVersion":           map[string]any{"content": "hello"},
	"sendAISDKMessage":     map[string]any{"id": "c", "messages": []any{map[string]any{"role": "user", "parts": []any{map[string]any{"type": "text", "text": "hello"}}}}},
	"createResponse":       map[string]any{"model": "none", "input": "hello"},
	"cancelResponse":       map[string]any{},
	"createChatCompletion": map[string]any{"model": "none", "messages": []any{map[string]any{"role": "user", "content": "hello"}}},
	"changeBot":            map[string]any{"name": "Other"},
	"rollBackBot":          map[string]any{"version": 1},
	"publishBot":           map[string]any{"version": 1},
	"changeThread":         map[string]any{"title": "Other"},
	"rateMessage":          map[string]any{"rating": "good"},

	"changeTool":          map[string]any{"description": "Other"},
	"reviewTool":          map[string]any{"decision": "reject", "hash": strings.Repeat("0", 64)},
	"decideToolCall":      map[string]any{"decision": "deny"},
	"answerToolCall":      map[string]any{"content": "red"},
	"changeKnowledgeBase": map[string]any{"name": "Other"},
	"searchKnowledgeBase": map[string]any{"query": "secret"},
	"addDocument":         map[string]any{"title": "Other", "text": "secret"},
	"changeDocument":      map[string]any{"title": "Other"},

	"changeWebhookEndpoint":           map[string]any{"name": "Other"},
	"rotateWebhookEndpointSecret":     map[string]any{},
	"changeWebhookSubscription":       map[string]any{"status": "disabled"},
	"rotateWebhookSubscriptionSecret": map[string]any{},
}

// makersOf make what a path names by its ids, and note the ids.
func makersOf(t *testing.T, ada *harness.Caller, super *pgx.Conn, bot string) map[string]func(hers map[string]string) {
	t.Helper()
	subscription := func(hers map[string]string) {
		hers["subscription_id"] = ada.Subscribe(t, "https://example.com/hook", "turn.completed").ID
	}
	event := func(hers map[string]string) {
		endpoint := ada.NewEndpoint(t, bot)
		hers["endpoint_id"], hers["event_id"] = endpoint.ID, endpoint.Says(t, "chat", "hello").Text("event_id")
	}
	document := func(hers map[string]string) {
		hers["knowledge_base_id"], hers["document_id"] = ada.IndexedBy(t, super)
	}
	return map[string]func(hers map[string]string){
		"dead_letter_id": func(hers map[string]string) {
			hers["dead_letter_id"] = harness.DeadLetter(t, super, ada.Workspace, "note")
		},
		"endpoint_id": event, "event_id": event, "subscription_id": subscription, "knowledge_base_id": document,
		"tool_id":      func(hers map[string]string) { hers["tool_id"] = ada.NewTool(t) },
		"tool_call_id": func(hers map[string]string) { hers["tool_call_id"] = ada.WaitingCall(t, true) },
		"file_id":      func(hers map[string]string) { hers["file_id"] = ada.Upload(t, "secret.txt", "secret").Text("id") },
		"delivery_id": func(hers map[string]string) {
			subscription(hers)
			hers["delivery_id"] = ada.Post(t, "/v1/webhook-subscriptions/"+hers["subscription_id"]+"/ping", nil).Text("id")
		},
		"invitation_id": func(hers map[string]string) {
			hers["invitation_id"], _ = ada.Invite(t, uuid.NewString()+"@example.com", "viewer")
		},
		"identity_id": func(hers map[string]string) { hers["identity_id"] = ada.Identity(t, super) },
		"end_user_id": func(hers map[string]string) { hers["end_user_id"] = ada.Key(t, "embed").EndUser(t, bot).User },
		"key_id":      func(hers map[string]string) { hers["key_id"] = ada.Key(t, "viewer").User },
		"user_id":     func(hers map[string]string) { hers["user_id"] = ada.Join(t, ada, "editor").User },
	}
}

// TestWhatIsAnothersIsAnsweredLikeWhatNeverWas walks every path of the document that has an id in it.
func TestWhatIsAnothersIsAnsweredLikeWhatNeverWas(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0", "LIMIT_SUBSCRIPTIONS=0", "LIMIT_INVITATIONS_DAY=0") // what is retried stays queued
	ada, eve := p.Register(t), p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Support"}).Text("id")
	thread := ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).Text("id")
	turn := ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "secret"})
	other := p.Anonymous()
	other.Take(other.Post(t, "/v1/auth/login", map[string]any{"email": ada.Email, "password": harness.Password}))
	another := other.Get(t, "/v1/auth/me")
	hers := map[string]string{"bot_id": bot, "thread_id": thread, "version": "1", "a": "1", "b": "1", "chat_id": "c",
		"session_id": another.Text("session_id")}

	hers["export_id"] = ada.Post(t, "/v1/workspaces/"+ada.Workspace+"/export", nil).Text("id")
	_, err := super.Exec(t.Context(), `UPDATE workspace_exports SET status = 'failed', finished_at = now()`) // or she could start no other
	require.NoError(t, err)

	document, err := openapi3.NewLoader().LoadFromData(api.YAML)
	require.NoError(t, err)
	makers := makersOf(t, ada, super, bot)
	walked := 0
	for template, item := range document.Paths.Map() {
		if !strings.Contains(template, "_id}") {
			continue
		}
		for method, operation := range item.Operations() {
			if operation.OperationID == "receiveWebhook" || operation.OperationID == "downloadExport" {
				continue // for who is in no workspace: a secret, or the token of a link, is what lets them in
			}
			// Some calls use up what they are about, and most things take several calls to make: each call has those made
			// anew that it names.
			named := func(id string) bool { return strings.Contains(template, "{"+id+"}") }
			for id, make := range makers {
				if named(id) {
					make(hers)
				}
			}
			hers["thread_id"], hers["workspace_id"] = thread, ada.Workspace
			if named("response_id") {
				in, of := ada.TurnFor(t, operation.OperationID)
				hers["response_id"] = "resp_" + strings.ReplaceAll(in+of, "-", "")
			}
			if named("turn_id") {
				hers["thread_id"], hers["turn_id"] = ada.TurnFor(t, operation.OperationID)
			}
			switch operation.OperationID {
			case "deleteBot":
				hers["bot_id"] = ada.NewBot(t)
			case "reviewTool":
				ada.Reviewed(t, super, hers["tool_id"], strings.Repeat("0", 64))
			case "decideToolCall":
				hers["tool_call_id"] = ada.WaitingCall(t, false)
			case "deleteThread":
				hers["thread_id"] = ada.Thread(t, bot)
			case "deleteMessage":
				hers["message_id"] = ada.Hi(t, ada.Thread(t, bot)).Text("assistant_message.id")
			case "leaveWorkspace":
				p.Join(t, ada, "owner") // or she could not
				fallthrough
			default:
				hers["bot_id"], hers["message_id"] = bot, turn.Text("assistant_message.id")
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
				foreign, never := eve.Call(t, method, own+queries, body), eve.Call(t, method, random+queries, body)
				harness.RequireSameButTrace(t, never, foreign)
				if queries != "?cursor=x" {
					require.Equal(t, http.StatusNotFound, foreign.Status, "%s %s", method, own)
				}
			}
			require.Less(t, ada.Call(t, method, own, body).Status, 300, "%s %s: the owner, after the stranger", method, own)
			if operation.OperationID == "deleteWorkspace" {
				require.Equal(t, http.StatusOK, ada.Post(t, own+"/restore", nil).Status)
			}
			if operation.OperationID == "leaveWorkspace" {
				p.Rejoin(t, ada, "owner") // her sessions have ended with it
				other.Take(other.Post(t, "/v1/auth/login", map[string]any{"email": ada.Email, "password": harness.Password, "workspace_id": ada.Workspace}))
				hers["session_id"] = other.Get(t, "/v1/auth/me").Text("session_id")
			}
			walked++
		}
	}
	require.GreaterOrEqual(t, walked, 10, "the walk has missed paths")

	body := func(id string) map[string]any { return map[string]any{"bot_id": id} }
	harness.RequireSameButTrace(t, eve.Post(t, "/v1/conversations/threads", body(uuid.NewString())), eve.Post(t, "/v1/conversations/threads", body(bot)))
	for _, list := range []string{"/v1/bots", "/v1/conversations/threads", "/v1/jobs", "/v1/dead-letters", "/v1/webhook-endpoints", "/v1/webhook-events", "/v1/webhook-subscriptions", "/v1/webhook-deliveries", "/v1/model-keys", "/v1/files", "/v1/knowledge-bases", "/v1/tools"} {
		require.Empty(t, eve.Get(t, list).Items(), "a foreign row in "+list)
	}
	require.Len(t, ada.Get(t, "/v1/conversations/threads/"+thread+"/messages").Items(), 4, "the stranger has left something")
}

func TestNoHeaderWidensWhatATokenAllows(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	for name, headers := range map[string][]harness.Header{
		"a workspace of others":        {{Name: "X-Workspace-Id", Value: ada.Workspace}},
		"a workspace that never was":   {{Name: "X-Workspace-Id", Value: uuid.NewString()}},
		"the nil workspace":            {{Name: "X-Workspace-Id", Value: uuid.Nil.String()}},
		"garbage for a workspace":      {{Name: "X-Workspace-Id", Value: "mine"}},
		"a blank workspace":            {{Name: "X-Workspace-Id", Value: " "}},
		"two workspaces":               {{Name: "X-Workspace-Id", Value: eve.Workspace}, {Name: "X-Workspace-Id", Value: ada.Workspace}},
		"her own workspace twice":      {{Name: "X-Workspace-Id", Value: eve.Workspace}, {Name: "X-Workspace-Id", Value: eve.Workspace}},
		"another user":                 {{Name: "X-User-Id", Value: ada.User}},
		"garbage for a user":           {{Name: "X-User-Id", Value: "me"}},
		"a blank user":                 {{Name: "X-User-Id", Value: " "}},
		"two users":                    {{Name: "X-User-Id", Value: eve.User}, {Name: "X-User-Id", Value: ada.User}},
		"another user and workspace":   {{Name: "X-User-Id", Value: ada.User}, {Name: "X-Workspace-Id", Value: ada.Workspace}},
		"her user, another workspace":  {{Name: "X-User-Id", Value: eve.User}, {Name: "X-Workspace-Id", Value: ada.Workspace}},
		"an injection for a workspace": {{Name: "X-Workspace-Id", Value: eve.Workspace + "'; reset role; --"}},
	} {
		for _, a := range harness.EveryCall(t, eve, headers...) {
			harness.RequireCode(t, a, http.StatusForbidden, "FORBIDDEN")
		}
		require.Empty(t, ada.Get(t, "/v1/bots").Items(), name)
	}
	own := []harness.Header{{Name: "X-Workspace-Id", Value: eve.Workspace}, {Name: "X-User-Id", Value: strings.ToUpper(eve.User)}}
	for _, a := range harness.EveryCall(t, eve, own...) {
		require.NotEqual(t, http.StatusForbidden, a.Status, a)
		require.Equal(t, eve.Workspace, a.Header.Get("X-Workspace-Id"))
		require.Equal(t, eve.User, a.Header.Get("X-User-Id"))
	}
}

func TestAMemberOfTwoWorkspacesWorksInTheOneThatItNames(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	_, err := super.Exec(t.Context(), `INSERT INTO workspace_members VALUES ($1, $2, 'editor', now())`, ada.Workspace, eve.User)
	require.NoError(t, err)
	there := harness.Header{Name: "X-Workspace-Id", Value: ada.Workspace}

	bot := eve.Post(t, "/v1/bots", map[string]any{"name": "Support"}, there)
	require.Equal(t, http.StatusCreated, bot.Status, bot)
	require.Equal(t, ada.Workspace, bot.Text("workspace_id"))
	require.Equal(t, ada.Workspace, bot.Header.Get("X-Workspace-Id"))
	require.Equal(t, "editor", eve.Get(t, "/v1/auth/me", there).Text("role"))
	require.Len(t, ada.Get(t, "/v1/bots").Items(), 1)
	require.Empty(t, eve.Get(t, "/v1/bots").Items(), "the token's own workspace is another")
	harness.RequireCode(t, eve.Get(t, "/v1/bots/"+bot.Text("id")), http.StatusNotFound, "BOT_NOT_FOUND")

	_, err = super.Exec(t.Context(), `DELETE FROM workspace_members WHERE workspace_id = $1 AND user_id = $2`, ada.Workspace, eve.User)
	require.NoError(t, err)
	harness.RequireCode(t, eve.Get(t, "/v1/bots", there), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, http.StatusOK, eve.Get(t, "/v1/bots").Status, "her own workspace is still hers")
}

func TestNothingIsServedWithoutAGoodAccessToken(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	parts := strings.Split(ada.Token, ".")
	for name, values := range map[string][]string{
		"none":                  nil,
		"empty":                 {"Bearer "},
		"another scheme":        {"Basic " + ada.Token},
		"no scheme":             {ada.Token},
		"garbage":               {"Bearer garbage"},
		"dots":                  {"Bearer .."},
		"the refresh token":     {"Bearer " + ada.Refresh},
		"two tokens":            {"Bearer " + ada.Token, "Bearer " + eve.Token},
		"the same token twice":  {"Bearer " + ada.Token, "Bearer " + ada.Token},
		"two in one":            {"Bearer " + ada.Token + ", Bearer " + eve.Token},
		"another's signature":   {"Bearer " + parts[0] + "." + parts[1] + "." + strings.Split(eve.Token, ".")[2]},
		"another's claims":      {"Bearer " + parts[0] + "." + strings.Split(eve.Token, ".")[1] + "." + parts[2]},
		"no signature":          {"Bearer " + parts[0] + "." + parts[1] + "."},
		"alg none":              {"Bearer eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + parts[1] + "."},
		"a token and more":      {"Bearer " + ada.Token + " x"},
		"a token with a suffix": {"Bearer " + ada.Token + "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers := make([]harness.Header, 0, 2)
			for _, v := range values {
				headers = append(headers, harness.Header{Name: "Authorization", Value: v})
			}
			for _, a := range harness.EveryCall(t, p.Anonymous(), headers...) {
				harness.RequireCode(t, a, http.StatusUnauthorized, "UNAUTHORIZED")
				require.Contains(t, a.Header.Get("WWW-Authenticate"), "Bearer")
				require.Empty(t, a.Header.Get("X-User-Id"))
			}
			// who may not come in does not learn either what else is wrong
			harness.RequireCode(t, p.Anonymous().Post(t, "/v1/bots", "{", headers...), http.StatusUnauthorized, "UNAUTHORIZED")
		})
	}
	require.Equal(t, http.StatusOK, p.Anonymous().Get(t, "/v1/bots", harness.Header{Name: "Authorization", Value: "bearer " + ada.Token}).Status, "RFC 9110: a scheme has no case")
	require.Equal(t, http.StatusOK, p.Anonymous().Get(t, "/v1/bots", harness.Header{Name: "Authorization", Value: "Bearer  " + ada.Token}).Status, "RFC 9110: one or more spaces")
	harness.RequireCode(t, p.Anonymous().Post(t, "/v1/auth/refresh", map[string]any{"refresh_token": ada.Token}), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, http.StatusOK, p.Anonymous().Post(t, "/v1/auth/refresh", map[string]any{"refresh_token": ada.Refresh}).Status, "a wrong use of the token has ended the session")
}

func TestAnEndedSessionIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	for name, end := range map[string]string{
		"revoked":    `UPDATE sessions SET revoked_at = now() WHERE user_id = $1`,
		"idle":       `UPDATE sessions SET idle_expires_at = now() WHERE user_id = $1`,
		"too old":    `UPDATE sessions SET expires_at = now() WHERE user_id = $1`,
		"no member":  `DELETE FROM workspace_members WHERE user_id = $1`,
		"no session": `DELETE FROM sessions WHERE user_id = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ada := p.Register(t)
			op := harness.Operation(uuid.NewString())
			require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/bots", map[string]any{"name": "a"}, op).Status)
			_, err := harness.Postgres.Superuser(t, p.Database).Exec(t.Context(), end, ada.User)
			require.NoError(t, err)
			for _, a := range harness.EveryCall(t, ada) {
				harness.RequireCode(t, a, http.StatusUnauthorized, "UNAUTHORIZED")
			}
			harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "a"}, op), http.StatusUnauthorized, "UNAUTHORIZED")
			harness.RequireCode(t, ada.Post(t, "/v1/auth/refresh", map[string]any{"refresh_token": ada.Refresh}), http.StatusUnauthorized, "UNAUTHORIZED")
		})
	}
}
