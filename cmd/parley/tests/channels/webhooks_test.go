package channels

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/work/webhook"
)

func TestAChannelIsConnectedBothWays(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada, target := p.Register(t), harness.NewReceiver(t)
	bot := ada.NewBot(t)
	chat, other := ada.NewEndpoint(t, bot), ada.NewEndpoint(t, bot)
	a := ada.Post(t, "/v1/webhook-subscriptions", map[string]any{"url": target.URL, "events": []string{"turn.completed"}, "endpoint_id": chat.ID})
	require.Equal(t, http.StatusCreated, a.Status, a)
	secret := a.Text("secret")

	event := chat.Says(t, "chat-42", "Where is my parcel?").Text("event_id")
	got := target.WaitFor(t, 1)[0]
	id, err := webhook.Verify([]string{secret}, got.Header, got.Body, time.Now())
	require.NoError(t, err)
	require.Equal(t, "turn.completed", got.Event.Type)
	require.WithinDuration(t, time.Now(), got.Event.Timestamp, time.Minute)
	require.Equal(t, map[string]any{"endpoint_id": chat.ID, "conversation_id": "chat-42"}, got.Event.Data["channel"])
	require.Equal(t, "Echo: Where is my parcel?", got.Event.Data["assistant_message"].(map[string]any)["content"])

	elsewhere := other.Says(t, "chat-42", "not for this target").Text("event_id")
	ada.Post(t, "/v1/conversations/threads/"+ada.Thread(t, bot)+"/turn", map[string]any{"content": "nor this"})
	for _, text := range []string{"two", "three", "four", "five"} {
		chat.Says(t, "chat-42", text)
	}
	target.WaitFor(t, 5)
	ada.WaitUntil(t, "/v1/webhook-events/"+elsewhere, "status", "processed")
	require.Len(t, ada.Get(t, "/v1/webhook-deliveries").Items(), 5, "only what concerns its endpoint")

	whole := ada.WaitUntil(t, "/v1/webhook-events/"+event, "status", "processed")
	require.Equal(t, "chat-42", whole.Text("conversation_id"))
	require.Equal(t, "Ada", whole.Text("payload.data.sender.name"), "what the sender likes is kept")
	thread := ada.Get(t, "/v1/conversations/threads/"+whole.Text("thread_id"))
	require.Equal(t, map[string]any{"endpoint_id": chat.ID, "conversation_id": "chat-42"}, thread.At("channel"))
	require.Equal(t, bot, thread.Text("bot_id"))
	var contents []any
	for _, m := range ada.Get(t, "/v1/conversations/threads/"+whole.Text("thread_id")+"/messages").Items() {
		contents = append(contents, m["content"])
	}
	require.Equal(t, []any{
		"Where is my parcel?", "Echo: Where is my parcel?", "two", "Echo: two", "three", "Echo: three", "four", "Echo: four", "five", "Echo: five",
	}, contents, "one thread, in the order in which they came")

	log := ada.WaitUntil(t, "/v1/webhook-deliveries/"+id, "status", "delivered")
	require.Len(t, log.At("log"), 1)
	attempt := log.At("log").([]any)[0].(map[string]any)
	require.Equal(t, []any{1.0, 200.0, "as you say", nil}, []any{attempt["number"], attempt["status"], attempt["response"], attempt["error"]})
	require.Equal(t, string(got.Body), string(mustJSON(t, log.At("payload"), got.Body)))
}

// mustJSON tells whether a value is what some JSON says, and gives that.
func mustJSON(t *testing.T, value any, raw []byte) []byte {
	t.Helper()
	var want any
	require.NoError(t, json.Unmarshal(raw, &want))
	require.Equal(t, want, value)
	return raw
}

