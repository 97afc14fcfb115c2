package postgres_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/telemetry"
	"github.com/parley/parley/platform/request/callctx"
)

const napSQL = "-- name: Nap :one\nSELECT $2::text FROM pg_sleep($1)"

// openMeasured opens the database of a setup with Statements, and gives their log.
func openMeasured(t *testing.T, slow time.Duration) (*postgres.DB, *postgres.Statements, *bytes.Buffer) {
	t.Helper()
	s, log := setup(t, 4), &bytes.Buffer{}
	measured := postgres.NewStatements(slow, telemetry.NewLogger(log, "json", slog.LevelInfo))
	db, err := postgres.Open(t.Context(), postgres.Options{URL: s.url, MaxConns: 4, Statements: measured})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return db, measured, log
}

func slowLines(t *testing.T, log *bytes.Buffer) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log.String()) {
		var l map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &l))
		lines = append(lines, l)
	}
	return lines
}

func count(s *postgres.Statements, query string) (c postgres.StatementCount) {
	for _, c := range s.Counts() {
		if c.Query == query {
			return c
		}
	}
	return c
}

func TestASlowStatementIsLoggedByItsNameWithoutItsValues(t *testing.T) {
	t.Parallel()
	db, measured, log := openMeasured(t, 300*time.Millisecond)
	nap := func(ctx context.Context, conn postgres.Conn, seconds float64) {
		var result string
		require.NoError(t, conn.QueryRow(ctx, napSQL, seconds, "a secret value").Scan(&result))
	}
	ctx := callctx.With(t.Context(), &callctx.Call{TraceID: "trace-of-the-call"})
	nap(ctx, db.In(ctx), 0.31)
	nap(ctx, db.InPipeline(ctx), 0.31)
	require.NoError(t, db.Write(ctx, func(ctx context.Context) error {
		nap(ctx, db.In(ctx), 0.31)
		nap(ctx, db.In(ctx), 0)
		return nil
	}))
	lines := slowLines(t, log)
	require.Len(t, lines, 3, log)
	for _, line := range lines {
		require.Equal(t, "a statement was slow", line["msg"])
		require.Equal(t, "Nap", line["query"])
		require.Equal(t, "trace-of-the-call", line["trace_id"])
		took, err := time.ParseDuration(line["took"].(string))
		require.NoError(t, err)
		require.GreaterOrEqual(t, took, 310*time.Millisecond)
	}
	require.Equal(t, []any{"EnterNowhere", "Nap"}, lines[0]["sent_together"])
	require.NotContains(t, log.String(), "a secret value")
	c := count(measured, "Nap")
	require.EqualValues(t, 4, c.Calls)
	require.EqualValues(t, 3, c.Slow)
	require.GreaterOrEqual(t, c.Time, 930*time.Millisecond)
	require.Positive(t, count(measured, postgres.OtherStatements).Calls, "the COMMIT")
}

func TestSlowStatementsAreCountedButNotLoggedWhereNobodyWantsIt(t *testing.T) {
	t.Parallel()
	db, measured, log := openMeasured(t, 0)
	var result string
	require.NoError(t, db.In(t.Context()).QueryRow(t.Context(), napSQL, 0.01, "x").Scan(&result))
	require.EqualValues(t, 1, count(measured, "Nap").Calls)
	require.Empty(t, log.String())
}

func TestADatabaseThatIsSlowThroughoutDoesNotFloodTheLog(t *testing.T) {
	t.Parallel()
	db, measured, log := openMeasured(t, time.Nanosecond)
	for range 200 {
		require.NoError(t, db.Ping(t.Context()))
	}
	c := count(measured, "Ping")
	require.GreaterOrEqual(t, c.Slow, int64(200))
	require.Less(t, len(slowLines(t, log)), 100, "ten a second")
}
