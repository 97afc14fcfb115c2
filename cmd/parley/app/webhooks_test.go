package app

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/webhook"
)

// endpoint is one of a caller's, as its sender sees it.
type endpoint struct {
	*program
	id, secret string
}

// newEndpoint makes one whose messages a bot answers.
func (c *caller) newEndpoint(t *testing.T, bot string) endpoint {
	t.Helper()
	a := c.post(t, "/v1/webhook-endpoints", map[string]any{"name": "Chat", "bot_id": bot})
	require.Equal(t, http.StatusCreated, a.Status, a)
	require.Equal(t, a.text("path"), "/v1/webhooks/"+a.text("id"))
	return endpoint{program: c.program, id: a.text("id"), secret: a.text("secret")}
}

// says sends a message, signed, under a webhook-id of its own.
func (e endpoint) says(t *testing.T, conversation, text string) answer {
	t.Helper()
	a := e.send(t, "msg_"+uuid.NewString(), said(conversation, text))
	require.Equal(t, http.StatusOK, a.Status, a)
	return a
}

func said(conversation, text string) string {
	raw, err := json.Marshal(map[string]any{
		"type": "message.received", "data": map[string]any{"conversation_id": conversation, "text": text, "sender": map[string]any{"name": "Ada"}},
	})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// send sends a body as the holder of the secret does; headers replace those of the signature.
func (e endpoint) send(t *testing.T, id, body string, headers ...header) answer {
	t.Helper()
	signed, err := webhook.Sign([]string{e.secret}, id, time.Now(), []byte(body))
	require.NoError(t, err)
	all := []header{}
	for name := range signed {
		if !slices.ContainsFunc(headers, func(h header) bool { return http.CanonicalHeaderKey(h.name) == name }) {
			all = append(all, header{name, signed.Get(name)})
		}
	}
	return e.anonymous().post(t, "/v1/webhooks/"+e.id, body, append(all, headers...)...)
}

// subscription is one of a caller's.
type subscription struct{ id, secret string }

func (c *caller) subscribe(t *testing.T, url string, events ...string) subscription {
	t.Helper()
	a := c.post(t, "/v1/webhook-subscriptions", map[string]any{"url": url, "events": events})
	require.Equal(t, http.StatusCreated, a.Status, a)
	return subscription{id: a.text("id"), secret: a.text("secret")}
}

// receiver is somebody's server that is told of events. It answers 200, or what it is set to.
type receiver struct {
	*httptest.Server

	hold func() // before it answers; nil: at once

	mu     sync.Mutex
	status int
	got    []delivered
}

type delivered struct {
	ID     string
	Header http.Header
	Body   []byte
	Event  struct {
		Type      string
		Timestamp time.Time
		Data      map[string]any
	}
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		d := delivered{ID: req.Header.Get("webhook-id"), Header: req.Header}
		d.Body, _ = io.ReadAll(req.Body)
		_ = json.Unmarshal(d.Body, &d.Event)
		loadedContract().checkTold(t, d.Event.Type, d.Body)
		if r.hold != nil {
			r.hold()
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, d)
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, "as you say")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// all gives what has come so far.
func (r *receiver) all() []delivered {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// waitFor waits until so many deliveries have come.
func (r *receiver) waitFor(t *testing.T, n int) []delivered {
	t.Helper()
	require.Eventually(t, func() bool { return len(r.all()) >= n }, 20*time.Second, 10*time.Millisecond, "%d deliveries", n)
	return r.all()
}

// fastJobs are settings under which retries do not keep a test waiting.
var fastJobs = []string{"JOB_POLL_INTERVAL=20ms", "WEBHOOK_ALLOW_PRIVATE=true", "BREAKER_OPEN_FOR=50ms"}

func (c *caller) newBot(t *testing.T) string {
	t.Helper()
	a := c.post(t, "/v1/bots", map[string]any{"name": "Support"})
	require.Equal(t, http.StatusCreated, a.Status, a)
	return a.text("id")
}

// waitUntil waits until a call gives a text at a path.
func (c *caller) waitUntil(t *testing.T, path, at, want string) (a answer) {
	t.Helper()
	require.Eventually(t, func() bool {
		a = c.get(t, path)
		return a.text(at) == want
	}, 20*time.Second, 20*time.Millisecond, "%s of %s to become %s", at, path, want)
	return a
}

func TestAChannelIsConnectedBothWays(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada, target := p.register(t), newReceiver(t)
	bot := ada.newBot(t)
	chat, other := ada.newEndpoint(t, bot), ada.newEndpoint(t, bot)
	a := ada.post(t, "/v1/webhook-subscriptions", map[string]any{"url": target.URL, "events": []string{"turn.completed"}, "endpoint_id": chat.id})
	require.Equal(t, http.StatusCreated, a.Status, a)
	secret := a.text("secret")

	event := chat.says(t, "chat-42", "Where is my parcel?").text("event_id")
	got := target.waitFor(t, 1)[0]
	id, err := webhook.Verify([]string{secret}, got.Header, got.Body, time.Now())
	require.NoError(t, err)
	require.Equal(t, "turn.completed", got.Event.Type)
	require.WithinDuration(t, time.Now(), got.Event.Timestamp, time.Minute)
	require.Equal(t, map[string]any{"endpoint_id": chat.id, "conversation_id": "chat-42"}, got.Event.Data["channel"])
	require.Equal(t, "Echo: Where is my parcel?", got.Event.Data["assistant_message"].(map[string]any)["content"])

	elsewhere := other.says(t, "chat-42", "not for this target").text("event_id")
	ada.post(t, "/v1/conversations/threads/"+ada.thread(t, bot)+"/turn", map[string]any{"content": "nor this"})
	for _, text := range []string{"two", "three", "four", "five"} {
		chat.says(t, "chat-42", text)
	}
	target.waitFor(t, 5)
	ada.waitUntil(t, "/v1/webhook-events/"+elsewhere, "status", "processed")
	require.Len(t, ada.get(t, "/v1/webhook-deliveries").items(), 5, "only what concerns its endpoint")

	whole := ada.waitUntil(t, "/v1/webhook-events/"+event, "status", "processed")
	require.Equal(t, "chat-42", whole.text("conversation_id"))
	require.Equal(t, "Ada", whole.text("payload.data.sender.name"), "what the sender likes is kept")
	thread := ada.get(t, "/v1/conversations/threads/"+whole.text("thread_id"))
	require.Equal(t, map[string]any{"endpoint_id": chat.id, "conversation_id": "chat-42"}, thread.at("channel"))
	require.Equal(t, bot, thread.text("bot_id"))
	var contents []any
	for _, m := range ada.get(t, "/v1/conversations/threads/"+whole.text("thread_id")+"/messages").items() {
		contents = append(contents, m["content"])
	}
	require.Equal(t, []any{
		"Where is my parcel?", "Echo: Where is my parcel?", "two", "Echo: two", "three", "Echo: three", "four", "Echo: four", "five", "Echo: five",
	}, contents, "one thread, in the order in which they came")

	log := ada.waitUntil(t, "/v1/webhook-deliveries/"+id, "status", "delivered")
	require.Len(t, log.at("log"), 1)
	attempt := log.at("log").([]any)[0].(map[string]any)
	require.Equal(t, []any{1.0, 200.0, "as you say", nil}, []any{attempt["number"], attempt["status"], attempt["response"], attempt["error"]})
	require.Equal(t, string(got.Body), string(mustJSON(t, log.at("payload"), got.Body)))
}

// mustJSON tells whether a value is what some JSON says, and gives that.
func mustJSON(t *testing.T, value any, raw []byte) []byte {
	t.Helper()
	var want any
	require.NoError(t, json.Unmarshal(raw, &want))
	require.Equal(t, want, value)
	return raw
}

func (c *caller) thread(t *testing.T, bot string) string {
	t.Helper()
	return c.post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).text("id")
}

func TestAnEventIsTakenOnceForEachOfTheSendersIDs(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada := p.register(t)
	chat := ada.newEndpoint(t, ada.newBot(t))
	answers := atOnce(50, func() answer { return chat.send(t, "msg_1", said("c", "once")) })
	fresh := 0
	for _, a := range answers {
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, answers[0].text("event_id"), a.text("event_id"))
		if a.at("duplicate") == false {
			fresh++
		}
	}
	require.Equal(t, 1, fresh)
	event := ada.waitUntil(t, "/v1/webhook-events/"+answers[0].text("event_id"), "status", "processed")
	require.Len(t, ada.get(t, "/v1/conversations/threads/"+event.text("thread_id")+"/messages").items(), 2)
	require.Len(t, ada.get(t, "/v1/webhook-events").items(), 1)
	require.Len(t, ada.get(t, "/v1/jobs?kind=webhook.answer").items(), 1)
	var actions []string
	require.NoError(t, pg.Superuser(t, p.database).QueryRow(t.Context(),
		`SELECT array_agg(action ORDER BY id) FROM audit_log WHERE operation_id = $1 AND user_id = $2`, event.text("operation_id"), chat.id).Scan(&actions))
	require.Equal(t, []string{"webhook_event.receive", "turn.create"}, actions, "by the endpoint")

	a := ada.newEndpoint(t, ada.newBot(t)).send(t, "msg_1", said("c", "another endpoint, another event"))
	require.Equal(t, false, a.at("duplicate"))
}

