package operating

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// composeEnv runs .tools/compose-env, as make up does, on a file of the test's own.
func composeEnv(t *testing.T, file string, environ ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "../../../../.tools/compose-env", file)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, environ...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

func TestThePasswordsOfComposeAreMadeOnceAndForTheirOwnerAlone(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), ".env")
	printed := composeEnv(t, file)
	first, err := os.ReadFile(file)
	require.NoError(t, err)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	values := map[string]bool{}
	for _, name := range []string{"POSTGRES_SUPERUSER_PASSWORD", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "CLICKHOUSE_PASSWORD", "MINIO_SECRET_KEY", "QDRANT_API_KEY"} {
		match := regexp.MustCompile(`(?m)^` + name + `=([0-9a-f]{48})$`).FindSubmatch(first)
		require.NotNil(t, match, "%s was not made", name)
		require.NotContains(t, printed, string(match[1]), "a password is shown")
		require.Contains(t, printed, name)
		values[string(match[1])] = true
	}
	require.Len(t, values, 6, "two services have the same password")
	require.Equal(t, 6, strings.Count(string(first), "\n"))

	require.Empty(t, composeEnv(t, file))
	second, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(first), string(second), "a password was made again")
}

func TestThePasswordsOfComposeThatAPersonHasSetStay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), ".env")
	const own = "# mine\nREDIS_PASSWORD=mine\nexport QDRANT_API_KEY='also mine'\nCLICKHOUSE_PASSWORD=\nPARLEY_PORT=8081" // without an end of line
	require.NoError(t, os.WriteFile(file, []byte(own), 0o644))
	composeEnv(t, file, "POSTGRES_PASSWORD=of-the-environment")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Regexp(t, `^`+regexp.QuoteMeta(own)+`\nMINIO_SECRET_KEY=\w+\nPOSTGRES_SUPERUSER_PASSWORD=\w+\n$`, string(text))
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestThePasswordsOfComposeAreLeftOutOfCommits(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("../../../../.git"); err != nil {
		t.Skip("compose: these sources are no git repository")
	}
	cmd := exec.CommandContext(t.Context(), "git", "-C", "../../../..", "check-ignore", ".env")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}
