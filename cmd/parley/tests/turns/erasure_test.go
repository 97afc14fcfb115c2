package turns

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
)

// requireErased looks for texts in every table, in a dump of the database, in the files of the program and in its log.
func requireErased(t *testing.T, p *harness.Program, texts ...string) {
	t.Helper()
	harness.RequireNowhere(t, harness.Postgres.Superuser(t, p.Database), texts...)
	dump, err := exec.CommandContext(t.Context(), "pg_dump", p.Database).Output()
	require.NoError(t, err)
	require.Greater(t, len(dump), 10_000)
	for _, text := range texts {
		require.NotContains(t, string(dump), text, "it is in the dump")
		require.NotContains(t, p.Log.String(), text, "it is in the log")
	}
	for _, setting := range p.Settings {
		if folder, ok := strings.CutPrefix(setting, "DATA_DIR="); ok {
			require.NoError(t, filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
				if err != nil || !d.Type().IsRegular() {
					return err
				}
				content, err := os.ReadFile(path)
				for _, text := range texts {
					require.False(t, bytes.Contains(content, []byte(text)), "it is in %s", path)
				}
				return err
			}))
		}
	}
}

// parrot is a receiver of events that answers with what it was sent, and first with a failure while that is wanted.
func parrot(t *testing.T, failing *atomic.Bool) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if failing.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const marker = "xyzzy-4711-plugh"

func TestU20ADeletedThreadLeavesNothingThatWasSaidInIt(t *testing.T) {
	t.Parallel()
	var failing atomic.Bool
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	bot := ada.NewBot(t)
	ada.Subscribe(t, parrot(t, &failing), "turn.completed", "turn.failed")
	op := harness.Operation(uuid.NewString())
	made := ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot, "title": marker, "metadata": map[string]any{"who": marker}}, op)
	thread := "/v1/conversations/threads/" + made.Text("id")
	require.Equal(t, http.StatusOK, ada.Patch(t, thread, map[string]any{"title": "of " + marker}).Status)
	said := harness.Operation(uuid.NewString())
	a := ada.Post(t, thread+"/turn", harness.Says("I am "+marker), said)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, a.Raw, ada.Post(t, thread+"/turn", harness.Says("I am "+marker), said).Raw)
	ada.Open(t, http.MethodPost, thread+"/turn", harness.Says("again "+marker)).Until("turn.completed")
	feedback := "/v1/conversations/messages/" + a.Text("assistant_message.id") + "/feedback"
	require.Equal(t, http.StatusOK, ada.Put(t, feedback, map[string]any{"rating": "bad", "comment": marker}).Status)
	require.Eventually(t, func() bool {
		return p.Number(t, `SELECT count(*) FROM webhook_attempts WHERE response LIKE '%'||$1||'%'`, marker) == 2
	}, harness.Timeout, 10*time.Millisecond)
	failing.Store(true)
	failed := ada.Failed(t, thread, harness.Operation(uuid.NewString()))
	p.SQL(t, `UPDATE llm_turns SET error = $1, error_message = $1, error_details = jsonb_build_object('provider_message', $1::text) WHERE status = 'failed'`, marker)
	p.SQL(t, `INSERT INTO retrievals SELECT workspace_id, id, 1, $1, 'lexical', false, '[]', 1, now() FROM llm_turns`, marker)
	require.NotEmpty(t, failed)
	for _, table := range []string{"threads", "messages", "llm_turns", "turn_events", "retrievals", "message_feedback", "event_bodies", "webhook_attempts"} {
		require.Positive(t, p.Number(t, `SELECT count(*) FROM `+table+` r WHERE r::text LIKE '%'||$1||'%'`, marker), table)
	}
	require.Positive(t, p.Number(t, `SELECT count(*) FROM operations WHERE NOT sealed AND convert_from(body, 'UTF8') LIKE '%'||$1||'%'`, marker))
	used := ada.Get(t, "/v1/usage").At("metrics")

	deleting := harness.Operation(uuid.NewString())
	gone := ada.Delete(t, thread, deleting)
	require.Equal(t, http.StatusNoContent, gone.Status, gone)
	requireErased(t, p, marker)
	require.Zero(t, p.Number(t, `SELECT (SELECT count(*) FROM threads) + (SELECT count(*) FROM messages) + (SELECT count(*) FROM llm_turns)`))
	require.Equal(t, http.StatusNoContent, ada.Delete(t, thread, deleting).Status, "the same operation")
	harness.RequireCode(t, ada.Delete(t, thread), http.StatusNotFound, "THREAD_NOT_FOUND")
	harness.RequireCode(t, ada.Get(t, thread), http.StatusNotFound, "THREAD_NOT_FOUND")
	harness.RequireCode(t, ada.Get(t, thread+"/messages"), http.StatusNotFound, "THREAD_NOT_FOUND")
	require.Equal(t, http.StatusNotFound, ada.Put(t, feedback, map[string]any{"rating": "good"}).Status)
	for _, again := range []harness.Answer{
		ada.Post(t, thread+"/turn", harness.Says("I am "+marker), said),
		ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot, "title": marker, "metadata": map[string]any{"who": marker}}, op),
	} {
		harness.RequireCode(t, again, http.StatusConflict, "OPERATION_EXPIRED")
	}
	requireErased(t, p, marker)
	require.Equal(t, used, ada.Get(t, "/v1/usage").At("metrics"), "what was used stays counted")
	row := ada.Get(t, "/v1/audit-log?action=thread.delete").Items()
	require.Len(t, row, 1)
	require.Equal(t, strings.TrimPrefix(thread, "/v1/conversations/threads/"), row[0]["resource_id"])
	require.Equal(t, ada.User, row[0]["user_id"])
	ada.Verified(t)
}

