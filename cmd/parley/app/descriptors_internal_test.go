package app

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/config"
)

func TestOpenFilesAreSharedSoThatSomethingIsLeftForEach(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load([]string{"DATABASE_MAX_CONNS=10"})
	require.NoError(t, err)
	few, err := shareDescriptors(128, cfg)
	require.NoError(t, err)
	require.GreaterOrEqual(t, few.connections, minConnections)
	require.GreaterOrEqual(t, few.outgoing, minConnections)
	require.Less(t, few.outgoing, few.wanted, "which the log warns of")
	many, err := shareDescriptors(65536, cfg)
	require.NoError(t, err)
	require.Equal(t, many.wanted, many.outgoing)
	require.Greater(t, many.connections, 60_000)
	_, err = shareDescriptors(64, cfg)
	require.ErrorContains(t, err, "ulimit -n")
}
