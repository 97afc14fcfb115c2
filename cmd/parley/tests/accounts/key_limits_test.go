package accounts

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// usageOf returns what a key has used of its limits, by metric and period.
func usageOf(t *testing.T, by, key *harness.Caller) map[string]float64 {
	t.Helper()
	a := by.Get(t, "/v1/api-keys/"+key.User+"/usage")
	require.Equal(t, http.StatusOK, a.Status, a)
	used := map[string]float64{}
	for _, item := range a.Body["limits"].([]any) {
		l := item.(map[string]any)
		used[l["metric"].(string)+" "+l["period"].(string)] = l["used"].(float64)
		require.InDelta(t, max(0, l["limit"].(float64)-l["used"].(float64)), l["remaining"], 0, l)
		resets, err := time.Parse(time.RFC3339, l["resets_at"].(string))
		require.NoError(t, err)
		require.True(t, resets.After(time.Now().Add(-time.Minute)), l)
	}
	return used
}

func requireFull(t *testing.T, a harness.Answer) {
	t.Helper()
	harness.RequireCode(t, a, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	wait, err := strconv.Atoi(a.Header.Get("Retry-After"))
	require.NoError(t, err, a)
	require.Positive(t, wait)
	require.LessOrEqual(t, wait, 31*24*60*60)
}

// both calls from two programs in turns, at once, and returns how many calls were let in and how many were too many.
func both(callers [2]*harness.Caller, n int, call func(n int, c *harness.Caller) harness.Answer) (let, refused int64) {
	var wg sync.WaitGroup
	var yes, no atomic.Int64
	for i := range n {
		wg.Go(func() {
			switch call(i, callers[i%2]).Status {
			case http.StatusOK:
				yes.Add(1)
			case http.StatusTooManyRequests:
				no.Add(1)
			}
		})
	}
	wg.Wait()
	return yes.Load(), no.Load()
}

func TestTwoProcessesCountTheRequestsOfAKeyTogether(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	other := harness.StartOn(t, p.Database, p.Settings...)
	ada := p.Register(t)
	key := ada.Key(t, "viewer", map[string]any{"limits": map[string]any{"requests_per_month": 6}})
	there := *key
	there.Program = other
	require.Equal(t, http.StatusOK, key.Get(t, "/v1/bots").Status)
	require.Equal(t, http.StatusNotFound, key.Get(t, "/v1/bots/"+uuid.NewString()).Status, "it counts too")
	let, refused := both([2]*harness.Caller{key, &there}, 10, func(_ int, c *harness.Caller) harness.Answer { return c.Get(t, "/v1/bots") })
	require.Equal(t, []int64{4, 6}, []int64{let, refused})
	requireFull(t, key.Get(t, "/v1/bots"))
	requireFull(t, there.Get(t, "/v1/bots"))
	require.Equal(t, map[string]float64{"requests month": 6}, usageOf(t, ada, key))
	_, err := harness.Postgres.Superuser(t, p.Database).Exec(t.Context(), `UPDATE caller_counts SET began_at = began_at - interval '1 month' WHERE caller_id = $1`, key.User)
	require.NoError(t, err)
	require.Equal(t, map[string]float64{"requests month": 0}, usageOf(t, ada, key), "the next month")
	require.Equal(t, http.StatusOK, key.Get(t, "/v1/bots").Status)
	require.Equal(t, map[string]float64{"requests month": 1}, usageOf(t, ada, key))

	free := ada.Key(t, "viewer")
	for range 8 {
		require.Equal(t, http.StatusOK, free.Get(t, "/v1/bots").Status)
	}
	require.Empty(t, usageOf(t, ada, free))
	harness.RequireCode(t, ada.Get(t, "/v1/api-keys/"+uuid.NewString()+"/usage"), http.StatusNotFound, "API_KEY_NOT_FOUND")
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/api-keys/"+key.User).Status)
	require.Equal(t, http.StatusUnauthorized, key.Get(t, "/v1/bots").Status)
	require.Equal(t, map[string]float64{"requests month": 1}, usageOf(t, ada, key), "of a revoked key nothing is counted")
}

func TestTwoProcessesCountTheTurnsOfAKeyTogether(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	other := harness.StartOn(t, p.Database, p.Settings...)
	ada := p.Register(t)
	bot := chatBot(t, ada)
	key := ada.Key(t, "chat", map[string]any{"limits": map[string]any{"turns_per_day": 5}})
	there := *key
	there.Program = other
	op := harness.Operation(uuid.NewString())
	path := "/v1/conversations/threads/" + key.Thread(t, bot) + "/turn"
	first := key.Post(t, path, map[string]any{"content": "Hi"}, op)
	require.Equal(t, http.StatusOK, first.Status, first)
	threads := make([]string, 12)
	for n := range threads {
		threads[n] = key.Thread(t, bot)
	}
	let, refused := both([2]*harness.Caller{key, &there}, len(threads), func(n int, c *harness.Caller) harness.Answer { return c.Hi(t, threads[n]) })
	require.Equal(t, []int64{4, 8}, []int64{let, refused})
	requireFull(t, there.Hi(t, key.Thread(t, bot)))
	require.Equal(t, first.Raw, key.Post(t, path, map[string]any{"content": "Hi"}, op).Raw, "a lost answer is given again")
	require.Equal(t, map[string]float64{"turns day": 5}, usageOf(t, ada, key))
	require.Equal(t, http.StatusOK, ada.Hi(t, ada.Thread(t, bot)).Status, "others")
}

// What end users do does not count for the key that their tokens are made with; the making of tokens does.
func TestEndUsersDoNotUseTheLimitsOfTheirKey(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bot := chatBot(t, ada)
	key := ada.Key(t, "embed", map[string]any{"limits": map[string]any{"requests_per_month": 2, "turns_per_month": 1, "tokens_per_month": 1}})
	user := key.EndUser(t, bot)
	for range 3 {
		require.Equal(t, http.StatusOK, user.Hi(t, user.Thread(t, bot)).Status)
	}
	require.Equal(t, map[string]float64{"requests month": 1, "turns month": 0, "tokens month": 0}, usageOf(t, ada, key))
	key.EndUser(t, bot)
	requireFull(t, key.Post(t, "/v1/end-user-tokens", map[string]any{"bot_id": bot}))
}

func TestTheLimitsOfAKeyAreShown(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	all := map[string]any{}
	for _, metric := range []string{"requests", "turns", "tokens", "cost_micros"} {
		for n, period := range []string{"minute", "day", "month"} {
			all[metric+"_per_"+period] = float64(len(metric)*1000 + n + 1)
		}
	}
	a := ada.Post(t, "/v1/api-keys", map[string]any{"name": "k", "role": "viewer", "limits": all})
	require.Equal(t, all, a.Body["limits"], a)
	require.Equal(t, all, ada.Get(t, "/v1/api-keys").Items()[0]["limits"])
	require.Equal(t, all, ada.Post(t, "/v1/api-keys/"+a.Text("id")+"/adopt", nil).Body["limits"])
	require.Len(t, ada.Get(t, "/v1/api-keys/"+a.Text("id")+"/usage").Body["limits"], 12)
	none := ada.Post(t, "/v1/api-keys", map[string]any{"name": "k", "role": "viewer", "limits": map[string]any{}})
	require.Equal(t, map[string]any{}, none.Body["limits"], none)
	for _, wrong := range []map[string]any{{"turns_per_minute": 0}, {"tokens_per_day": 1.5}, {"requests_per_day": 1_000_000_000_001}, {"turns_per_week": 1}} {
		require.Equal(t, http.StatusUnprocessableEntity, ada.Post(t, "/v1/api-keys", map[string]any{"name": "k", "role": "viewer", "limits": wrong}).Status, "%v", wrong)
	}
}