func TestWhoCannotSignGetsNothingIn(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ada := p.register(t)
	chat := ada.newEndpoint(t, ada.newBot(t))
	stranger, body := chat, said("c", "hello")
	stranger.secret = webhook.NewSecret()
	for name, a := range map[string]answer{
		"another's secret":     stranger.send(t, "msg_1", body),
		"no headers":           chat.anonymous().post(t, "/v1/webhooks/"+chat.id, body),
		"no id":                chat.send(t, "msg_1", body, header{"webhook-id", ""}),
		"another id":           chat.send(t, "msg_1", body, header{"webhook-id", "msg_2"}),
		"another time":         chat.send(t, "msg_1", body, header{"webhook-timestamp", "1700000000"}),
		"no time":              chat.send(t, "msg_1", body, header{"webhook-timestamp", "now"}),
		"an empty signature":   chat.send(t, "msg_1", body, header{"webhook-signature", "v1,"}),
		"a mix of names":       chat.send(t, "msg_1", body, header{"webhook-id", ""}, header{"svix-id", "msg_1"}),
		"a signature of other": chat.send(t, "msg_1", body, header{"webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="}),
	} {
		require.Equal(t, http.StatusUnauthorized, a.Status, "%s: %s", name, a)
		requireCode(t, a, http.StatusUnauthorized, "UNAUTHORIZED")
	}
	requireCode(t, endpoint{p, uuid.NewString(), chat.secret}.send(t, "msg_1", body), http.StatusNotFound, "NOT_FOUND")
	require.Empty(t, ada.get(t, "/v1/webhook-events").items())
	require.Equal(t, http.StatusOK, chat.send(t, "msg_1", body).Status)
}

