package telemetry_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley/parley/platform/ops/telemetry"
	"github.com/parley/parley/platform/request/callctx"
)

func sampled(t *testing.T, tracing *telemetry.Tracing, traceID string, given bool, header string) bool {
	t.Helper()
	ctx, _ := tracing.Extract(t.Context(), http.Header{"Traceparent": {header}, "Tracestate": {"secret=1"}})
	ctx = callctx.With(ctx, &callctx.Call{TraceID: traceID, TraceGiven: given})
	ctx, end := tracing.Start(ctx, "first", nil)
	defer end(nil)
	first := trace.SpanContextFromContext(ctx)
	require.Zero(t, first.TraceState().Len(), "a client's tracestate goes no further")
	ctx, endInner := tracing.Start(ctx, "inner", nil)
	endInner(nil)
	require.Equal(t, first.IsSampled(), trace.SpanContextFromContext(ctx).IsSampled(), "the spans of a call go together")
	return first.IsSampled()
}

func TestAShareOfTracesIsSentWhateverClientsAskFor(t *testing.T) {
	t.Parallel()
	key := []byte("key")
	half := telemetry.NewTracingTo(tracetest.NewInMemoryExporter(), 0.5, key)
	other := telemetry.NewTracingTo(tracetest.NewInMemoryExporter(), 0.5, key) // another process
	const calls = 4000
	share := func(sent func(n int) bool) float64 {
		n := 0
		for i := range calls {
			if sent(i) {
				n++
			}
		}
		return float64(n) / calls
	}
	fresh := func() string { id := uuid.New(); return trace.TraceID(id).String() }
	lowest := "00000000000000000000000000000001"
	for name, sent := range map[string]func(int) bool{
		"ids of our own":               func(int) bool { return sampled(t, half, fresh(), false, "") },
		"an id that a client repeats":  func(int) bool { return sampled(t, half, lowest, true, "") },
		"a traceparent that says send": func(int) bool { return sampled(t, half, lowest, true, "00-"+lowest+"-00f067aa0ba902b7-01") },
		"a traceparent that says not":  func(int) bool { return sampled(t, half, lowest, true, "00-"+lowest+"-00f067aa0ba902b7-00") },
	} {
		require.InDelta(t, 0.5, share(sent), 0.1, name)
	}
	for range 200 {
		id := fresh()
		require.Equal(t, sampled(t, half, id, false, ""), sampled(t, other, id, false, ""), "processes choose alike")
	}
	for bound, want := range map[float64]bool{0: false, 1: true} {
		tracing := telemetry.NewTracingTo(tracetest.NewInMemoryExporter(), bound, key)
		require.Equal(t, want, sampled(t, tracing, fresh(), false, ""))
		require.Equal(t, want, sampled(t, tracing, lowest, true, "00-"+lowest+"-00f067aa0ba902b7-01"))
	}
	require.NoError(t, half.Close())
}
