package app

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
	conversations "github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/resilience"
)

func TestWhatDashboardsAndAlertsAskForIsMeasured(t *testing.T) {
	t.Parallel()
	m := newCounters()
	addGauges(m, measured{})
	names := m.Names()
	for _, file := range []string{"dashboard.json", "alerts.yaml"} {
		text, err := os.ReadFile("../../../platform/ops/telemetry/grafana/" + file)
		require.NoError(t, err)
		asked := regexp.MustCompile(`parley_[a-z_]+`).FindAllString(string(text), -1)
		require.NotEmpty(t, asked)
		for _, name := range asked {
			require.Contains(t, names, regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, ""), file)
		}
	}
	dashboard, err := os.ReadFile("../../../platform/ops/telemetry/grafana/dashboard.json")
	require.NoError(t, err)
	require.True(t, json.Valid(dashboard))
}

func TestTheTimeOfModelsIsNoTimeOfOurOwn(t *testing.T) {
	t.Parallel()
	m := newCounters()
	m.request(t.Context(), http.MethodPost, "/v1/x", http.StatusOK, 9*time.Second, 8999*time.Millisecond)
	c := &callctx.Call{Outside: new(atomic.Int64)}
	require.NoError(t, traceCalls(nil)(callctx.With(t.Context(), c), "model", "x", func(context.Context) error { return nil }))
	require.Positive(t, c.Outside.Load())
	page := httptest.NewRecorder()
	m.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Contains(t, page.Body.String(), `parley_http_request_duration_seconds_sum{method="POST",route="/v1/x"} 9`)
	require.Contains(t, page.Body.String(), `parley_http_request_own_seconds_sum{method="POST",route="/v1/x"} 0.001`)
}

func TestAJobThatPanicsIsMeasured(t *testing.T) {
	t.Parallel()
	m := newCounters()
	require.Panics(t, func() {
		_ = measureJobs(nil, m)(t.Context(), "note", func(context.Context) error { panic("at the disco") })
	})
	page := httptest.NewRecorder()
	m.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Contains(t, page.Body.String(), `parley_job_duration_seconds_count{kind="note",outcome="failed"} 1`)
}

// quietEvents ignore all events.
type quietEvents struct{ conversations.Events }

func (quietEvents) TurnCompleted(context.Context, domain.Turn, domain.Message, domain.Reply) error {
	return nil
}

func TestTokensAndJobsAreCountedForTheirWorkspace(t *testing.T) {
	t.Parallel()
	workspace := uuid.New()
	m, slots := newCounters(), resilience.NewSlots(2)
	ctx := callctx.With(t.Context(), &callctx.Call{Principal: callctx.Principal{WorkspaceID: workspace}})
	reply := domain.Reply{Usage: domain.Usage{InputTokens: new(100), OutputTokens: new(20), CachedTokens: new(50)}}
	require.NoError(t, countedTurns{Events: quietEvents{}, counters: m}.TurnCompleted(ctx, domain.Turn{}, domain.Message{}, reply))
	require.NoError(t, measureJobs(nil, m)(ctx, "note", func(context.Context) error { return nil }))
	require.Error(t, measureJobs(nil, m)(ctx, "note", func(context.Context) error { return errPanic }))
	_, ok := slots.Try(workspace, uuid.New())
	require.True(t, ok)
	addTopWorkspaces(m, slots, 10)
	page := httptest.NewRecorder()
	m.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line, value := range map[string]string{"turn_tokens": "120", "jobs": "2", "jobs_failed": "1", "turns": "1"} {
		require.Contains(t, page.Body.String(), `parley_workspace_`+line+`{workspace="`+workspace.String()+`"} `+value+"\n")
	}
}
