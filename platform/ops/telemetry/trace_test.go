package telemetry_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/telemetry"
)

func TestACallsTraceIsTheSameWhereverItsSpansAreBegun(t *testing.T) {
	t.Parallel()
	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", telemetry.TraceOf("4bf92f3577b34da6a3ce929d0e0e4736").String())
	for _, id := range []string{"mine", "4bf92f3577b34da6a3ce929d0e0e473", "00000000000000000000000000000000"} {
		trace := telemetry.TraceOf(id)
		require.True(t, trace.IsValid(), id)
		require.Equal(t, trace, telemetry.TraceOf(id))
		require.NotEqual(t, telemetry.TraceOf("another"), trace)
	}
}
