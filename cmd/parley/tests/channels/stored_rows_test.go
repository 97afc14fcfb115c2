package channels

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/api"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

// wide is a text of n characters of four bytes each.
func wide(n int) string { return strings.Repeat("😀", n) }

// numbers is a JSON object with a list of numbers, as long as n bytes without spaces. Postgres writes a space behind each
// comma, so that it is half as long again when it is read.
func numbers(n int) json.RawMessage {
	const frame = len(`{"metadata":{"n":[]}}`)
	return json.RawMessage(`{"metadata":{"n":[` + strings.Repeat("1,", (n-frame-1)/2) + strings.Repeat("1", 2-(n-frame)%2) + `]}}`)
}

// filled is a workspace in which everything is as long as it may be, and the ids of what is in it by their names in paths.
type filled struct {
	*harness.Caller
	ids map[string]string
}

func fillLimits(t *testing.T, ada *harness.Caller) filled {
	t.Helper()
	made := func(a harness.Answer) harness.Answer {
		t.Helper()
		require.Less(t, a.Status, 300, a)
		return a
	}
	made(ada.Patch(t, "/v1/workspaces/"+ada.Workspace, map[string]any{"name": wide(200)}))
	bot := made(ada.Post(t, "/v1/bots", map[string]any{"name": wide(200), "instruction": wide(50_000), "settings": numbers(64 << 10)})).Text("id")
	instruction := "/v1/bots/" + bot + "/instruction"
	made(ada.Put(t, instruction, map[string]any{"instruction": wide(50_000), "settings": numbers(64 << 10), "note": wide(500)}))
	harness.RequireWrong(t, ada.Put(t, instruction, map[string]any{"instruction": "x", "settings": numbers(64<<10 + 1)}), "settings")
	thread := "/v1/conversations/threads/" + made(ada.Post(t, "/v1/conversations/threads", map[string]any{
		"bot_id": bot, "title": wide(200), "metadata": numbers(16 << 10),
	})).Text("id")
	turn := made(ada.Post(t, thread+"/turn", harness.Says(wide(50_000))))
	message := turn.Text("assistant_message.id")
	made(ada.Put(t, "/v1/conversations/messages/"+message+"/feedback", map[string]any{"rating": "good", "comment": wide(2000)}))
	bots := []string{bot}
	for range 99 {
		bots = append(bots, ada.NewBot(t))
	}
	networks := make([]string, 50)
	for n := range networks {
		networks[n] = fmt.Sprintf("2001:db8:aaaa:bbbb:cccc:dddd:eeee:%x/128", 0x1000+n)
	}
	key := made(ada.Post(t, "/v1/api-keys", map[string]any{
		"name": wide(200), "role": "viewer", "bot_ids": bots, "allowed_addresses": networks, "limits": keyLimits(1_000_000_000_000),
	})).Text("id")
	embed := made(ada.Post(t, "/v1/api-keys", map[string]any{"name": "embed", "role": "embed"}))
	embedder := &harness.Caller{Program: ada.Program, Token: embed.Text("key")}
	endUser := made(embedder.Post(t, "/v1/end-user-tokens", map[string]any{
		"bot_id": bot, "external_id": wide(200), "name": wide(200), "metadata": numbers(16 << 10),
	})).Text("end_user_id")
	made(ada.Post(t, "/v1/invitations", map[string]any{"email": strings.Repeat("a", 64) + "@" + strings.Repeat("b.", 60) + "example.com", "role": "viewer"}))
	made(ada.Put(t, "/v1/model-settings", map[string]any{"default_model": "openai/" + strings.Repeat("m", 150), "fallbacks": []string{"echo"}}))
	made(ada.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": strings.Repeat("k", 500)}))
	made(ada.Put(t, "/v1/model-settings", map[string]any{"default_model": nil, "fallbacks": []string{}}))
	made(ada.Put(t, "/v1/model-keys/embedding", map[string]any{
		"api_key": strings.Repeat("k", 500), "model": strings.Repeat("m", 200), "dimensions": 4096,
		"base_url": "https://example.com/" + strings.Repeat("u", 2000-len("https://example.com/")),
	}))
	endpoint := made(ada.Post(t, "/v1/webhook-endpoints", map[string]any{"name": wide(200), "bot_id": bot}))
	chat := newSender(ada, endpoint)
	event := made(chat.Send(t, strings.Repeat("w", 256), harness.InboundMessage(wide(256), wide(50_000)))).Text("event_id")
	sub := made(ada.Post(t, "/v1/webhook-subscriptions", map[string]any{
		"url": "https://example.com/" + strings.Repeat("u", 2000-len("https://example.com/")), "events": []string{"bot.updated"},
	})).Text("id")
	made(ada.Post(t, "/v1/bots/"+bot+"/rollback", map[string]any{"version": 1, "note": wide(500)}))
	export := made(ada.Post(t, "/v1/workspaces/"+ada.Workspace+"/export", nil)).Text("id")
	base, document := ada.IndexedBy(t, harness.Postgres.Superuser(t, ada.Database))
	made(ada.Patch(t, "/v1/knowledge-bases/"+base, map[string]any{"name": wide(200), "description": wide(2000)}))
	made(ada.Patch(t, "/v1/knowledge-bases/"+base+"/documents/"+document, map[string]any{"title": wide(300), "metadata": map[string]any{"x": wide(200)}}))
	tool := made(ada.Post(t, "/v1/tools", map[string]any{
		"kind": "http", "name": strings.Repeat("n", 64), "description": wide(4000), "effect": "read", "method": "GET",
		"schema":             map[string]any{"type": "object", "description": strings.Repeat("d", 32<<10-len(`{"description":"","type":"object"}`))},
		"url":                "https://example.com/" + strings.Repeat("u", 2000-len("https://example.com/")),
		"idempotency_header": strings.Repeat("h", 64), "note": wide(500), "timeout_ms": 60_000, "max_output_bytes": 1 << 20,
	})).Text("id")
	made(ada.Patch(t, "/v1/tools/"+tool, map[string]any{"note": wide(500)}))
	waiting := ada.WaitingCall(t, true)
	made(ada.Post(t, "/v1/tool-calls/"+waiting+"/result", map[string]any{"content": wide(100_000)}))
	return filled{ada, map[string]string{
		"tool_id": tool, "tool_call_id": waiting,
		"knowledge_base_id": base, "document_id": document,
		"workspace_id": ada.Workspace, "bot_id": bot, "version": "2", "a": "1", "b": "2", "thread_id": strings.TrimPrefix(thread, "/v1/conversations/threads/"),
		"turn_id": turn.Text("turn_id"), "message_id": message, "endpoint_id": endpoint.Text("id"), "event_id": event, "subscription_id": sub,
		"key_id": key, "user_id": ada.User, "export_id": export, "end_user_id": endUser,
		"file_id":     made(ada.Upload(t, wide(255), "x")).Text("id"),
		"delivery_id": ada.Get(t, "/v1/webhook-deliveries").Items()[0]["id"].(string), "dead_letter_id": uuid.NewString(),
	}}
}

// keyLimits is every limit that an API key may have.
func keyLimits(n int) map[string]any {
	limits := map[string]any{}
	for _, metric := range []string{"requests", "turns", "tokens", "cost_micros"} {
		for _, period := range []string{"minute", "day", "month"} {
			limits[metric+"_per_"+period] = n
		}
	}
	return limits
}

func newSender(c *harness.Caller, made harness.Answer) harness.Endpoint {
	return harness.Endpoint{Program: c.Program, ID: made.Text("id"), Secret: made.Text("secret")}
}

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// requireReadable makes every call of the document that only reads.
func (f filled) requireReadable(t *testing.T) {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(api.YAML)
	require.NoError(t, err)
	for template, item := range document.Paths.Map() {
		if item.Get == nil || !strings.HasPrefix(template, "/v1/") || item.Get.Security != nil { // or it needs no token
			continue
		}
		path := pathParameter.ReplaceAllStringFunc(template, func(name string) string {
			id := f.ids[strings.Trim(name, "{}")]
			require.NotEmpty(t, id, "%s: fillLimits has nothing of %s", template, name)
			return id
		})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+f.Token)
		res, err := http.DefaultTransport.RoundTrip(req) // not the caller's client, which reads numbers as doubles
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err, template)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusOK, res.StatusCode, "%s: %.500s", template, body)
	}
}

