package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/parley/parley/platform/fail"
)

// Starting is the handler of a server while the rest of the program still starts, and maybe migrates the database, which can
// take as long as there is data: it lives (/healthz), is not ready (/readyz says migrating), and refuses every call with 503
// and Retry-After. From Ready on it is the handler that Ready was given.
type Starting struct{ ready atomic.Pointer[http.Handler] }

// Ready has all further calls answered by a handler.
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
	header.Set(HeaderTraceID, trace)
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