func TestADeliveryThatWaitsIsSentWithoutErasedTexts(t *testing.T) {
	t.Parallel()
	receiver := harness.NewReceiver(t)
	receiver.Answers(http.StatusInternalServerError)
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	ada.Subscribe(t, receiver.URL, "turn.completed")
	thread := ada.OpenThread(t)
	a := ada.Post(t, thread+"/turn", harness.Says("I am "+marker))
	require.Equal(t, http.StatusOK, a.Status, a)
	first := receiver.WaitFor(t, 1)[0]
	require.Contains(t, string(first.Body), marker)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, thread).Status)
	receiver.Answers(http.StatusOK)
	delivery := ada.Get(t, "/v1/webhook-deliveries").Items()[0]["id"].(string)
	require.Equal(t, "delivered", ada.Ended(t, delivery))
	all := receiver.All()
	last := all[len(all)-1]
	require.Equal(t, first.ID, last.ID)
	require.NotContains(t, string(last.Body), marker)
	require.Equal(t, a.Text("turn_id"), last.Event.Data["turn_id"])
	requireErased(t, p, marker)
}

func TestAnErasedMessageTakesItsAnswerWithIt(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	kept := ada.Post(t, thread+"/turn", harness.Says("hello"))
	said := harness.Operation(uuid.NewString())
	a := ada.Post(t, thread+"/turn", harness.Says("I am "+marker), said)
	require.Equal(t, http.StatusOK, a.Status, a)
	rated := harness.Operation(uuid.NewString())
	feedback := "/v1/conversations/messages/" + a.Text("assistant_message.id") + "/feedback"
	require.Equal(t, http.StatusOK, ada.Put(t, feedback, map[string]any{"rating": "bad", "comment": marker}, rated).Status)
	message := "/v1/conversations/messages/" + a.Text("user_message.id")
	require.Equal(t, http.StatusNoContent, ada.Delete(t, message).Status)
	requireErased(t, p, marker)
	harness.RequireCode(t, ada.Delete(t, message), http.StatusNotFound, "NOT_FOUND")
	harness.RequireCode(t, ada.Put(t, feedback, map[string]any{"rating": "bad"}), http.StatusNotFound, "NOT_FOUND")
	harness.RequireCode(t, ada.Put(t, feedback, map[string]any{"rating": "bad", "comment": marker}, rated), http.StatusConflict, "OPERATION_EXPIRED")
	harness.RequireCode(t, ada.Post(t, thread+"/turn", harness.Says("I am "+marker), said), http.StatusConflict, "OPERATION_EXPIRED")
	items := ada.Get(t, thread+"/messages").Items()
	require.Len(t, items, 2)
	require.Equal(t, kept.Text("assistant_message.id"), items[1]["id"])
	require.Len(t, ada.Get(t, thread+"/messages?order=desc").Items(), 2)
	require.NotContains(t, ada.Get(t, thread+"/export").String(), a.Text("user_message.id"))
	turn := ada.Get(t, thread+"/turns/"+a.Text("turn_id"))
	require.Equal(t, http.StatusOK, turn.Status, turn)
	require.Empty(t, turn.Text("user_message.content"))
	require.Len(t, ada.Get(t, thread+"/turns").Items(), 2)
	next := ada.Post(t, thread+"/turn", harness.Says("and now"))
	require.Equal(t, http.StatusOK, next.Status, next)

	answer := "/v1/conversations/messages/" + next.Text("assistant_message.id")
	require.Equal(t, http.StatusNoContent, ada.Delete(t, answer).Status)
	items = ada.Get(t, thread+"/messages").Items()
	require.Len(t, items, 3, "of an answer the message before it stays")
	require.Equal(t, "and now", items[2]["content"])
	rows := ada.Get(t, "/v1/audit-log?action=message.delete").Items()
	require.Len(t, rows, 2)
	require.Equal(t, a.Text("user_message.id"), rows[1]["resource_id"])
}