func TestAnEventIsTakenOnceForEachOfTheSendersIDs(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	chat := ada.NewEndpoint(t, ada.NewBot(t))
	answers := harness.AtOnce(50, func() harness.Answer { return chat.Send(t, "msg_1", harness.InboundMessage("c", "once")) })
	fresh := 0
	for _, a := range answers {
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, answers[0].Text("event_id"), a.Text("event_id"))
		if a.At("duplicate") == false {
			fresh++
		}
	}
	require.Equal(t, 1, fresh)
	event := ada.WaitUntil(t, "/v1/webhook-events/"+answers[0].Text("event_id"), "status", "processed")
	require.Len(t, ada.Get(t, "/v1/conversations/threads/"+event.Text("thread_id")+"/messages").Items(), 2)
	require.Len(t, ada.Get(t, "/v1/webhook-events").Items(), 1)
	require.Len(t, ada.Get(t, "/v1/jobs?kind=webhook.answer").Items(), 1)
	var actions []string
	require.NoError(t, harness.Postgres.Superuser(t, p.Database).QueryRow(t.Context(),
		`SELECT array_agg(action ORDER BY id) FROM audit_log WHERE operation_id = $1 AND user_id = $2`, event.Text("operation_id"), chat.ID).Scan(&actions))
	require.Equal(t, []string{"webhook_event.receive", "turn.create"}, actions, "by the endpoint")

	a := ada.NewEndpoint(t, ada.NewBot(t)).Send(t, "msg_1", harness.InboundMessage("c", "another endpoint, another event"))
	require.Equal(t, false, a.At("duplicate"))
}

func TestWhoCannotSignGetsNothingIn(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada := p.Register(t)
	chat := ada.NewEndpoint(t, ada.NewBot(t))
	stranger, body := chat, harness.InboundMessage("c", "hello")
	stranger.Secret = webhook.NewSecret()
	for name, a := range map[string]harness.Answer{
		"another's secret":     stranger.Send(t, "msg_1", body),
		"no headers":           chat.Anonymous().Post(t, "/v1/webhooks/"+chat.ID, body),
		"no id":                chat.Send(t, "msg_1", body, harness.Header{Name: "webhook-id", Value: ""}),
		"another id":           chat.Send(t, "msg_1", body, harness.Header{Name: "webhook-id", Value: "msg_2"}),
		"another time":         chat.Send(t, "msg_1", body, harness.Header{Name: "webhook-timestamp", Value: "1700000000"}),
		"no time":              chat.Send(t, "msg_1", body, harness.Header{Name: "webhook-timestamp", Value: "now"}),
		"an empty signature":   chat.Send(t, "msg_1", body, harness.Header{Name: "webhook-signature", Value: "v1,"}),
		"a mix of names":       chat.Send(t, "msg_1", body, harness.Header{Name: "webhook-id", Value: ""}, harness.Header{Name: "svix-id", Value: "msg_1"}),
		"a signature of other": chat.Send(t, "msg_1", body, harness.Header{Name: "webhook-signature", Value: "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="}),
	} {
		require.Equal(t, http.StatusUnauthorized, a.Status, "%s: %s", name, a)
		harness.RequireCode(t, a, http.StatusUnauthorized, "UNAUTHORIZED")
	}
	harness.RequireCode(t, harness.Endpoint{Program: p, ID: uuid.NewString(), Secret: chat.Secret}.Send(t, "msg_1", body), http.StatusNotFound, "NOT_FOUND")
	require.Empty(t, ada.Get(t, "/v1/webhook-events").Items())
	require.Equal(t, http.StatusOK, chat.Send(t, "msg_1", body).Status)
}

