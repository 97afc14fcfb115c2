package analytics_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/analytics"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/testing/pgtest"
	"github.com/parley/parley/platform/work/resilience"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// site is a database of the test's own, and the superuser.
type site struct {
	db    *postgres.DB
	super *pgx.Conn
}

func newSite(t *testing.T) site {
	t.Helper()
	url := pg.URL(t)
	return site{pg.Open(t, url), pg.Superuser(t, url)}
}

// fact is a row of the outbox; what is left out is 0.
type fact struct {
	workspace           uuid.UUID
	kind                string
	count, messages     int
	at                  string
	bot                 *uuid.UUID
	input, output, cost int64
	latency             *int
	provider, model     string
}

func (s site) happened(t *testing.T, facts ...fact) {
	t.Helper()
	for _, f := range facts {
		_, err := s.super.Exec(t.Context(), `INSERT INTO analytics_outbox
			(workspace_id, kind, count, messages, at, bot_id, provider, model, input_tokens, output_tokens, cost_micros, latency_ms)
			VALUES ($1, $2, $3, $4, $5::text::timestamptz, $6, $7, $8, $9, $10, $11, $12)`,
			f.workspace, f.kind, f.count, f.messages, f.at, f.bot, f.provider, f.model, f.input, f.output, f.cost, f.latency)
		require.NoError(t, err)
	}
}

// close has nothing counted any more of a workspace that happened before a day.
func (s site) close(t *testing.T, workspace uuid.UUID, day string) {
	t.Helper()
	_, err := s.super.Exec(t.Context(), `INSERT INTO workspaces VALUES ($1, 'Acme', now())`, workspace)
	require.NoError(t, err)
	_, err = s.super.Exec(t.Context(), `INSERT INTO workspace_retention (workspace_id, usage_before) VALUES ($1, $2::text::date)`, workspace, day)
	require.NoError(t, err)
}

// many makes so many completed turns of a workspace, spread over two days.
func (s site) many(t *testing.T, workspace uuid.UUID, n int) {
	t.Helper()
	_, err := s.super.Exec(t.Context(), `INSERT INTO analytics_outbox (workspace_id, kind, count, messages, at, input_tokens, latency_ms)
		SELECT $1, 'completed', 1, 2, timestamptz '2026-11-10 12:00Z' + (i % 2) * interval '1 day', 3, i % 500 FROM generate_series(1, $2::integer) i`, workspace, n)
	require.NoError(t, err)
}

func (s site) waiting(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, s.super.QueryRow(t.Context(), "SELECT count(*) FROM analytics_outbox").Scan(&n))
	return n
}

func (s site) read(t *testing.T, store analytics.Store, workspace uuid.UUID, q analytics.Query) analytics.Report {
	t.Helper()
	reports := analytics.Reports{DB: s.db, Store: store, Now: time.Now}
	report, err := reports.Read(callctx.As(t.Context(), workspace, uuid.New()), q)
	require.NoError(t, err)
	return report
}

func day(t *testing.T, text string) time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, text)
	require.NoError(t, err)
	return d
}

func november(t *testing.T) analytics.Query {
	t.Helper()
	return analytics.Query{From: day(t, "2026-11-09"), To: day(t, "2026-11-13")}
}

func newGroup() *resilience.Group {
	return resilience.NewGroup("clickhouse", resilience.Policy{
		Timeout: 20 * time.Second, Concurrency: 16, Wait: 10 * time.Second, Failures: 5, OpenFor: 50 * time.Millisecond,
	}, slog.New(slog.DiscardHandler))
}

func background() context.Context { return context.Background() }

const (
	waitFor = 30 * time.Second
	tick    = 50 * time.Millisecond
)
