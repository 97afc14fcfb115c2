package reaper_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/reaper"
)

// What it does as process 1 is seen in cmd/parley/container_test.go. The program here cannot be started: it would be
// the end of all that its user runs, were it not refused.
func TestItIsForProcessOneAlone(t *testing.T) {
	t.Parallel()
	_, err := reaper.Run(filepath.Join(t.TempDir(), "none"), []string{"none"}, nil)
	require.ErrorContains(t, err, "not process 1")
}
