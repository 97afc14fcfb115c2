package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/platform/request/fail"
)

// Check checks whether a dependency responds.
type Check struct {
	Name     string
	Optional bool // its failure is reported but does not make the process unready
	Probe    func(ctx context.Context) error
}

// Outside is one group of calls to other systems. The number of targets whose circuit breaker is open is reported and
// does not make the process unready. The targets themselves are not named here.
type Outside struct {
	Name string
	Open func() int // targets whose circuit breaker is open
}

// probeTimeout bounds one probe, so that a hanging dependency does not hang the page that should report it.
const probeTimeout = 2 * time.Second

type checkResult struct {
	OK     bool   `json:"ok"`
	Status string `json:"status"`
	Error  string `json:"error,omitempty"`
	Open   *int   `json:"open_breakers,omitempty"`
}

// Health returns the handlers of /healthz, which answers 200 while the process runs, and of /readyz, which answers 200
// while the required dependencies respond.
func Health(checks []Check, outside []Outside) (live, ready http.HandlerFunc) {
	live = func(w http.ResponseWriter, _ *http.Request) {
		writeHealth(w, http.StatusOK, map[string]string{"status": "ok"})
	}
	ready = func(w http.ResponseWriter, r *http.Request) {
		results, ready := probeAll(r.Context(), checks)
		for _, o := range outside {
			open, status := o.Open(), "ok"
			if open > 0 {
				status = "degraded"
			}
			results[o.Name] = checkResult{OK: open == 0, Status: status, Open: &open}
		}
		status, word := http.StatusOK, "ready"
		if !ready {
			status, word = http.StatusServiceUnavailable, "not_ready"
		}
		writeHealth(w, status, map[string]any{"status": word, "checks": results})
	}
	return live, ready
}

func writeHealth(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func addHealth(e *echo.Echo, checks []Check, outside []Outside) {
	live, ready := Health(checks, outside)
	e.GET("/healthz", echo.WrapHandler(live))
	e.GET("/readyz", echo.WrapHandler(ready))
}

// probeAll runs all checks concurrently. It does not show the text of an error, which may name hosts and users; the
// code is enough.
func probeAll(ctx context.Context, checks []Check) (map[string]checkResult, bool) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	results, ready := make(map[string]checkResult, len(checks)), true
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, check := range checks {
		wg.Go(func() {
			err := check.Probe(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				results[check.Name] = checkResult{OK: true, Status: "ok"}
				return
			}
			results[check.Name] = checkResult{Status: "failed", Error: fail.From(err).Code}
			ready = ready && check.Optional
		})
	}
	wg.Wait()
	return results, ready
}
