//go:build faults

package app

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
		{"git", "-C", filepath.Join("..", ".."), "archive", "-o", archive, releaseBefore},
		{"tar", "-x", "-f", archive, "-C", sources},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return build("parley-before", filepath.Join(sources, "cmd", "parley"))
})

// A rolling deploy: the release before serves beside this one on the schema of this one, and callers go to both.
func TestFaultSessionsAreRefreshedByTwoReleasesSideBySide(t *testing.T) {
	t.Parallel()
	if err := exec.Command("git", "-C", filepath.Join("..", ".."), "cat-file", "-e", releaseBefore+"^{commit}").Run(); err != nil {
		t.Skipf("the release before cannot be built: the history here, such as that of a shallow clone, does not have commit %s", releaseBefore)
	}
	binary, err := builtProgram()
	require.NoError(t, err)
	earlier, err := builtReleaseBefore()
	require.NoError(t, err)
	database := pg.URL(t)
	run := func(binary string) *child {
		c := spawn(t, binary, []string{
			"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + t.TempDir(), "DATABASE_URL=" + database, "DATABASE_MAX_CONNS=8", "WORKERS=0",
			"JWT_SECRET=" + jwtSecret, "SECRET_KEY=" + strings.Repeat("s", 32), "AUTH_RATE_LIMIT_MAX=100000",
		})
		c.serving(t)
		c.database = database
		return c
	}
	here, before := run(binary), run(earlier)

	names := func(token string) bool {
		_, claims := opened(t, token)
		return claims["workspace_id"] != nil
	}
	refreshed := func(t *testing.T, c *caller, at *child) {
		t.Helper()
		spent := c.refresh
		a := c.at(at).spend(t, spent)
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, at == here, names(a.text("refresh_token")))
		c.take(a)
		// A lost answer: the process that made the token gives the same; so does this release whoever made it.
		require.Equal(t, c.refresh, c.at(at).spend(t, spent).text("refresh_token"))
		require.Equal(t, c.refresh, c.at(here).spend(t, spent).text("refresh_token"))
		again := c.at(before).spend(t, spent)
		require.Equal(t, http.StatusOK, again.Status, again)
		for _, there := range []*child{here, before} {
			c.at(there).requireAlive(t, "an access token of the other release")
		}
	}
	for name, first := range map[string]*child{"a session of this release": here, "a session of the release before": before} {
		t.Run(name, func(t *testing.T) {
			c := first.register(t)
			require.Equal(t, first == here, names(c.refresh))
			for _, at := range []*child{before, here, here, before, before, here} {
				refreshed(t, c, at)
			}
			require.Equal(t, 7, c.number(t, `SELECT generation FROM sessions WHERE id = $1`, c.session(t)))

			// The form that the release before gives for a token of this one is as good.
			spent := c.refresh
			c.take(c.at(here).spend(t, spent))
			other := c.at(before).spend(t, spent).text("refresh_token")
			require.False(t, names(other))
			next := c.at(here).spend(t, other)
			require.Equal(t, http.StatusOK, next.Status, next)
			c.take(next)

			// Theft and log-out hold at both at once, whoever notices.
			thief := *c
			c.take(c.at(before).spend(t, c.refresh))
			c.sql(t, `UPDATE sessions SET retirements = '{}' WHERE id = $1`, c.session(t))
			requireCode(t, thief.at(here).spend(t, thief.refresh), http.StatusUnauthorized, "UNAUTHORIZED")
			c.at(before).requireEnded(t, "stolen")
			c.at(here).requireEnded(t, "stolen")
			another := c.at(first).another(t)
			require.Equal(t, http.StatusNoContent, another.at(before).post(t, "/v1/auth/logout", nil).Status)
			another.at(here).requireEnded(t, "logged out at the release before")
			another = c.at(first).another(t)
			require.Equal(t, http.StatusNoContent, another.at(here).post(t, "/v1/auth/logout", nil).Status)
			another.at(before).requireEnded(t, "logged out at this release")

			// So does log-out everywhere, by functions that differ.
			for _, at := range []*child{before, here} {
				keeps, other := c.at(first).another(t), c.at(here).another(t)
				require.Equal(t, http.StatusOK, keeps.at(at).post(t, "/v1/auth/logout-all", nil).Status)
				other.at(here).requireEnded(t, "logged out everywhere")
				other.at(before).requireEnded(t, "logged out everywhere")
				keeps.at(before).requireAlive(t, "the one that logged the others out")
			}
		})
	}
}
