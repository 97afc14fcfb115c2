package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/parley/parley/platform/request/fail"
)

// Starting is the handler of a server while the rest of the program starts. A migration of the database may take long,
// depending on the amount of data. Until Ready is called, /healthz reports that the process is alive, /readyz reports
// "migrating", and every call is answered with 503 and Retry-After. After Ready, it uses the handler that was passed to
// Ready.
type Starting struct{ ready atomic.Pointer[http.Handler] }

// Ready makes handler answer all further calls.
func (s *Starting) Ready(handler http.Handler) { s.ready.Store(&handler) }

// retryStart is when to send a call again that came while the program started, in seconds.
const retryStart = "2"

func (s *Starting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handler := s.ready.Load(); handler != nil {
		(*handler).ServeHTTP(w, r)
		return
	}
	trace := clientTraceID(r.Header)
	if trace == "" {
		trace = newTraceID()
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set(headerTraceID, trace)
	status, body := http.StatusServiceUnavailable, any(errorBody{
		Code: fail.ErrUnavailable.Code, Message: "the server is starting: send the same call again shortly", TraceID: trace,
	})
	switch strings.TrimSuffix(r.URL.Path, "/") {
	case "/healthz":
		status, body = http.StatusOK, map[string]string{"status": "ok"}
	case "/readyz":
		body = map[string]any{"status": "migrating", "checks": map[string]checkResult{}}
	}
	if status != http.StatusOK {
		header.Set("Retry-After", retryStart)
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
