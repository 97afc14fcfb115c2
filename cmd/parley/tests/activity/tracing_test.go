package activity

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

// spans is an OpenTelemetry collector.
type spans struct {
	url string
	mu  sync.Mutex
	all []span
	raw strings.Builder
}

type span struct{ trace, name, parent string }

func newSpans(t *testing.T) *spans {
	t.Helper()
	s := &spans{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var export collector.ExportTraceServiceRequest
		if err = errors.Join(err, proto.Unmarshal(body, &export)); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("no export at %s: %v", r.URL.Path, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.raw.WriteString(protojson.Format(&export))
		for _, resource := range export.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, x := range scope.Spans {
					s.all = append(s.all, span{hex.EncodeToString(x.TraceId), x.Name, hex.EncodeToString(x.ParentSpanId)})
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// names gives those of a trace's spans.
func (s *spans) names(trace string) (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.all {
		if x.trace == trace {
			names = append(names, x.name)
		}
	}
	return names
}

func TestOneTraceLeadsFromTheRequestToSQLTheModelTheJobAndTheTarget(t *testing.T) {
	t.Parallel()
	collector, target := newSpans(t), harness.NewReceiver(t)
	p := harness.Start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.url, "WEBHOOK_ALLOW_PRIVATE=true", "JOB_POLL_INTERVAL=20ms")
	ada := p.Register(t)
	thread := ada.Post(t, "/v1/conversations/threads", map[string]any{}).Text("id")
	ada.Subscribe(t, target.URL, "turn.completed")

	turn := ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "Where is my parcel, please?"})
	require.Equal(t, http.StatusOK, turn.Status, turn)
	trace := turn.Header.Get("X-Trace-Id")
	delivery := target.WaitFor(t, 1)[0]
	require.Regexp(t, "^00-"+trace+"-[0-9a-f]{16}-01$", delivery.Header.Get("Traceparent"))

	me := ada.Get(t, "/v1/auth/me").Header.Get("X-Trace-Id")
	given := ada.Get(t, "/v1/bots", harness.Header{Name: "traceparent", Value: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", given.Header.Get("X-Trace-Id"), "the trace of a client that names none otherwise")
	both := ada.Get(t, "/v1/bots", harness.Header{Name: "traceparent", Value: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, harness.Header{Name: "X-Trace-Id", Value: "mine"})
	require.Equal(t, "mine", both.Header.Get("X-Trace-Id"))

	require.Equal(t, app.ExitOK, p.Stop()) // which sends what is left
	names := strings.Join(collector.names(trace), "\n")
	for _, name := range []string{
		"POST /v1/conversations/threads/:thread_id/turn", "call model", "job webhook.deliver", "call webhook", "HTTP POST", "StartTurn", "EnterSession",
	} {
		require.Contains(t, names, name)
	}
	require.Contains(t, collector.names(me), "GetProfile", "a read that shares its connection")
	require.Contains(t, collector.names("4bf92f3577b34da6a3ce929d0e0e4736"), "GET /v1/bots")
	require.NotContains(t, collector.raw.String(), "parcel", "what people write is in no span")
	require.NotContains(t, collector.raw.String(), ada.Token)
}

func TestAClientDoesNotDecideWhichTracesAreSent(t *testing.T) {
	t.Parallel()
	collector := newSpans(t)
	p := harness.Start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.url, "OTEL_TRACES_SAMPLER_ARG=0")
	ada := p.Register(t)
	for _, id := range []string{"4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000010000000000000000"} { // the second is the first that a ratio of ids takes
		a := ada.Get(t, "/v1/bots", harness.Header{Name: "traceparent", Value: "00-" + id + "-00f067aa0ba902b7-01"}, harness.Header{Name: "tracestate", Value: "a=b"})
		require.Equal(t, id, a.Header.Get("X-Trace-Id"), "it is taken over all the same")
	}
	require.Equal(t, app.ExitOK, p.Stop()) // which sends what is left
	require.Empty(t, collector.all)
}

func TestACollectorThatIsAwayKeepsNobody(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1")
	p.Register(t)
	begun := time.Now()
	require.Equal(t, app.ExitOK, p.Stop())
	require.Less(t, time.Since(begun), 20*time.Second)
}

func TestASentryIsToldOfOurFaultsWithTheirIDsAndNothingPersonal(t *testing.T) {
	t.Parallel()
	events := make(chan map[string]any, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		for line := range strings.SplitSeq(string(body), "\n") {
			var event map[string]any
			if json.Unmarshal([]byte(line), &event) == nil && event["message"] != nil {
				events <- event
			}
		}
	}))
	t.Cleanup(server.Close)
	p := harness.Start(t, "SENTRY_DSN="+strings.Replace(server.URL, "http://", "http://key@", 1)+"/1")
	ada := p.Register(t)
	_, err := harness.Postgres.Superuser(t, p.Database).Exec(t.Context(), `ALTER TABLE bots RENAME COLUMN status TO condition`)
	require.NoError(t, err)
	failed := ada.Get(t, "/v1/bots")
	harness.RequireCode(t, failed, http.StatusInternalServerError, "INTERNAL_ERROR")
	var event map[string]any
	select {
	case event = <-events:
	case <-time.After(10 * time.Second):
		t.Fatal("no span was exported")
	}
	require.Equal(t, "request failed", event["message"])
	tags := event["tags"].(map[string]any)
	require.Equal(t, failed.Header.Get("X-Trace-Id"), tags["trace_id"])
	require.Equal(t, ada.Workspace, tags["workspace_id"])
	require.Equal(t, ada.User, event["user"].(map[string]any)["id"])
	text, err := json.Marshal(event)
	require.NoError(t, err)
	require.Contains(t, string(text), "does not exist", "what happened")
	require.NotContains(t, string(text), ada.Email)
	require.NotContains(t, string(text), ada.Token)
	require.Nil(t, event["request"])
}
