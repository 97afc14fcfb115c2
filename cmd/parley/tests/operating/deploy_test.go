package operating

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/ops/config"
)

func TestWhatDeploysParleyHasSettingsThatItKnowsAndTakes(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, v := range config.Variables() {
		known[v.Name] = true
		known[v.Name+"_FILE"] = v.Secret
	}
	guide, err := os.ReadFile(harness.DeployFolder + "README.md")
	require.NoError(t, err)
	sample := map[string]string{
		"database-url": "postgres://parley:secret@postgres:5432/parley", "redis-url": "redis://:secret@redis:6379/0",
		"secret-key": strings.Repeat("s", 32), "jwt-secret": strings.Repeat("j", 32), "minio-access-key": "parley", "minio-secret-key": "secret-of-minio",
	}
	for way, settings := range harness.Deployed(t) {
		secrets := t.TempDir()
		environ := []string{"EMBEDDED=true"}
		for _, name := range slices.Sorted(maps.Keys(settings)) {
			require.True(t, known[name], "%s: the program knows no %s", way, name)
			value := settings[name]
			if strings.HasSuffix(name, "_FILE") {
				file := path.Base(value)
				require.Contains(t, string(guide), file, "%s: the README does not say that %s is wanted", way, file)
				require.NotEmpty(t, sample[file], "%s: this test has no sample of %s", way, file)
				value = filepath.Join(secrets, file)
				require.NoError(t, os.WriteFile(value, []byte(sample[file]+"\n"), 0o600))
			}
			environ = append(environ, name+"="+value)
		}
		cfg, err := config.Load(environ)
		require.NoError(t, err, way)
		require.Equal(t, "production", cfg.AppEnv, way)
	}
}
