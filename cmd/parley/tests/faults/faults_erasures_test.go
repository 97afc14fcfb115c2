//go:build faults

package faults

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

const erasedText = "xyzzy-4711-plugh"

// requireErased looks for the text in every table, in the files of the program and in the log of its last life.
func (s *site) requireErased(t *testing.T, db *pgx.Conn) {
	t.Helper()
	harness.RequireNowhere(t, db, erasedText)
	require.NotContains(t, s.child.log.String(), erasedText)
	folder, ok := strings.CutPrefix(s.environ[3], "DATA_DIR=")
	require.True(t, ok)
	require.NoError(t, filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		require.NotContains(t, string(content), erasedText, path)
		return err
	}))
}

// longThread makes a thread that is erased in several steps, and gives its path.
func (u *user) longThread(t *testing.T, db *pgx.Conn) string {
	t.Helper()
	thread := u.here().Thread(t, u.bot)
	require.Equal(t, http.StatusOK, u.here().Say(t, thread, erasedText).Status)
	_, err := db.Exec(t.Context(), `WITH more AS (
			INSERT INTO llm_turns (workspace_id, id, thread_id, actor_id, operation_id, bot_id, bot_version, provider, model, status, user_seq, lease_until, created_at, finished_at)
			SELECT workspace_id, gen_random_uuid(), thread_id, actor_id, gen_random_uuid(), bot_id, bot_version, provider, model, status, n * 2 + 1, lease_until, created_at, finished_at
			  FROM llm_turns, generate_series(1, 170) n WHERE thread_id = $1 RETURNING *),
		said AS (INSERT INTO messages (workspace_id, id, thread_id, turn_id, seq, role, content, created_at)
			SELECT workspace_id, gen_random_uuid(), thread_id, id, user_seq, 'user', $2, created_at FROM more)
		UPDATE threads SET last_seq = 342 WHERE id = $1`, thread, erasedText)
	require.NoError(t, err)
	return "/v1/conversations/threads/" + thread
}

// An erasure whose process is killed between two steps is finished by another one, also where its job is lost with it.
func TestFaultAnErasureThatIsKilledIsFinished(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	s := newSite(t, c.url(), "JOB_LEASE=1s", "JOB_POLL_INTERVAL=50ms")
	s.launch()
	for _, point := range []string{"thread-erased", "bot-threads-erased"} {
		for _, lost := range []bool{false, true} {
			u := s.register()
			path := u.longThread(t, db)
			if point == "bot-threads-erased" {
				path = "/v1/bots/" + u.bot + "?threads=true"
				for range 24 {
					require.Equal(t, http.StatusOK, u.here().Say(t, u.here().Thread(t, u.bot), erasedText).Status)
				}
			}
			s.kill()
			s.launch("FAULT_POINT=" + point)
			if a, err := u.send(t.Context(), u.token, http.MethodDelete, path, ""); err == nil {
				require.Equal(t, http.StatusNoContent, a.Status, a)
			}
			s.died()
			left := u.one(t, db, `SELECT count(*) FROM messages WHERE workspace_id = $1 AND content LIKE '%`+erasedText+`%'`)
			require.Positive(t, left, "%s: nothing was left to do: the test does not kill in the middle", point)
			if lost {
				_, err := db.Exec(t.Context(), `WITH gone AS (DELETE FROM job_queue WHERE workspace_id = $1 AND status <> 'done'),
				    threads AS (UPDATE threads SET deleted_at = deleted_at - interval '1 hour' WHERE workspace_id = $1),
				    free AS (UPDATE periodic_tasks SET holder = NULL, lease_until = NULL)
				    UPDATE bots SET threads_deleted_at = threads_deleted_at - interval '1 hour' WHERE workspace_id = $1`, u.workspace)
				require.NoError(t, err)
			}
			s.launch()
			require.Eventually(t, func() bool {
				return u.one(t, db, `SELECT (SELECT count(*) FROM threads WHERE workspace_id = $1)
				    + (SELECT count(*) FROM bots WHERE workspace_id = $1 AND threads_deleted_at IS NOT NULL)`) == 0 && u.one(t, db, unfinishedJobs) == 0
			}, faultTimeout, 50*time.Millisecond, "%s, lost %t", point, lost)
			s.requireErased(t, db)
			require.Zero(t, u.one(t, db, deadJobs))
		}
	}
}
