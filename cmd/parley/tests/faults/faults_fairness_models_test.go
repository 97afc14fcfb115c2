//go:build faults

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A provider whose key all workspaces share. What a message says is what it does: "stall" says a word and nothing more,
// "hang" says nothing, "busy" is refused by 429, "broken" by 500; anything else is answered.
func newSharedProvider(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		contains := func(text string) bool { return strings.Contains(string(raw), text) }
		switch {
		case contains("busy"):
			w.Header().Set("Retry-After", "30")
			http.Error(w, `{"error": {"code": "rate_limit_exceeded"}}`, http.StatusTooManyRequests)
			return
		case contains("broken"):
			http.Error(w, `{"error": {"code": "server_error"}}`, http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		say := func(delta map[string]any, finish any) {
			chunk, _ := json.Marshal(map[string]any{"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}}})
			_, _ = fmt.Fprintf(w, "data: %s\n\n", chunk)
			_ = http.NewResponseController(w).Flush()
		}
		_ = http.NewResponseController(w).Flush()
		if contains("hang") {
			<-r.Context().Done()
			return
		}
		say(map[string]any{"content": "Hello"}, nil)
		if contains("stall") {
			<-r.Context().Done()
			return
		}
		say(map[string]any{}, "stop")
		_, _ = io.WriteString(w, "data: [DONE]\n\n")
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v1"
}

// figures are those of a tenant's turns.
type figures struct {
	statuses map[int]int
	took     []time.Duration
}

func (f *figures) String() string {
	slices.Sort(f.took)
	at := func(share float64) time.Duration {
		return f.took[min(len(f.took)-1, int(share*float64(len(f.took))))].Round(time.Millisecond)
	}
	return fmt.Sprintf("%d turns by status %v, p50 %s, p95 %s", len(f.took), f.statuses, at(0.5), at(0.95))
}

// One free account does its worst to the model that all share. Every turn of another tenant succeeds meanwhile.
func TestFaultOneWorkspaceCannotStopTheSharedModel(t *testing.T) {
	t.Parallel()
	const (
		attackers  = 48 // calls at once, more than may run
		afterTurns = 48 // of the attacker, before the victim begins
		victimHas  = 30 // turns
	)
	for _, attack := range []string{"stall", "hang", "busy", "broken"} {
		t.Run(attack, func(t *testing.T) {
			c := startCluster(t)
			s := newSite(t, c.url(), "OPENAI_BASE_URL="+newSharedProvider(t), "OPENAI_API_KEY=sk-operator", "MODEL_DEFAULT=openai/m", "MODEL_TIMEOUT=2s", "MODEL_CONCURRENCY=32")
			s.launch()
			attacker, victim := s.register(), s.register()
			threads := make([]string, attackers)
			for i := range threads {
				threads[i] = attacker.thread()
			}
			thread := victim.thread()
			ctx, stop := context.WithCancel(t.Context())
			var flood sync.WaitGroup
			var asked atomic.Int64
			var refused sync.Map
			for _, thread := range threads {
				flood.Go(func() {
					for ctx.Err() == nil {
						a, err := s.send(ctx, attacker.token, http.MethodPost, "/v1/conversations/threads/"+thread+"/turn", `{"content":"`+attack+`"}`)
						if err == nil {
							asked.Add(1)
							n, _ := refused.LoadOrStore(fmt.Sprint(a.Status, " ", a.Text("code")), new(atomic.Int64))
							n.(*atomic.Int64).Add(1)
						}
						pause(ctx, 50*time.Millisecond)
					}
				})
			}
			defer flood.Wait()
			defer stop()
			require.Eventually(t, func() bool { return asked.Load() >= afterTurns }, faultTimeout, 10*time.Millisecond)
			f := figures{statuses: map[int]int{}}
			for range victimHas {
				began := time.Now()
				a, err := s.send(t.Context(), victim.token, http.MethodPost, "/v1/conversations/threads/"+thread+"/turn", `{"content":"Hi"}`)
				require.NoError(t, err)
				f.took = append(f.took, time.Since(began))
				f.statuses[a.Status]++
			}
			stop()
			t.Logf("%s: the second tenant: %s", attack, &f)
			refused.Range(func(what, n any) bool {
				t.Logf("%s: the attacker: %d times %s", attack, n.(*atomic.Int64).Load(), what)
				return true
			})
			require.Equal(t, map[int]int{http.StatusOK: victimHas}, f.statuses)
		})
	}
}