func TestWhatIsNoEventIsRefusedByItsFields(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ada := p.register(t)
	chat := ada.newEndpoint(t, ada.newBot(t))
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
		requireWrong(t, chat.send(t, "msg_"+uuid.NewString(), body), field)
	}
	for _, body := range []string{`{"type": "x", "data": {"n": 1e400000}}`, `{"type": "x", "data": {"n": "\u0000"}}`, `{"type": "x", "data": {"\u0000": 1}}`} {
		require.Equal(t, http.StatusUnprocessableEntity, chat.send(t, "msg_"+uuid.NewString(), body).Status, body)
	}
	requireCode(t, chat.send(t, "msg_1", `{"type": "x", "data": {}} trailing`), http.StatusBadRequest, "BAD_REQUEST")
	requireCode(t, chat.send(t, "msg_1", said("c", "x"), header{"Content-Type", "text/plain"}), http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE")
	require.Empty(t, ada.get(t, "/v1/webhook-events").items())

	a := chat.send(t, "msg_1", `{"type": "order.paid", "data": {"n": 1}, "more": true}`)
	require.Equal(t, http.StatusOK, a.Status, a)
	event := ada.get(t, "/v1/webhook-events/"+a.text("event_id"))
	require.Equal(t, "ignored", event.text("status"), "stored and no more")
	require.Equal(t, true, event.at("payload.more"), "unknown fields are kept")
	require.Len(t, ada.get(t, "/v1/webhook-events?status=ignored&endpoint_id="+chat.id).items(), 1)
	require.Empty(t, ada.get(t, "/v1/webhook-events?status=processed").items())
	require.Empty(t, ada.get(t, "/v1/jobs").items())
}