func TestAFailedTurnDoesNotGoOnWithoutItsMessage(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	thread, op := ada.OpenThread(t), harness.Operation(uuid.NewString())
	turn := ada.Failed(t, thread, op)
	message := ada.Get(t, thread+"/messages").Items()[0]["id"].(string)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/conversations/messages/"+message).Status)
	require.Equal(t, "cancelled", ada.Get(t, turn).Text("status"))
	harness.RequireCode(t, ada.Post(t, turn+"/retry", nil), http.StatusConflict, "CONFLICT")
	require.Equal(t, http.StatusOK, ada.Post(t, thread+"/turn", harness.Says("next")).Status)
}

// erasures are ways to erase the message of a running turn.
var erasures = map[string]func(t *testing.T, c *harness.Caller, thread string) harness.Answer{
	"thread": func(t *testing.T, c *harness.Caller, thread string) harness.Answer {
		t.Helper()
		return c.Delete(t, thread)
	},
	"message": func(t *testing.T, c *harness.Caller, thread string) harness.Answer {
		t.Helper()
		return c.Delete(t, "/v1/conversations/messages/"+c.Get(t, thread+"/messages").Items()[0]["id"].(string))
	},
}

// The model of a turn that runs may have read what is erased: it is stopped, in whatever process it runs.
func TestARunningTurnStoresNothingOfWhatIsErased(t *testing.T) {
	t.Parallel()
	for name, erase := range erasures {
		for _, streamed := range []bool{false, true} {
			t.Run(name+map[bool]string{true: " streamed"}[streamed], func(t *testing.T) {
				t.Parallel()
				model := modeltest.New(t, modeltest.Script{Pieces: []string{"You are ", marker}, Stalls: true})
				settings := append([]string{"OPENAI_BASE_URL=" + model.URL + "/v1", "OPENAI_API_KEY=sk-operator"}, harness.FastJobs...)
				p := harness.Start(t, settings...)
				second := harness.StartOn(t, p.Database, settings...)
				ada := p.Register(t)
				elsewhere := second.Again(t, ada)
				thread, op := "/v1/conversations/threads/"+ada.ThreadWith(t, map[string]any{"model": "openai/gpt-4o"}), harness.Operation(uuid.NewString())
				text := "I am " + marker
				ended := make(chan harness.Answer, 1)
				if streamed {
					s := ada.Open(t, http.MethodPost, thread+"/turn", harness.Says(text), op)
					s.Until("message.delta")
					require.Eventually(t, func() bool { return p.Number(t, `SELECT count(*) FROM turn_events`) > 0 }, harness.Timeout, 5*time.Millisecond)
					go func() { s.Rest(); ended <- harness.Answer{Status: http.StatusConflict} }()
				} else {
					go func() {
						if a, err := ada.Try(t, http.MethodPost, thread+"/turn", harness.Says(text), op); err == nil {
							ended <- a
						}
					}()
				}
				<-model.Asked()
				turn := ada.Runs(t, thread)
				require.Equal(t, http.StatusNoContent, erase(t, elsewhere, thread).Status)
				requireErased(t, p, marker)
				select {
				case a := <-ended:
					require.Contains(t, []int{http.StatusConflict, http.StatusNotFound}, a.Status, a)
				case <-time.After(harness.Timeout):
					t.Fatal("the turn goes on")
				}
				<-model.Gone()
				again := ada.Post(t, thread+"/turn", harness.Says(text), op)
				require.Contains(t, []int{http.StatusConflict, http.StatusNotFound}, again.Status, again)
				requireErased(t, p, marker)
				if name == "message" {
					require.Equal(t, "cancelled", ada.Get(t, turn).Text("status"))
					model.Then(modeltest.Script{})
					require.Equal(t, http.StatusOK, ada.Post(t, thread+"/turn", harness.Says("next")).Status)
					for _, told := range model.Calls()[1:] {
						require.NotContains(t, strings.Join(told.Messages(), " "), marker, "a model is told an erased message")
					}
				}
			})
		}
	}
}

