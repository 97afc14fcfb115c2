package modules_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README has a line for each module, and each module has the layers that it describes.
func TestTheREADMEListsEveryModule(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	modules, err := filepath.Glob("*/domain")
	require.NoError(t, err)
	require.NotEmpty(t, modules)
	for _, domain := range modules {
		name := filepath.Dir(domain)
		require.Contains(t, string(readme), "\n| `"+name+"` |")
		for _, layer := range []string{"ports", "usecases", "entrypoints", "adapters"} {
			require.DirExists(t, filepath.Join(name, layer))
		}
	}
}