func TestWhatIsNoEventIsRefusedByItsFields(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada := p.Register(t)
	chat := ada.NewEndpoint(t, ada.NewBot(t))
	for body, field := range map[string]string{
		`{"data": {}}`:              "type",
		`{"type": "x"}`:             "data",
		`{"type": "", "data": {}}`:  "type",
		`{"type": "x", "data": []}`: "data",
		`{"type": "message.received", "data": {"text": "x"}}`:                                                          "data.conversation_id",
		`{"type": "message.received", "data": {"conversation_id": "c", "text": ""}}`:                                   "data.text",
		`{"type": "message.received", "data": {"conversation_id": "", "text": "x"}}`:                                   "data.conversation_id",
		`{"type": "message.received", "data": {"conversation_id": 1, "text": "x"}}`:                                    "data.conversation_id",
		`{"type": "message.received", "data": {"conversation_id": "c", "text": "` + strings.Repeat("x", 50001) + `"}}`: "data.text",
	} {
		harness.RequireWrong(t, chat.Send(t, "msg_"+uuid.NewString(), body), field)
	}
	for _, body := range []string{`{"type": "x", "data": {"n": 1e400000}}`, `{"type": "x", "data": {"n": "\u0000"}}`, `{"type": "x", "data": {"\u0000": 1}}`} {
		require.Equal(t, http.StatusUnprocessableEntity, chat.Send(t, "msg_"+uuid.NewString(), body).Status, body)
	}
	harness.RequireCode(t, chat.Send(t, "msg_1", `{"type": "x", "data": {}} trailing`), http.StatusBadRequest, "BAD_REQUEST")
	harness.RequireCode(t, chat.Send(t, "msg_1", harness.InboundMessage("c", "x"), harness.Header{Name: "Content-Type", Value: "text/plain"}), http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE")
	require.Empty(t, ada.Get(t, "/v1/webhook-events").Items())

	a := chat.Send(t, "msg_1", `{"type": "order.paid", "data": {"n": 1}, "more": true}`)
	require.Equal(t, http.StatusOK, a.Status, a)
	event := ada.Get(t, "/v1/webhook-events/"+a.Text("event_id"))
	require.Equal(t, "ignored", event.Text("status"), "stored and no more")
	require.Equal(t, true, event.At("payload.more"), "unknown fields are kept")
	require.Len(t, ada.Get(t, "/v1/webhook-events?status=ignored&endpoint_id="+chat.ID).Items(), 1)
	require.Empty(t, ada.Get(t, "/v1/webhook-events?status=processed").Items())
	require.Empty(t, ada.Get(t, "/v1/jobs").Items())
}

// jsonb writes 1e308 out: what was 1 MB would be read back as 50. It also sorts the fields of objects.
func TestTheFieldsAndNumbersOfAnEventAreKeptAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	chat := ada.NewEndpoint(t, ada.NewBot(t))
	numbers := strings.Repeat("1e308,5e-324,1.50,", 40_000) + "1E+2"
	body := `{"type":"message.received","data":{"conversation_id":"c","text":"hello","n":[` + numbers + `]},"more":-0}`
	a := chat.Send(t, "msg_1", body)
	require.Equal(t, http.StatusOK, a.Status, a)
	event := ada.WaitUntil(t, "/v1/webhook-events/"+a.Text("event_id"), "status", "processed")
	require.Less(t, len(event.Raw), len(body)+2000)
	require.Contains(t, string(event.Raw), numbers)
	require.Contains(t, string(event.Raw), `"more":-0`)
	require.Equal(t, "Echo: hello", ada.Get(t, "/v1/conversations/threads/"+event.Text("thread_id")+"/messages").Items()[1]["content"])

	for id, sent := range map[string]string{
		"msg_3": `{"type":"note","more":true,"data":{"z":1,"a":[2.50,{"y":null,"b":"<"}]},"A":1.0}`,
		"msg_4": `{"type":"message.received","data":{"text":"hi","conversation_id":"d","b":1,"a":2}}`,
	} {
		event := ada.Get(t, "/v1/webhook-events/"+chat.Send(t, id, sent).Text("event_id"))
		require.Contains(t, string(event.Raw), `"payload":`+strings.ReplaceAll(sent, "<", `\u003c`), "in their order")
	}

	note := chat.Send(t, "msg_2", `{"type":"note","data":{"n":1e308}}`)
	require.Equal(t, "ignored", ada.Get(t, "/v1/webhook-events/"+note.Text("event_id")).Text("status"))
	require.Contains(t, string(ada.Get(t, "/v1/webhook-events/"+note.Text("event_id")).Raw), "1e308")
}

