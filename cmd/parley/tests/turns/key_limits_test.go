package turns

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

// A turn that has begun ends, also beyond the limit; the next one is refused by every process until the period ends.
func TestTokensAndCostsOfAKeyRefuseItsNextTurn(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t, `MODEL_PRICES={"*": {"input": 1000000, "output": 2000000}}`)
	other := harness.StartOn(t, ada.Database, ada.Settings...)
	for metric, of := range map[string]float64{"tokens": 330, "cost_micros": 350} {
		key := ada.Key(t, "editor", map[string]any{"limits": map[string]any{metric + "_per_month": of + 1, metric + "_per_day": 1_000_000}})
		there := *key
		there.Program = other
		used := func() (list []any) {
			for _, l := range ada.Get(t, "/v1/api-keys/"+key.User+"/usage").Body["limits"].([]any) {
				list = append(list, l.(map[string]any)["used"])
			}
			return list
		}
		thread := key.ThreadWith(t, map[string]any{"model": "anthropic/claude"})
		require.Equal(t, []any{0.0, 0.0}, used())
		for n := range 2 {
			s.Then(modeltest.Script{Pieces: []string{"Hello"}, Input: 310, Output: 20})
			require.Equal(t, http.StatusOK, key.Say(t, thread, "Hi").Status)
			require.Equal(t, []any{float64(n+1) * of, float64(n+1) * of}, used(), metric)
		}
		refused := there.Say(t, thread, "Hi")
		harness.RequireCode(t, refused, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
		require.NotEmpty(t, refused.Header.Get("Retry-After"))
		require.Equal(t, http.StatusOK, ada.Say(t, thread, "Hi").Status, "others")
		_, err := harness.Postgres.Superuser(t, ada.Database).Exec(t.Context(), `UPDATE caller_counts SET began_at = began_at - interval '1 month' WHERE caller_id = $1`, key.User)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, there.Say(t, thread, "Hi").Status, "the next month")
	}
}