// jsonb writes 1e308 out: what was 1 MB would be read back as 50.
func TestTheNumbersOfAnEventAreKeptAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada := p.register(t)
	chat := ada.newEndpoint(t, ada.newBot(t))
	numbers := strings.Repeat("1e308,5e-324,1.50,", 40_000) + "1E+2"
	body := `{"type":"message.received","data":{"conversation_id":"c","text":"hello","n":[` + numbers + `]},"more":-0}`
	a := chat.send(t, "msg_1", body)
	require.Equal(t, http.StatusOK, a.Status, a)
	event := ada.waitUntil(t, "/v1/webhook-events/"+a.text("event_id"), "status", "processed")
	require.Less(t, len(event.Raw), len(body)+2000)
	require.Contains(t, string(event.Raw), numbers)
	require.Contains(t, string(event.Raw), `"more":-0`)
	require.Equal(t, "Echo: hello", ada.get(t, "/v1/conversations/threads/"+event.text("thread_id")+"/messages").items()[1]["content"])

	note := chat.send(t, "msg_2", `{"type":"note","data":{"n":1e308}}`)
	require.Equal(t, "ignored", ada.get(t, "/v1/webhook-events/"+note.text("event_id")).text("status"))
	require.Contains(t, string(ada.get(t, "/v1/webhook-events/"+note.text("event_id")).Raw), "1e308")
}

