package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
)

// Drain announces to clients and load balancers that the process is stopping, while it still serves requests. After
// Begin, /readyz answers 503 with the reason "stopping". Every other call is served as before, and each response closes
// its connection, so that clients with open connections move to another process. It is safe for concurrent use.
type Drain struct{ begun atomic.Bool }

// Begin starts the drain of all wrapped handlers.
func (d *Drain) Begin() { d.begun.Store(true) }

// Wrap returns a handler that serves like next until Begin is called.
func (d *Drain) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !d.begun.Load() {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Connection", "close")
		if strings.TrimSuffix(r.URL.Path, "/") != "/readyz" || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		trace := clientTraceID(r.Header)
		if trace == "" {
			trace = newTraceID()
		}
		setHeaders(w.Header(), "Content-Type", "application/json", headerTraceID, trace)
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "not_ready", "reason": "stopping", "checks": map[string]checkResult{}})
	})
}
