package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/telemetry"
	"github.com/parley/parley/platform/request/callctx"
)

func TestEveryLineOfACallCarriesItsIds(t *testing.T) {
	t.Parallel()
	c := callctx.Call{
		TraceID:   "trace-1",
		Principal: callctx.Principal{WorkspaceID: uuid.New(), UserID: uuid.New(), SessionID: uuid.New()},
		Operation: callctx.Operation{ID: uuid.New()},
	}
	ctx := callctx.With(t.Context(), &c)
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, "json", slog.LevelInfo).With("part", "x")
	log.InfoContext(ctx, "hello", "n", 1)
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	for name, want := range map[string]any{
		"msg": "hello", "part": "x", "n": 1.0, "trace_id": "trace-1", "operation_id": c.Operation.ID.String(),
		"workspace_id": c.Principal.WorkspaceID.String(), "user_id": c.Principal.UserID.String(),
	} {
		require.Equal(t, want, line[name], name)
	}
	require.NotContains(t, out.String(), c.Principal.SessionID.String())
}

func TestALineOutsideOfACallHasNoEmptyIds(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	telemetry.NewLogger(&out, "json", slog.LevelInfo).InfoContext(t.Context(), "hello")
	for _, name := range []string{"trace_id", "operation_id", "workspace_id", "user_id"} {
		require.NotContains(t, out.String(), name)
	}
}

func TestTheLogKeepsToItsFormatAndLevel(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, "text", slog.LevelWarn)
	log.InfoContext(t.Context(), "quiet")
	require.Empty(t, out.String())
	log.WarnContext(t.Context(), "loud")
	require.Contains(t, out.String(), "level=WARN msg=loud")
}

func TestDurationsAreReadableWhereverTheyStand(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, "json", slog.LevelInfo).With("every", time.Minute)
	log.InfoContext(t.Context(), "hello", "took", 1500*time.Microsecond, slog.Group("g", "inner", time.Second, slog.Group("h", "deep", time.Hour)))
	require.Contains(t, out.String(), `"every":"1m0s","took":"1.5ms","g":{"inner":"1s","h":{"deep":"1h0m0s"}}`)
}
