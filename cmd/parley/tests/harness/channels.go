package harness

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/work/webhook"
)

// Answered waits until a message is answered, and returns its thread.
func (c *Caller) Answered(t *testing.T, event string) string {
	t.Helper()
	return c.WaitUntil(t, "/v1/webhook-events/"+event, "status", "processed").Text("thread_id")
}

func (c *Caller) Archive(t *testing.T, path string) {
	t.Helper()
	require.Equal(t, http.StatusOK, c.Patch(t, path, map[string]any{"status": "archived"}).Status)
}

// StoreDelivery stores a delivery and its job as the release before did.
func (p *Program) StoreDelivery(t *testing.T, c *Caller, sub subscription, body string) (id string) {
	t.Helper()
	require.NoError(t, Postgres.Superuser(t, p.Database).QueryRow(t.Context(), `WITH delivery AS (
		INSERT INTO webhook_deliveries (workspace_id, id, subscription_id, event_id, event_type, body)
		VALUES ($1, gen_random_uuid(), $2, gen_random_uuid(), 'ping', $3) RETURNING workspace_id, id
	) INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts)
	  SELECT workspace_id, gen_random_uuid(), 'webhook.deliver', id::text, jsonb_build_object('delivery_id', id), 't', 20 FROM delivery
	  RETURNING key`, c.Workspace, sub.ID, body).Scan(&id))
	return id
}

// Endpoint is one of a caller's, as its sender sees it.
type Endpoint struct {
	*Program
	ID, Secret string
}

// NewEndpoint makes one whose messages a bot answers.
func (c *Caller) NewEndpoint(t *testing.T, bot string) Endpoint {
	t.Helper()
	a := c.Post(t, "/v1/webhook-endpoints", map[string]any{"name": "Chat", "bot_id": bot})
	require.Equal(t, http.StatusCreated, a.Status, a)
	require.Equal(t, a.Text("path"), "/v1/webhooks/"+a.Text("id"))
	return Endpoint{Program: c.Program, ID: a.Text("id"), Secret: a.Text("secret")}
}

// Says sends a message, signed, under a webhook-id of its own.
func (e Endpoint) Says(t *testing.T, conversation, text string) Answer {
	t.Helper()
	a := e.Send(t, "msg_"+uuid.NewString(), InboundMessage(conversation, text))
	require.Equal(t, http.StatusOK, a.Status, a)
	return a
}

func InboundMessage(conversation, text string) string {
	raw, err := json.Marshal(map[string]any{
		"type": "message.received", "data": map[string]any{"conversation_id": conversation, "text": text, "sender": map[string]any{"name": "Ada"}},
	})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// Send sends a body as the holder of the secret does; headers replace those of the signature.
func (e Endpoint) Send(t *testing.T, id, body string, headers ...Header) Answer {
	t.Helper()
	signed, err := webhook.Sign([]string{e.Secret}, id, time.Now(), []byte(body))
	require.NoError(t, err)
	all := []Header{}
	for name := range signed {
		if !slices.ContainsFunc(headers, func(h Header) bool { return http.CanonicalHeaderKey(h.Name) == name }) {
			all = append(all, Header{name, signed.Get(name)})
		}
	}
	return e.Anonymous().Post(t, "/v1/webhooks/"+e.ID, body, append(all, headers...)...)
}

// subscription is one of a caller's.
type subscription struct{ ID, Secret string }

func (c *Caller) Subscribe(t *testing.T, url string, events ...string) subscription {
	t.Helper()
	a := c.Post(t, "/v1/webhook-subscriptions", map[string]any{"url": url, "events": events})
	require.Equal(t, http.StatusCreated, a.Status, a)
	return subscription{ID: a.Text("id"), Secret: a.Text("secret")}
}

// Receiver is somebody's server that receives events. It answers 200, or what it is set to.
type Receiver struct {
	*httptest.Server

	Hold func() // before it answers; nil: at once

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

func NewReceiver(t *testing.T) *Receiver {
	t.Helper()
	r := &Receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		d := delivered{ID: req.Header.Get("webhook-id"), Header: req.Header}
		d.Body, _ = io.ReadAll(req.Body)
		_ = json.Unmarshal(d.Body, &d.Event)
		LoadedContract().checkTold(t, d.Event.Type, d.Body)
		if r.Hold != nil {
			r.Hold()
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

func (r *Receiver) Answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// All gives what has come so far.
func (r *Receiver) All() []delivered {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// WaitFor waits until so many deliveries have come.
func (r *Receiver) WaitFor(t *testing.T, n int) []delivered {
	t.Helper()
	require.Eventually(t, func() bool { return len(r.All()) >= n }, time.Minute, 10*time.Millisecond, "%d deliveries", n)
	return r.All()
}

// FastJobs are settings under which retries do not keep a test waiting.
var FastJobs = []string{"JOB_POLL_INTERVAL=20ms", "WEBHOOK_ALLOW_PRIVATE=true", "BREAKER_OPEN_FOR=50ms"}

func (c *Caller) NewBot(t *testing.T) string {
	t.Helper()
	a := c.Post(t, "/v1/bots", map[string]any{"name": "Support"})
	require.Equal(t, http.StatusCreated, a.Status, a)
	return a.Text("id")
}

// WaitUntil waits until a call gives a text at a path.
func (c *Caller) WaitUntil(t *testing.T, path, at, want string) (a Answer) {
	t.Helper()
	require.Eventually(t, func() bool {
		a = c.Get(t, path)
		return a.Text(at) == want
	}, time.Minute, 20*time.Millisecond, "%s of %s to become %s", at, path, want)
	return a
}

func (c *Caller) Thread(t *testing.T, bot string) string {
	t.Helper()
	return c.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).Text("id")
}