// Limits are for what comes in: whatever was let in can be read, in the form that the database gives it, and worked with.
func TestWhatFillsItsLimitsCanBeReadAndChanged(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0", "BODY_LIMIT=4194304")
	f := fillLimits(t, p.Register(t))
	f.ids["dead_letter_id"] = f.letter(t, 1)
	f.requireReadable(t)
	f.requireUsable(t)
}

// What is stored may be beyond every limit of today: limits were higher, or an operator has changed it.
func TestRowsBeyondTheLimitsCanBeReadAndChanged(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0", "BODY_LIMIT=4194304")
	f := fillLimits(t, p.Register(t))
	super := harness.Postgres.Superuser(t, p.Database)
	const long, longer = "repeat('😀', 5000)", "repeat('😀', 60000)"
	const number = `'{"metadata": {"big": 1e400, "small": 1e-400, "exact": 0.1000000000000000000000000001}}'::jsonb`
	for _, sql := range []string{
		`DO $$ DECLARE c record; BEGIN
			FOR c IN SELECT conrelid::regclass AS tab, conname FROM pg_constraint
			          WHERE contype = 'c' AND connamespace = 'public'::regnamespace AND pg_get_constraintdef(oid) ~ '_length|cardinality' LOOP
				EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.tab, c.conname);
			END LOOP;
		END $$`,
		`UPDATE workspaces SET name = ` + long,
		`UPDATE bots SET name = ` + long,
		`UPDATE bot_versions SET instruction = ` + longer + `, note = ` + long + `,
			settings = ` + number + ` || jsonb_build_object('n', (SELECT jsonb_agg(g) FROM generate_series(1, 20000) g))`,
		`UPDATE threads SET title = ` + long + `, metadata = ` + number + ` || jsonb_build_object('n', ` + long + `)`,
		`UPDATE messages SET content = ` + longer,
		`UPDATE message_feedback SET comment = ` + longer,
		`UPDATE files SET name = E'../\u0007' || ` + long,
		`UPDATE knowledge_bases SET name = ` + long + `, description = ` + longer,
		`UPDATE tool_versions SET description = ` + longer + `, schema = '{"type": "object", "description": "' || ` + longer + ` || '"}', url = ` + longer + `, note = ` + long,
		`UPDATE tool_calls SET said = ` + longer + `, name = ` + long + `, result = ` + longer + `, reason = ` + long + `, arguments = ` + number + ` -> 'metadata'`,
		`UPDATE documents SET title = ` + long + `, metadata = ` + number + ` -> 'metadata'`,
		`UPDATE document_texts SET text = ` + longer,
		`UPDATE chunks SET text = ` + longer + `, headings = ARRAY(SELECT repeat('h', 500) FROM generate_series(1, 100))`,
		`UPDATE webhook_endpoints SET name = ` + long,
		`UPDATE webhook_subscriptions SET url = ` + longer,
		`UPDATE webhook_events SET webhook_id = repeat('w', 2000), kind = 'message.received', conversation_id = 'c', body = NULL,
			payload = ` + number + ` || jsonb_build_object('type', 'message.received', 'data', jsonb_build_object('conversation_id', 'c', 'text', ` + longer + `))`,
		`UPDATE end_users SET name = ` + long + `, metadata = ` + number,
		`UPDATE api_keys SET name = ` + long + `, bot_ids = ARRAY(SELECT gen_random_uuid() FROM generate_series(1, 1000))`,
		`UPDATE invitations SET email = ` + long,
		`UPDATE model_settings SET default_model = repeat('m', 5000), fallbacks = ARRAY(SELECT repeat('m', 500) FROM generate_series(1, 100))`,
		`UPDATE sessions SET user_agent = ` + long,
		`UPDATE llm_turns SET error = ` + longer + `, error_code = ` + long + `, error_message = ` + longer,
		`UPDATE model_keys SET last_four = ` + long,
	} {
		_, err := super.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	f.ids["dead_letter_id"] = f.letter(t, 1<<20)
	f.requireReadable(t)
	for _, sql := range []string{
		`UPDATE model_settings SET default_model = NULL, fallbacks = '{}'`,
		`UPDATE bot_versions SET settings = jsonb_set(settings, '{metadata,big}', '1')`, // the test reads numbers as doubles
		`UPDATE threads SET metadata = jsonb_set(metadata, '{metadata,big}', '1')`,
		`UPDATE webhook_events SET payload = jsonb_set(payload, '{metadata,big}', '1')`,
		`UPDATE documents SET metadata = jsonb_set(metadata, '{big}', '1')`,
	} {
		_, err := super.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	f.requireUsable(t)

	// A message that came in before is answered as well.
	_, err := super.Exec(t.Context(), `UPDATE job_queue SET run_at = now()`)
	require.NoError(t, err)
	other := harness.StartOn(t, p.Database, append(p.Settings, "WORKERS=2")...)
	there := &harness.Caller{Program: other, Token: f.Token}
	require.Equal(t, "processed", there.WaitUntil(t, "/v1/webhook-events/"+f.ids["event_id"], "status", "processed").Text("status"))
}

// letter puts a dead letter with a payload of some bytes into the workspace.
func (f filled) letter(t *testing.T, size int) (id string) {
	t.Helper()
	err := harness.Postgres.Superuser(t, f.Database).QueryRow(t.Context(), `INSERT INTO dead_letter_queue
		(workspace_id, id, job_id, kind, key, payload, trace_id, priority, attempts, failures, max_attempts, errors)
		VALUES ($1, gen_random_uuid(), gen_random_uuid(), 'x', 'x', jsonb_build_object('x', repeat('x', $2)), 't', 0, 1, 1, 1, '[]') RETURNING id::text`,
		f.Workspace, size).Scan(&id)
	require.NoError(t, err)
	return id
}

// requireUsable changes what is stored, by calls that name none of what is too long.
func (f filled) requireUsable(t *testing.T) {
	t.Helper()
	bot, thread := "/v1/bots/"+f.ids["bot_id"], "/v1/conversations/threads/"+f.ids["thread_id"]
	for name, a := range map[string]harness.Answer{
		"the instruction alone": f.Put(t, bot+"/instruction", map[string]any{"instruction": "Be kind."}),
		"a rollback":            f.Post(t, bot+"/rollback", map[string]any{"version": 2}),
		"publishing":            f.Post(t, bot+"/publish", map[string]any{"version": 1}),
		"the status of a bot":   f.Patch(t, bot, map[string]any{"status": "active"}),
		"the title":             f.Patch(t, thread, map[string]any{"title": "x"}),
		"a turn":                f.Post(t, thread+"/turn", harness.Says("hello")),
		"an endpoint":           f.Patch(t, "/v1/webhook-endpoints/"+f.ids["endpoint_id"], map[string]any{"status": "active"}),
		"a knowledge base":      f.Patch(t, "/v1/knowledge-bases/"+f.ids["knowledge_base_id"], map[string]any{"chunk_size": 1000}),
		"a document":            f.Patch(t, "/v1/knowledge-bases/"+f.ids["knowledge_base_id"]+"/documents/"+f.ids["document_id"], map[string]any{"title": "x"}),
		"a subscription":        f.Patch(t, "/v1/webhook-subscriptions/"+f.ids["subscription_id"], map[string]any{"events": []string{"turn.completed"}}),
		"a tool":                f.Patch(t, "/v1/tools/"+f.ids["tool_id"], map[string]any{"description": "x", "schema": map[string]any{"type": "object"}, "url": "https://example.com"}),
		"what was read":         f.Put(t, bot+"/instruction", f.readable(t)),
	} {
		require.Equal(t, http.StatusOK, a.Status, "%s: %.500s", name, a)
	}
}

// readable is a new instruction with the settings as they were read, spaces and all, if they may be sent.
func (f filled) readable(t *testing.T) string {
	t.Helper()
	var bot struct{ Settings json.RawMessage }
	require.NoError(t, json.Unmarshal(f.Get(t, "/v1/bots/"+f.ids["bot_id"]).Raw, &bot))
	if len(bot.Settings) > 100_000 {
		bot.Settings = json.RawMessage("{}")
	}
	return `{"instruction":"x","settings":` + string(bot.Settings) + `}`
}
