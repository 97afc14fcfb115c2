//go:build faults

package faults

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// releaseBefore is the last commit whose refresh tokens do not name the workspace of their session.
const releaseBefore = "ef8c2b8"

// builtReleaseBefore builds the program of releaseBefore, once for all tests. It wants the history of the repository.
var builtReleaseBefore = sync.OnceValues(func() (string, error) {
	sources, err := os.MkdirTemp("", "parley-release-before-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(sources)
	archive := filepath.Join(sources, "sources.tar")
	for _, args := range [][]string{
		{"git", "-C", "../../../..", "archive", "-o", archive, releaseBefore},
		{"tar", "-x", "-f", archive, "-C", sources},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return harness.Build("parley-before", filepath.Join(sources, "cmd", "parley"))
})

// A rolling deploy: the release before serves beside this one on the schema of this one, and callers go to both.
func TestFaultSessionsAreRefreshedByTwoReleasesSideBySide(t *testing.T) {
	t.Parallel()
	if err := exec.Command("git", "-C", "../../../..", "cat-file", "-e", releaseBefore+"^{commit}").Run(); err != nil {
		t.Skipf("the release before cannot be built: the history here, such as that of a shallow clone, does not have commit %s", releaseBefore)
	}
	binary, err := harness.BuiltProgram()
	require.NoError(t, err)
	earlier, err := builtReleaseBefore()
	require.NoError(t, err)
	database := harness.Postgres.URL(t)
	run := func(binary string) *harness.Child {
		c := harness.Spawn(t, binary, []string{
			"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + t.TempDir(), "DATABASE_URL=" + database, "DATABASE_MAX_CONNS=8", "WORKERS=0",
			"JWT_SECRET=" + harness.JWTSecret, "SECRET_KEY=" + strings.Repeat("s", 32), "AUTH_RATE_LIMIT_MAX=100000",
		})
		c.Serving(t)
		c.Database = database
		return c
	}
	here, before := run(binary), run(earlier)
	before.Client = &http.Client{Timeout: harness.Timeout} // its answers are of its own document

	names := func(token string) bool {
		_, claims := harness.Opened(t, token)
		return claims["workspace_id"] != nil
	}
	refreshed := func(t *testing.T, c *harness.Caller, at *harness.Child) {
		t.Helper()
		spent := c.Refresh
		a := c.At(at).Spend(t, spent)
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, at == here, names(a.Text("refresh_token")))
		c.Take(a)
		// A lost answer: the process that made the token gives the same; so does this release whoever made it.
		require.Equal(t, c.Refresh, c.At(at).Spend(t, spent).Text("refresh_token"))
		require.Equal(t, c.Refresh, c.At(here).Spend(t, spent).Text("refresh_token"))
		again := c.At(before).Spend(t, spent)
		require.Equal(t, http.StatusOK, again.Status, again)
		for _, there := range []*harness.Child{here, before} {
			c.At(there).RequireAlive(t, "an access token of the other release")
		}
	}
	for name, first := range map[string]*harness.Child{"a session of this release": here, "a session of the release before": before} {
		t.Run(name, func(t *testing.T) {
			c := first.Register(t)
			require.Equal(t, first == here, names(c.Refresh))
			for _, at := range []*harness.Child{before, here, here, before, before, here} {
				refreshed(t, c, at)
			}
			require.Equal(t, 7, c.Number(t, `SELECT generation FROM sessions WHERE id = $1`, c.Session(t)))

			// The form that the release before gives for a token of this one is as good.
			spent := c.Refresh
			c.Take(c.At(here).Spend(t, spent))
			other := c.At(before).Spend(t, spent).Text("refresh_token")
			require.False(t, names(other))
			next := c.At(here).Spend(t, other)
			require.Equal(t, http.StatusOK, next.Status, next)
			c.Take(next)

			// Theft and log-out hold at both at once, whoever notices.
			thief := *c
			c.Take(c.At(before).Spend(t, c.Refresh))
			c.SQL(t, `UPDATE sessions SET retirements = '{}' WHERE id = $1`, c.Session(t))
			harness.RequireCode(t, thief.At(here).Spend(t, thief.Refresh), http.StatusUnauthorized, "UNAUTHORIZED")
			c.At(before).RequireEnded(t, "stolen")
			c.At(here).RequireEnded(t, "stolen")
			another := c.At(first).Another(t)
			require.Equal(t, http.StatusNoContent, another.At(before).Post(t, "/v1/auth/logout", nil).Status)
			another.At(here).RequireEnded(t, "logged out at the release before")
			another = c.At(first).Another(t)
			require.Equal(t, http.StatusNoContent, another.At(here).Post(t, "/v1/auth/logout", nil).Status)
			another.At(before).RequireEnded(t, "logged out at this release")

			// So does log-out everywhere, by functions that differ.
			for _, at := range []*harness.Child{before, here} {
				keeps, other := c.At(first).Another(t), c.At(here).Another(t)
				require.Equal(t, http.StatusOK, keeps.At(at).Post(t, "/v1/auth/logout-all", nil).Status)
				other.At(here).RequireEnded(t, "logged out everywhere")
				other.At(before).RequireEnded(t, "logged out everywhere")
				keeps.At(before).RequireAlive(t, "the one that logged the others out")
			}
		})
	}
}