func TestASecretIsShownOnceAndRotatedWithAnOverlap(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ada, op := p.register(t), uuid.NewString()
	bot := ada.newBot(t)
	body := map[string]any{"name": "Chat", "bot_id": bot}
	first := ada.post(t, "/v1/webhook-endpoints", body, operation(op))
	again := ada.post(t, "/v1/webhook-endpoints", body, operation(op))
	require.Equal(t, first.Raw, again.Raw, "a retry is shown it again")
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))
	chat := endpoint{p, first.text("id"), first.text("secret")}

	super := pg.Superuser(t, p.database)
	for _, table := range []string{"operations", "webhook_endpoints", "audit_log"} {
		var found bool
		require.NoError(t, super.QueryRow(t.Context(),
			`SELECT EXISTS (SELECT 1 FROM `+table+` r WHERE position($1 IN r::text) > 0 OR position($2 IN r::text) > 0)`,
			chat.secret, strings.TrimPrefix(chat.secret, "whsec_")).Scan(&found))
		require.False(t, found, "the secret is in clear in "+table)
	}
	var stored []byte
	require.NoError(t, super.QueryRow(t.Context(), `SELECT body FROM operations WHERE id = $1 AND sealed`, op).Scan(&stored))
	require.False(t, bytes.Contains(stored, []byte("whsec_")))
	require.NotContains(t, p.log.String(), chat.secret)
	require.Nil(t, ada.get(t, "/v1/webhook-endpoints/"+chat.id).at("secret"))

	rotate := "/v1/webhook-endpoints/" + chat.id + "/rotate-secret"
	newer := chat
	newer.secret = ada.post(t, rotate, map[string]any{"overlap_seconds": 3600}).text("secret")
	require.NotEqual(t, chat.secret, newer.secret)
	require.Equal(t, http.StatusOK, chat.send(t, "msg_1", said("c", "x")).Status, "the old one is good for an hour more")
	require.Equal(t, http.StatusOK, newer.send(t, "msg_2", said("c", "x")).Status)
	newest := chat
	newest.secret = ada.post(t, rotate, map[string]any{"overlap_seconds": 0}).text("secret")
	for n, e := range []endpoint{chat, newer} {
		requireCode(t, e.send(t, "msg_3", said("c", "x")), http.StatusUnauthorized, "UNAUTHORIZED")
		require.Equal(t, http.StatusOK, newest.send(t, "msg_new"+string(rune('a'+n)), said("c", "x")).Status)
	}

	_, err := super.Exec(t.Context(), `UPDATE operations SET created_at = created_at - interval '61 minutes', finished_at = finished_at - interval '61 minutes' WHERE id = $1`, op)
	require.NoError(t, err)
	requireCode(t, ada.post(t, "/v1/webhook-endpoints", body, operation(op)), http.StatusConflict, "OPERATION_EXPIRED")
	_, err = super.Exec(t.Context(), `SELECT app.expire_sealed_answers()`)
	require.NoError(t, err)
	var left int
	require.NoError(t, super.QueryRow(t.Context(), `SELECT count(*) FROM operations WHERE id = $1 AND body IS NOT NULL`, op).Scan(&left))
	require.Zero(t, left)
	requireCode(t, ada.post(t, "/v1/webhook-endpoints", body, operation(op)), http.StatusConflict, "OPERATION_EXPIRED")
	require.Len(t, ada.get(t, "/v1/webhook-endpoints").items(), 1)
}

func TestAnEndpointIsChangedDisabledAndTakenAway(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ada := p.register(t)
	bot, other := ada.newBot(t), ada.newBot(t)
	chat := ada.newEndpoint(t, bot)
	path := "/v1/webhook-endpoints/" + chat.id
	patch := func(body map[string]any) answer { return ada.call(t, http.MethodPatch, path, body) }
	require.Equal(t, other, patch(map[string]any{"bot_id": other, "name": "Mail"}).text("bot_id"))
	require.Equal(t, "Mail", ada.get(t, path).text("name"))
	requireCode(t, patch(map[string]any{"bot_id": uuid.NewString()}), http.StatusNotFound, "BOT_NOT_FOUND")
	requireCode(t, ada.post(t, "/v1/webhook-endpoints", map[string]any{"name": "x", "bot_id": uuid.NewString()}), http.StatusNotFound, "BOT_NOT_FOUND")
	require.Equal(t, http.StatusUnprocessableEntity, patch(map[string]any{}).Status)
	require.Equal(t, "disabled", patch(map[string]any{"status": "disabled"}).text("status"))
	requireCode(t, chat.send(t, "msg_1", said("c", "x")), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, "active", patch(map[string]any{"status": "active"}).text("status"))
	require.Equal(t, http.StatusOK, chat.send(t, "msg_1", said("c", "x")).Status)
	require.Equal(t, http.StatusNoContent, ada.call(t, http.MethodDelete, path, nil).Status)
	requireCode(t, chat.send(t, "msg_2", said("c", "x")), http.StatusNotFound, "NOT_FOUND")
	requireCode(t, ada.get(t, path), http.StatusNotFound, "NOT_FOUND")
	require.Empty(t, ada.get(t, "/v1/webhook-endpoints").items())
	require.Len(t, ada.get(t, "/v1/webhook-events").items(), 1, "what it received stays")
}
