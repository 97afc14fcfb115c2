package operating

import (
	"context"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// two runs the program twice on one database.
func two(t *testing.T, settings ...string) (here, there *harness.Child) {
	t.Helper()
	binary, err := harness.BuiltProgram()
	require.NoError(t, err)
	database := harness.Postgres.URL(t)
	run := func() *harness.Child {
		c := harness.Spawn(t, binary, append(append([]string{
			"HTTP_ADDR=127.0.0.1:0", "DATA_DIR=" + t.TempDir(), "DATABASE_URL=" + database, "DATABASE_MAX_CONNS=8",
			"JWT_SECRET=" + strings.Repeat("j", 32), "SECRET_KEY=" + strings.Repeat("s", 32),
		}, harness.FastJobs...), settings...)).Serving(t)
		c.Database = database
		return c
	}
	return run(), run()
}

// The process of a turn without a thread is killed right after the client has gone. Another one takes the turn up, whether it still counts as
// read by then or not, and cancels it where no client comes back. A turn in a thread goes on.
func TestATurnWhoseClientAndProcessAreGoneIsCancelled(t *testing.T) {
	t.Parallel()
	for read, attempt := range map[string]int{"12 s": 2, "-1 s": 1} { // for how long it counts as read when its lease ends
		t.Run(read, func(t *testing.T) {
			t.Parallel()
			here, there := two(t, "ECHO_DELAY=500ms", "UPKEEP_INTERVAL=500ms", "JOB_LEASE=30s")
			ada := here.Register(t)
			bot := ada.NewBot(t)
			long := strings.Repeat("word ", 200)
			thread := ada.Thread(t, bot)
			ctx, leave := context.WithCancel(context.WithoutCancel(t.Context()))
			defer leave()
			gone := make(chan struct{}, 2)
			begin := func(content string, headers ...harness.Header) {
				go func() {
					body := map[string]any{"model": bot, "messages": []any{map[string]any{"role": "user", "content": content}}}
					ada.Disconnects(ctx, t, "/openai/v1/chat/completions", body, headers...)
					gone <- struct{}{}
				}()
			}
			begin("alone " + long)
			begin("kept "+long, harness.Header{Name: "X-Parley-Thread-Id", Value: thread})
			turns := func(where string) int {
				return ada.At(there).Number(t, `SELECT count(*) FROM llm_turns t JOIN threads h ON h.workspace_id = t.workspace_id AND h.id = t.thread_id WHERE `+where)
			}
			require.Eventually(t, func() bool {
				return turns(`h.expires_at IS NOT NULL AND t.read_until > now()`) == 1 && turns(`h.expires_at IS NULL AND t.status = 'running'`) == 1
			}, time.Minute, 20*time.Millisecond)
			leave()
			<-gone
			<-gone
			here.End(t, syscall.SIGKILL)
			ada.At(there).SQL(t, `UPDATE llm_turns SET lease_until = now() - interval '1 s', read_until = CASE WHEN read_until IS NULL THEN NULL ELSE now() + $1::interval END
				WHERE status = 'running'`, read)
			require.Eventually(t, func() bool { return turns(`h.expires_at IS NOT NULL AND t.status = 'cancelled'`) == 1 }, 2*time.Minute, 100*time.Millisecond)
			require.Equal(t, 1, turns(`h.expires_at IS NOT NULL AND t.attempt = `+strconv.Itoa(attempt)))
			require.Eventually(t, func() bool { return turns(`h.expires_at IS NULL AND t.status <> 'cancelled' AND t.attempt = 2`) == 1 },
				2*time.Minute, 100*time.Millisecond, "a turn in a thread goes on")
		})
	}
}