func TestAMessageFromOutsideIsErasedWithItsThread(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	endpoint := ada.NewEndpoint(t, ada.NewBot(t))
	id, body := "msg_"+uuid.NewString(), harness.InboundMessage("+49-171-4711", "I am "+marker)
	a := endpoint.Send(t, id, body)
	require.Equal(t, http.StatusOK, a.Status, a)
	ada.Answered(t, a.Text("event_id"))
	thread := ada.Get(t, "/v1/conversations/threads").Items()[0]["id"].(string)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/conversations/threads/"+thread).Status)
	requireErased(t, p, marker, "+49-171-4711")
	require.Equal(t, http.StatusOK, endpoint.Send(t, id, body).Status, "it is known by its id")
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM webhook_events`))
	event := ada.Get(t, "/v1/webhook-events/"+a.Text("event_id"))
	require.Equal(t, http.StatusOK, event.Status, event)
	requireErased(t, p, marker, "+49-171-4711")
	next := endpoint.Says(t, "+49-171-4711", "hello")
	ada.Answered(t, next.Text("event_id"))
	require.NotEqual(t, thread, ada.Get(t, "/v1/conversations/threads").Items()[0]["id"], "a new thread")
}

// A long thread is erased by a job. It is gone for everybody meanwhile, and the job is found where it was lost.
func TestALongThreadIsErasedInSteps(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, append([]string{"WORKERS=0", "UPKEEP_INTERVAL=100ms"}, harness.FastJobs...)...)
	ada := p.Register(t)
	thread := ada.OpenThread(t)
	a := ada.Post(t, thread+"/turn", harness.Says("I am "+marker))
	require.Equal(t, http.StatusOK, a.Status, a)
	p.SQL(t, `WITH more AS (
			INSERT INTO llm_turns (workspace_id, id, thread_id, actor_id, operation_id, bot_id, bot_version, provider, model, status, user_seq, lease_until, created_at, finished_at)
			SELECT workspace_id, gen_random_uuid(), thread_id, actor_id, gen_random_uuid(), bot_id, bot_version, provider, model, status, n * 2 + 1, lease_until, created_at, finished_at
			  FROM llm_turns, generate_series(1, 120) n RETURNING *)
		INSERT INTO messages (workspace_id, id, thread_id, turn_id, seq, role, content, created_at)
		SELECT workspace_id, gen_random_uuid(), thread_id, id, user_seq, 'user', $1, created_at FROM more`, marker)
	p.SQL(t, `UPDATE threads SET last_seq = 242`)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, thread).Status)
	require.Equal(t, 71, p.Number(t, `SELECT count(*) FROM llm_turns`), "one step is made at once")
	for _, path := range []string{thread, thread + "/messages", thread + "/turns", thread + "/export", thread + "/turns/" + a.Text("turn_id")} {
		require.Equal(t, http.StatusNotFound, ada.Get(t, path).Status, path)
	}
	left := p.Texts(t, `SELECT id::text FROM messages LIMIT 1`)[0]
	require.Equal(t, http.StatusNotFound, ada.Delete(t, "/v1/conversations/messages/"+left).Status)
	require.Equal(t, http.StatusNotFound, ada.Put(t, "/v1/conversations/messages/"+left+"/feedback", map[string]any{"rating": "bad"}).Status)
	harness.RequireCode(t, ada.Post(t, thread+"/turn", harness.Says("hello")), http.StatusNotFound, "THREAD_NOT_FOUND")
	harness.RequireCode(t, ada.Patch(t, thread, map[string]any{"title": "x"}), http.StatusNotFound, "THREAD_NOT_FOUND")
	require.Empty(t, ada.Get(t, "/v1/conversations/threads").Items())
	p.SQL(t, `DELETE FROM job_queue`)
	p.SQL(t, `UPDATE threads SET deleted_at = now() - interval '1 hour'`)
	other := harness.StartOn(t, p.Database, harness.FastJobs...)
	require.Eventually(t, func() bool { return other.Number(t, `SELECT count(*) FROM threads`) == 0 }, time.Minute, 20*time.Millisecond)
	requireErased(t, p, marker)
}

// A key that is limited to bots erases what was said to those, and nothing of others.
func TestALimitedKeyErasesThreadsOfItsBots(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	mine, other := ada.NewBot(t), ada.NewBot(t)
	own, foreign := "/v1/conversations/threads/"+ada.Thread(t, mine), "/v1/conversations/threads/"+ada.Thread(t, other)
	a := ada.Post(t, own+"/turn", harness.Says("I am "+marker))
	b := ada.Post(t, foreign+"/turn", harness.Says("hello"))
	require.Equal(t, http.StatusOK, b.Status, b)
	key := ada.Key(t, "editor", map[string]any{"bot_ids": []string{mine}})
	harness.RequireCode(t, key.Delete(t, foreign), http.StatusNotFound, "THREAD_NOT_FOUND")
	harness.RequireCode(t, key.Delete(t, "/v1/conversations/messages/"+b.Text("user_message.id")), http.StatusNotFound, "NOT_FOUND")
	require.Equal(t, http.StatusNoContent, key.Delete(t, "/v1/conversations/messages/"+a.Text("user_message.id")).Status)
	requireErased(t, p, marker)
	require.Equal(t, http.StatusNoContent, key.Delete(t, own).Status)
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM threads`))
	viewer := ada.Key(t, "viewer")
	harness.RequireCode(t, viewer.Delete(t, foreign), http.StatusForbidden, "FORBIDDEN")
}
