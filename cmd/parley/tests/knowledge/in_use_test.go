package knowledge

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// uses are settings that name a knowledge base by its path.
func uses(base string) map[string]any {
	return map[string]any{"knowledge": []any{map[string]any{"id": strings.TrimPrefix(base, "/v1/knowledge-bases/")}}}
}

// newBot creates a bot and returns its id.
func newBot(t *testing.T, c *harness.Caller, name string, settings map[string]any) string {
	t.Helper()
	a := c.Post(t, "/v1/bots", map[string]any{"name": name, "settings": settings})
	require.Equal(t, http.StatusCreated, a.Status, a)
	return a.Text("id")
}

func TestU6ABaseInUseIsNotDeletedUnlessForced(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	base, other := ada.NewBase(t), ada.NewBase(t)
	published, latest, former, archived := newBot(t, ada, "b", uses(base)), newBot(t, ada, "a", map[string]any{}), newBot(t, ada, "c", uses(base)), newBot(t, ada, "d", uses(base))
	newBot(t, ada, "e", uses(other))
	put := func(bot string, settings map[string]any, publish bool) {
		t.Helper()
		a := ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "x", "settings": settings, "publish": publish})
		require.Equal(t, http.StatusOK, a.Status, a)
	}
	put(published, map[string]any{}, false)
	put(latest, uses(strings.ToUpper(base[len("/v1/knowledge-bases/"):])), false)
	put(former, map[string]any{}, true)
	require.Equal(t, http.StatusOK, ada.Patch(t, "/v1/bots/"+archived, map[string]any{"status": "archived"}).Status)

	a := ada.Delete(t, base)
	harness.RequireCode(t, a, http.StatusConflict, "KNOWLEDGE_BASE_IN_USE")
	require.Equal(t, []any{map[string]any{"id": latest, "name": "a"}, map[string]any{"id": published, "name": "b"}}, a.At("details.bots"))
	require.EqualValues(t, 0, a.At("details.more"))
	require.Equal(t, http.StatusOK, ada.Get(t, base).Status)
	harness.RequireWrong(t, ada.Delete(t, base+"?force=yes"), "force")
	forced := ada.Delete(t, base+"?force=true")
	require.Equal(t, http.StatusNoContent, forced.Status, forced)
	require.Equal(t, http.StatusNotFound, ada.Get(t, base).Status)

	for i := range 21 {
		newBot(t, ada, fmt.Sprintf("f %02d", i), uses(other))
	}
	many := ada.Delete(t, other+"?force=false")
	require.Len(t, many.At("details.bots"), 20)
	require.EqualValues(t, 2, many.At("details.more"))
}

func TestNoBotIsMissedThatIsMadeWhileItsBaseIsDeleted(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	for range 8 {
		base := ada.NewBase(t)
		var made, deleted harness.Answer
		var both sync.WaitGroup
		both.Go(func() { made = ada.Post(t, "/v1/bots", map[string]any{"name": "a", "settings": uses(base)}) })
		both.Go(func() { deleted = ada.Delete(t, base) })
		both.Wait()
		require.NotEqual(t, made.Status == http.StatusCreated, deleted.Status == http.StatusNoContent, "%s\n%s", made, deleted)
	}
}

// A call that has not committed yet has a bot use a base that nobody else sees in use. Deleting the base waits for it, and is refused.
func TestNoBotIsMissedThatTakesUpAnOldVersionWhileItsBaseIsDeleted(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	super, watch := harness.Postgres.Superuser(t, p.Database), harness.Postgres.Superuser(t, p.Database)
	for name, take := range map[string]func(bot string) harness.Answer{
		"publish": func(bot string) harness.Answer {
			return ada.Post(t, "/v1/bots/"+bot+"/publish", map[string]any{"version": 1})
		},
		"roll back": func(bot string) harness.Answer {
			return ada.Post(t, "/v1/bots/"+bot+"/rollback", map[string]any{"version": 1})
		},
		"unarchive": func(bot string) harness.Answer {
			return ada.Patch(t, "/v1/bots/"+bot, map[string]any{"status": "active"})
		},
	} {
		base := ada.NewBase(t)
		bot := newBot(t, ada, name, uses(base))
		if name == "unarchive" {
			require.Equal(t, http.StatusOK, ada.Patch(t, "/v1/bots/"+bot, map[string]any{"status": "archived"}).Status)
		} else {
			a := ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "x", "settings": map[string]any{}, "publish": true})
			require.Equal(t, http.StatusOK, a.Status, a)
		}
		waiting := func(n int) {
			t.Helper()
			require.Eventually(t, func() bool {
				return harness.Count(t, watch, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0`) >= n
			}, time.Minute, 10*time.Millisecond, "no call waits")
		}
		tx, err := super.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `LOCK TABLE audit_log IN SHARE MODE`) // the calls wait where they write it, after their change
		require.NoError(t, err)
		var taken, deleted harness.Answer
		var both sync.WaitGroup
		both.Go(func() { taken = take(bot) })
		waiting(1)
		both.Go(func() { deleted = ada.Delete(t, base) })
		waiting(2)
		require.NoError(t, tx.Commit(t.Context()))
		both.Wait()
		require.Equal(t, http.StatusOK, taken.Status, "%s: %s", name, taken)
		harness.RequireCode(t, deleted, http.StatusConflict, "KNOWLEDGE_BASE_IN_USE")
	}
}
