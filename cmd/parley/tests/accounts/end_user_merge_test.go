package accounts

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestAnAnonymousEndUserBecomesKnown(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bot, forum := chatBot(t, ada), chatBot(t, ada)
	key := ada.Key(t, "embed")
	merge := func(c *harness.Caller, id, external string, headers ...harness.Header) harness.Answer {
		return c.Post(t, "/v1/end-users/"+id+"/merge", map[string]any{"external_id": external}, headers...)
	}
	grace := key.EndUser(t, bot, map[string]any{"external_id": "grace", "name": "Grace"})
	own := grace.Thread(t, bot)
	visitor := key.EndUser(t, bot, map[string]any{"name": "Visitor", "limits": map[string]any{"turns_per_day": 2}})
	key.EndUser(t, forum, map[string]any{"end_user_id": visitor.User})
	thread := visitor.Thread(t, bot)
	turn := visitor.Hi(t, thread)
	require.Equal(t, http.StatusOK, turn.Status, turn)
	feedback := "/v1/conversations/messages/" + turn.Text("assistant_message.id") + "/feedback"
	require.Equal(t, http.StatusOK, visitor.Put(t, feedback, map[string]any{"rating": "good"}).Status)

	for _, c := range []*harness.Caller{visitor, grace, ada.Key(t, "chat"), ada.Key(t, "viewer")} {
		harness.RequireCode(t, merge(c, visitor.User, "grace"), http.StatusForbidden, "FORBIDDEN")
	}
	limited := ada.Key(t, "embed", map[string]any{"bot_ids": []string{bot}})
	harness.RequireCode(t, merge(limited, visitor.User, "grace"), http.StatusForbidden, "FORBIDDEN")
	harness.RequireCode(t, merge(p.Register(t), visitor.User, "grace"), http.StatusNotFound, "END_USER_NOT_FOUND")
	harness.RequireCode(t, merge(key, grace.User, "grace"), http.StatusNotFound, "END_USER_NOT_FOUND")
	harness.RequireCode(t, merge(key, uuid.NewString(), "grace"), http.StatusNotFound, "END_USER_NOT_FOUND")
	harness.RequireWrong(t, merge(key, visitor.User, ""), "external_id")

	op := harness.Operation(uuid.NewString())
	merged := merge(key, visitor.User, "grace", op)
	require.Equal(t, http.StatusOK, merged.Status, merged)
	require.Equal(t, []any{grace.User, "grace", "Grace"}, []any{merged.At("id"), merged.At("external_id"), merged.At("name")})
	require.Equal(t, merged.Raw, merge(key, visitor.User, "grace", op).Raw, "the same operation")
	harness.RequireCode(t, merge(key, visitor.User, "grace"), http.StatusNotFound, "END_USER_NOT_FOUND")
	harness.RequireCode(t, visitor.Get(t, "/v1/conversations/threads"), http.StatusUnauthorized, "UNAUTHORIZED")
	harness.RequireCode(t, key.Post(t, "/v1/end-user-tokens", map[string]any{"bot_id": bot, "end_user_id": visitor.User}), http.StatusNotFound, "END_USER_NOT_FOUND")
	require.Len(t, ada.Get(t, "/v1/end-users").Items(), 1)
	require.Len(t, ada.Get(t, "/v1/end-users?bot="+forum).Items(), 1)
	require.Len(t, ada.Get(t, "/v1/conversations/threads?end_user_id="+grace.User).Items(), 2)
	ids := []any{}
	for _, item := range grace.Get(t, "/v1/conversations/threads").Items() {
		ids = append(ids, item["id"])
	}
	require.ElementsMatch(t, []any{own, thread}, ids)
	messages := grace.Get(t, "/v1/conversations/threads/"+thread+"/messages").Items()
	require.Len(t, messages, 2)
	require.Equal(t, http.StatusOK, grace.Put(t, feedback, map[string]any{"rating": "bad"}).Status)
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM message_feedback WHERE rating = 'bad' AND user_id = $1`, grace.User), "the rating is moved, not given twice")
	require.Equal(t, http.StatusOK, grace.Hi(t, thread).Status)
	busy := key.EndUser(t, bot, map[string]any{"external_id": "grace", "limits": map[string]any{"turns_per_day": 2}})
	require.Equal(t, http.StatusOK, busy.Hi(t, thread).Status)
	require.Equal(t, http.StatusTooManyRequests, busy.Hi(t, thread).Status, "what the anonymous one has used counts")
	row := ada.Get(t, "/v1/audit-log?action=end_user.merge").Items()
	require.Len(t, row, 1)
	require.Equal(t, []any{grace.User, key.User, visitor.User}, []any{row[0]["resource_id"], row[0]["api_key_id"], row[0]["changes"].(map[string]any)["merged_id"]})

	fresh := key.EndUser(t, bot, map[string]any{"name": "Linus"})
	theirs := fresh.Thread(t, bot)
	made := merge(limited, fresh.User, "linus")
	require.Equal(t, http.StatusOK, made.Status, made)
	require.Equal(t, []any{"linus", "Linus"}, []any{made.At("external_id"), made.At("name")})
	require.NotEqual(t, fresh.User, made.Text("id"))
	require.Equal(t, http.StatusOK, key.EndUser(t, bot, map[string]any{"external_id": "linus"}).Get(t, "/v1/conversations/threads/"+theirs).Status)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/end-users/"+grace.User).Status)
	require.Equal(t, http.StatusNotFound, ada.Get(t, "/v1/conversations/threads/"+thread).Status, "what was merged is erased with it")
	harness.RequireNowhere(t, harness.Postgres.Superuser(t, p.Database), "Visitor")
}

func TestARevokedEndUserIsNotMerged(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bot := chatBot(t, ada)
	key := ada.Key(t, "embed")
	visitor, known := key.EndUser(t, bot), key.EndUser(t, bot, map[string]any{"external_id": "known"})
	thread := visitor.Thread(t, bot)
	for _, step := range []struct {
		revoked  *harness.Caller
		external []string
	}{{known, []string{"known"}}, {visitor, []string{"known", "new"}}} {
		require.Equal(t, http.StatusOK, ada.Post(t, "/v1/end-users/"+step.revoked.User+"/revoke", nil).Status)
		for _, external := range step.external {
			a := key.Post(t, "/v1/end-users/"+visitor.User+"/merge", map[string]any{"external_id": external})
			harness.RequireCode(t, a, http.StatusForbidden, "END_USER_REVOKED")
		}
	}
	require.Equal(t, visitor.User, ada.Get(t, "/v1/conversations/threads/"+thread).Text("end_user_id"))
	require.Len(t, ada.Get(t, "/v1/end-users").Items(), 2, "none is made")
}

// A turn that runs goes on under its new end user, the stream of the anonymous one ends, and no thread that is opened meanwhile is lost.
func TestAMergeMeetsARunningTurnAndThreadsThatAreOpenedMeanwhile(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=20ms", "MODEL_TIMEOUT=2m")
	other := harness.StartOn(t, p.Database, p.Settings...)
	ada := p.Register(t)
	elsewhere := other.Again(t, ada)
	bot := chatBot(t, ada)
	key := ada.Key(t, "embed")
	visitor := key.EndUser(t, bot)
	path := "/v1/conversations/threads/" + visitor.Thread(t, bot)
	text := strings.TrimSpace(strings.Repeat("word ", 200))
	stream := visitor.Open(t, http.MethodPost, path+"/turn", harness.Says(text))
	turn := stream.Until("turn.created").Data["turn_id"].(string)
	stream.Until("message.delta")
	var wg sync.WaitGroup
	var mu sync.Mutex
	opened := []string{}
	begun := make(chan struct{})
	wg.Go(func() {
		for {
			a := visitor.Post(t, "/v1/conversations/threads", map[string]any{})
			if a.Status != http.StatusCreated {
				return
			}
			mu.Lock()
			if opened = append(opened, a.Text("id")); len(opened) == 3 {
				close(begun)
			}
			mu.Unlock()
		}
	})
	<-begun
	merged := elsewhere.Post(t, "/v1/end-users/"+visitor.User+"/merge", map[string]any{"external_id": "known"})
	require.Equal(t, http.StatusOK, merged.Status, merged)
	wg.Wait()
	stream.RequireClosed(t, "end_user_revoked", "its token has ended")
	known := key.EndUser(t, bot, map[string]any{"external_id": "known"})
	require.Equal(t, merged.Text("id"), known.User)
	require.Zero(t, p.Number(t, `SELECT count(*) FROM threads WHERE owner_id <> $1 OR end_user_id <> $1`, known.User))
	require.Equal(t, len(opened)+1, p.Number(t, `SELECT count(*) FROM threads`))
	frames := known.Open(t, http.MethodGet, path+"/turns/"+turn+"/events", nil).Rest()
	said, kinds, _ := harness.StreamedText(frames)
	require.Contains(t, said, text)
	require.Equal(t, "turn.completed", kinds[len(kinds)-1])
	require.Len(t, known.Get(t, path+"/messages").Items(), 2)
}