func TestASecretIsShownOnceAndRotatedWithAnOverlap(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada, op := p.Register(t), uuid.NewString()
	bot := ada.NewBot(t)
	body := map[string]any{"name": "Chat", "bot_id": bot}
	first := ada.Post(t, "/v1/webhook-endpoints", body, harness.Operation(op))
	again := ada.Post(t, "/v1/webhook-endpoints", body, harness.Operation(op))
	require.Equal(t, first.Raw, again.Raw, "a retry is shown it again")
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))
	chat := harness.Endpoint{Program: p, ID: first.Text("id"), Secret: first.Text("secret")}

	super := harness.Postgres.Superuser(t, p.Database)
	for _, table := range []string{"operations", "webhook_endpoints", "audit_log"} {
		var found bool
		require.NoError(t, super.QueryRow(t.Context(),
			`SELECT EXISTS (SELECT 1 FROM `+table+` r WHERE position($1 IN r::text) > 0 OR position($2 IN r::text) > 0)`,
			chat.Secret, strings.TrimPrefix(chat.Secret, "whsec_")).Scan(&found))
		require.False(t, found, "the secret is in clear in "+table)
	}
	var stored []byte
	require.NoError(t, super.QueryRow(t.Context(), `SELECT body FROM operations WHERE id = $1 AND sealed`, op).Scan(&stored))
	require.False(t, bytes.Contains(stored, []byte("whsec_")))
	require.NotContains(t, p.Log.String(), chat.Secret)
	require.Nil(t, ada.Get(t, "/v1/webhook-endpoints/"+chat.ID).At("secret"))

	rotate := "/v1/webhook-endpoints/" + chat.ID + "/rotate-secret"
	newer := chat
	newer.Secret = ada.Post(t, rotate, map[string]any{"overlap_seconds": 3600}).Text("secret")
	require.NotEqual(t, chat.Secret, newer.Secret)
	require.Equal(t, http.StatusOK, chat.Send(t, "msg_1", harness.InboundMessage("c", "x")).Status, "the old one is good for an hour more")
	require.Equal(t, http.StatusOK, newer.Send(t, "msg_2", harness.InboundMessage("c", "x")).Status)
	newest := chat
	newest.Secret = ada.Post(t, rotate, map[string]any{"overlap_seconds": 0}).Text("secret")
	for n, e := range []harness.Endpoint{chat, newer} {
		harness.RequireCode(t, e.Send(t, "msg_3", harness.InboundMessage("c", "x")), http.StatusUnauthorized, "UNAUTHORIZED")
		require.Equal(t, http.StatusOK, newest.Send(t, "msg_new"+string(rune('a'+n)), harness.InboundMessage("c", "x")).Status)
	}

	_, err := super.Exec(t.Context(), `UPDATE operations SET created_at = created_at - interval '61 minutes', finished_at = finished_at - interval '61 minutes' WHERE id = $1`, op)
	require.NoError(t, err)
	harness.RequireCode(t, ada.Post(t, "/v1/webhook-endpoints", body, harness.Operation(op)), http.StatusConflict, "OPERATION_EXPIRED")
	_, err = super.Exec(t.Context(), `SELECT app.expire_sealed_answers()`)
	require.NoError(t, err)
	var left int
	require.NoError(t, super.QueryRow(t.Context(), `SELECT count(*) FROM operations WHERE id = $1 AND body IS NOT NULL`, op).Scan(&left))
	require.Zero(t, left)
	harness.RequireCode(t, ada.Post(t, "/v1/webhook-endpoints", body, harness.Operation(op)), http.StatusConflict, "OPERATION_EXPIRED")
	require.Len(t, ada.Get(t, "/v1/webhook-endpoints").Items(), 1)
}

func TestAnEndpointIsChangedDisabledAndTakenAway(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada := p.Register(t)
	bot, other := ada.NewBot(t), ada.NewBot(t)
	chat := ada.NewEndpoint(t, bot)
	path := "/v1/webhook-endpoints/" + chat.ID
	patch := func(body map[string]any) harness.Answer { return ada.Call(t, http.MethodPatch, path, body) }
	require.Equal(t, other, patch(map[string]any{"bot_id": other, "name": "Mail"}).Text("bot_id"))
	require.Equal(t, "Mail", ada.Get(t, path).Text("name"))
	harness.RequireCode(t, patch(map[string]any{"bot_id": uuid.NewString()}), http.StatusNotFound, "BOT_NOT_FOUND")
	harness.RequireCode(t, ada.Post(t, "/v1/webhook-endpoints", map[string]any{"name": "x", "bot_id": uuid.NewString()}), http.StatusNotFound, "BOT_NOT_FOUND")
	require.Equal(t, http.StatusUnprocessableEntity, patch(map[string]any{}).Status)
	require.Equal(t, "disabled", patch(map[string]any{"status": "disabled"}).Text("status"))
	harness.RequireCode(t, chat.Send(t, "msg_1", harness.InboundMessage("c", "x")), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, "active", patch(map[string]any{"status": "active"}).Text("status"))
	require.Equal(t, http.StatusOK, chat.Send(t, "msg_1", harness.InboundMessage("c", "x")).Status)
	require.Equal(t, http.StatusNoContent, ada.Call(t, http.MethodDelete, path, nil).Status)
	harness.RequireCode(t, chat.Send(t, "msg_2", harness.InboundMessage("c", "x")), http.StatusNotFound, "NOT_FOUND")
	harness.RequireCode(t, ada.Get(t, path), http.StatusNotFound, "NOT_FOUND")
	require.Empty(t, ada.Get(t, "/v1/webhook-endpoints").Items())
	require.Len(t, ada.Get(t, "/v1/webhook-events").Items(), 1, "what it received stays")
}
