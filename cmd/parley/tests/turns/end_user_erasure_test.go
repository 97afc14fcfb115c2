package turns

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

func TestADeletedEndUserLeavesNothingOfWhatItHasSaid(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	bot := ada.NewBot(t)
	key := ada.Key(t, "embed")
	about := map[string]any{"external_id": marker, "name": marker, "metadata": map[string]any{"who": marker}, "limits": map[string]any{"turns_per_day": 100}}
	grace, linus := key.EndUser(t, bot, about), key.EndUser(t, bot, map[string]any{"external_id": "linus"})
	kept := linus.Thread(t, bot)
	require.Equal(t, http.StatusOK, linus.Hi(t, kept).Status)
	op := harness.Operation(uuid.NewString())
	made := grace.Post(t, "/v1/conversations/threads", map[string]any{"title": marker}, op)
	require.Equal(t, http.StatusCreated, made.Status, made)
	thread := "/v1/conversations/threads/" + made.Text("id")
	require.Equal(t, http.StatusOK, grace.Patch(t, thread, map[string]any{"title": "of " + marker}).Status)
	a := grace.Post(t, thread+"/turn", harness.Says("I am "+marker))
	require.Equal(t, http.StatusOK, a.Status, a)
	feedback := "/v1/conversations/messages/" + a.Text("assistant_message.id") + "/feedback"
	require.Equal(t, http.StatusOK, grace.Put(t, feedback, map[string]any{"rating": "bad", "comment": marker}).Status)
	for range 22 { // more than are erased at once
		another := "/v1/conversations/threads/" + grace.Thread(t, bot)
		require.Equal(t, http.StatusOK, grace.Post(t, another+"/turn", harness.Says("I am "+marker)).Status)
	}
	require.Equal(t, http.StatusOK, ada.Post(t, "/v1/end-users/"+grace.User+"/revoke", nil).Status)
	used := ada.Get(t, "/v1/usage").At("metrics")

	deleting := harness.Operation(uuid.NewString())
	path := "/v1/end-users/" + grace.User
	gone := ada.Delete(t, path, deleting)
	require.Equal(t, http.StatusNoContent, gone.Status, gone)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, path, deleting).Status, "the same operation")
	harness.RequireCode(t, ada.Delete(t, path), http.StatusNotFound, "END_USER_NOT_FOUND")
	harness.RequireCode(t, ada.Get(t, path), http.StatusNotFound, "END_USER_NOT_FOUND")
	harness.RequireCode(t, grace.Get(t, "/v1/conversations/threads"), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Empty(t, ada.Get(t, "/v1/conversations/threads?end_user_id="+grace.User).Items())
	require.Len(t, ada.Get(t, "/v1/conversations/threads").Items(), 1)
	require.Eventually(t, func() bool { return p.Number(t, `SELECT count(*) FROM threads`) == 1 }, harness.Timeout, 10*time.Millisecond)
	requireErased(t, p, marker)
	require.Zero(t, p.Number(t, `SELECT (SELECT count(*) FROM end_user_bots WHERE end_user_id = $1) + (SELECT count(*) FROM caller_counts WHERE caller_id = $1)`, grace.User))
	require.Equal(t, used, withOneLess(used, ada.Get(t, "/v1/usage").At("metrics")), "what was used stays counted")
	row := ada.Get(t, "/v1/audit-log?action=end_user.delete").Items()
	require.Len(t, row, 1)
	require.Equal(t, []any{grace.User, ada.User}, []any{row[0]["resource_id"], row[0]["user_id"]})
	require.Len(t, linus.Get(t, "/v1/conversations/threads/"+kept+"/messages").Items(), 2, "nothing of others")
	require.NotEqual(t, grace.User, key.EndUser(t, bot, map[string]any{"external_id": marker}).User, "the same id is a new end user")
	ada.Verified(t)
}

// withOneLess returns metrics as they were before an end user was deleted.
func withOneLess(before, after any) any {
	list, was := after.([]any), before.([]any)
	for i, one := range list {
		if m := one.(map[string]any); m["metric"] == "end_users" {
			list[i] = was[i]
		}
	}
	return after
}

// The turn ends in whatever process it runs, and stores nothing of what was erased.
func TestARunningTurnOfADeletedEndUserStoresNothing(t *testing.T) {
	t.Parallel()
	model := modeltest.New(t, modeltest.Script{Pieces: []string{"You are ", marker}, Stalls: true})
	settings := append([]string{"OPENAI_BASE_URL=" + model.URL + "/v1", "OPENAI_API_KEY=sk-operator"}, harness.FastJobs...)
	p := harness.Start(t, settings...)
	second := harness.StartOn(t, p.Database, settings...)
	ada := p.Register(t)
	elsewhere := second.Again(t, ada)
	bot := modelBot(t, ada, "Support", nil)
	grace := ada.Key(t, "embed").EndUser(t, bot)
	thread := "/v1/conversations/threads/" + grace.Thread(t, bot)
	stream := grace.Open(t, http.MethodPost, thread+"/turn", harness.Says("I am "+marker))
	stream.Until("message.delta")
	require.Eventually(t, func() bool { return p.Number(t, `SELECT count(*) FROM turn_events`) > 0 }, harness.Timeout, 5*time.Millisecond)
	require.Equal(t, http.StatusNoContent, elsewhere.Delete(t, "/v1/end-users/"+grace.User).Status)
	requireErased(t, p, marker)
	stream.Rest()
	<-model.Gone()
	requireErased(t, p, marker)
	require.Zero(t, p.Number(t, `SELECT (SELECT count(*) FROM threads) + (SELECT count(*) FROM messages) + (SELECT count(*) FROM llm_turns)`))
}

// Threads that are opened while their end user is deleted are erased with it, or are not opened.
func TestNoThreadIsLeftOfAnEndUserThatIsDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	bot := ada.NewBot(t)
	key := ada.Key(t, "embed")
	for range 5 {
		grace := key.EndUser(t, bot)
		var wg sync.WaitGroup
		begun := make(chan struct{}, 4)
		for range 4 {
			wg.Go(func() {
				for {
					a := grace.Post(t, "/v1/conversations/threads", map[string]any{"title": marker})
					if a.Status != http.StatusCreated {
						return
					}
					select {
					case begun <- struct{}{}:
					default:
					}
					grace.Post(t, "/v1/conversations/threads/"+a.Text("id")+"/turn", harness.Says(marker))
				}
			})
		}
		<-begun
		require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/end-users/"+grace.User).Status)
		wg.Wait()
	}
	require.Eventually(t, func() bool { return p.Number(t, `SELECT count(*) FROM threads`) == 0 }, harness.Timeout, 10*time.Millisecond)
	requireErased(t, p, marker)
}

// Stored answers of an end user are found though the audit log names the key that made its token.
func TestADeletedThreadOfAnEndUserLeavesNothing(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	bot := ada.NewBot(t)
	grace := ada.Key(t, "embed").EndUser(t, bot)
	made := grace.Post(t, "/v1/conversations/threads", map[string]any{"title": marker})
	require.Equal(t, http.StatusCreated, made.Status, made)
	thread := "/v1/conversations/threads/" + made.Text("id")
	a := grace.Post(t, thread+"/turn", harness.Says("I am "+marker))
	require.Equal(t, http.StatusOK, a.Status, a)
	feedback := "/v1/conversations/messages/" + a.Text("assistant_message.id") + "/feedback"
	require.Equal(t, http.StatusOK, grace.Put(t, feedback, map[string]any{"rating": "bad", "comment": marker}).Status)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, thread).Status)
	requireErased(t, p, marker)
}
