//go:build faults

package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// eager are settings under which lost jobs are taken up soon, and targets asked again.
var eager = []string{
	"WORKERS=8", "JOB_LEASE=1s", "JOB_POLL_INTERVAL=20ms", "WEBHOOK_ALLOW_PRIVATE=true", "BREAKER_OPEN_FOR=20ms",
	"SECRET_KEY=one master secret for all processes", "JWT_SECRET=one signing secret for all processes",
}

// here makes a caller of a user, as the other tests have one, for this life of the program.
func (u *user) here() *harness.Caller {
	return &harness.Caller{Program: &harness.Program{URL: *u.url.Load(), Client: u.client}, Token: u.token, Workspace: u.workspace}
}

// one gives the only number that a query over a workspace has.
func (u *user) one(t *testing.T, db *pgx.Conn, sql string) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRow(t.Context(), sql, u.workspace).Scan(&n))
	return n
}

const (
	unfinishedJobs = `SELECT count(*) FROM job_queue WHERE workspace_id = $1 AND status <> 'done'`
	deadJobs       = `SELECT count(*) FROM dead_letter_queue WHERE workspace_id = $1`
	dueJobs        = `SELECT count(*) FROM job_queue WHERE workspace_id = $1 AND (status = 'running' OR status = 'queued' AND run_at <= now())`
)

// A thousand messages come in over a webhook: a thousand jobs, of which each makes a turn and that another job, which
// tells a subscriber. All the while the program is killed.
func TestFaultAThousandJobsThroughAProgramThatIsKilled(t *testing.T) {
	t.Parallel()
	const messages, conversations = 1000, 100
	c, target := startCluster(t), harness.NewReceiver(t)
	db := c.superuser(t)
	s := newSite(t, c.url(), eager...)
	s.launch("WORKERS=0")
	u := s.register()
	chat := u.here().NewEndpoint(t, u.bot)
	u.here().Subscribe(t, target.URL, "turn.completed")
	var senders sync.WaitGroup
	for sender := range 10 { // each sends the messages of its conversations in their order
		senders.Go(func() {
			for n := range messages / 10 {
				chat.Says(t, fmt.Sprintf("chat-%d", sender*10+n%10), fmt.Sprint(n/10))
			}
		})
	}
	senders.Wait()
	require.Equal(t, messages, u.one(t, db, unfinishedJobs))

	s.kill()
	kills := 0
	for s.launch(); u.one(t, db, unfinishedJobs) > 0 && kills < 40; s.launch() {
		pause(t.Context(), 300*time.Millisecond+rand.N(900*time.Millisecond))
		s.kill()
		kills++
	}
	t.Logf("killed %d times", kills)
	require.GreaterOrEqual(t, kills, 3)
	require.Eventually(t, func() bool { return u.one(t, db, unfinishedJobs) == 0 }, faultTimeout, 50*time.Millisecond)
	require.Zero(t, u.one(t, db, deadJobs))
	require.Equal(t, map[string]int{"webhook.answer": messages, "webhook.deliver": messages},
		u.count(t, db, `SELECT kind, count(*) FROM job_queue WHERE workspace_id = $1 AND status = 'done' GROUP BY 1`))
	require.Equal(t, messages, u.one(t, db, `SELECT count(*) FROM webhook_events WHERE workspace_id = $1 AND status = 'processed' AND turn_id IS NOT NULL`))
	require.Equal(t, messages, u.one(t, db, `SELECT count(*) FROM llm_turns WHERE workspace_id = $1 AND status = 'completed'`))
	require.Equal(t, map[string]int{"user": messages, "assistant": messages},
		u.count(t, db, `SELECT role, count(*) FROM messages WHERE workspace_id = $1 GROUP BY 1`))
	require.Equal(t, conversations, u.one(t, db, `SELECT count(*) FROM threads WHERE workspace_id = $1 AND conversation_id IS NOT NULL`))
	require.Zero(t, u.one(t, db, `SELECT count(*) FROM (
	    SELECT content::int - lag(content::int, 1, -1) OVER (PARTITION BY thread_id ORDER BY seq) AS step
	      FROM messages WHERE workspace_id = $1 AND role = 'user') steps WHERE step <> 1`), "a conversation out of order")
	require.Equal(t, map[string]int{"delivered": messages}, u.count(t, db, `SELECT status, count(*) FROM webhook_deliveries WHERE workspace_id = $1 GROUP BY 1`))
	ids := map[string]int{}
	for _, d := range target.All() {
		ids[d.ID]++
	}
	require.Len(t, ids, messages, "each was delivered, under one id")
}

func TestFaultAFrozenWorkerPastItsLeaseHasNoEffect(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	frozen := newSite(t, c.url(), eager...)
	frozen.launch()
	u := frozen.register()
	asked, release := make(chan struct{}, 8), make(chan struct{})
	var calls atomic.Int64
	target := harness.NewReceiver(t)
	target.Hold = func() {
		asked <- struct{}{}
		if calls.Add(1) == 1 {
			<-release // the frozen one's call
		}
	}
	u.here().Subscribe(t, target.URL, "bot.updated")
	u.must(updateInstruction)
	<-asked
	require.NoError(t, frozen.child.process.Signal(syscall.SIGSTOP))

	other := newSite(t, c.url(), eager...)
	other.launch()
	<-asked // the other has taken the job, once the lease had run out
	done := `SELECT count(*) FROM job_queue WHERE workspace_id = $1 AND kind = 'webhook.deliver' AND status = 'done' AND attempt = 2`
	require.Eventually(t, func() bool { return u.one(t, db, done) == 1 }, faultTimeout, 20*time.Millisecond)

	require.NoError(t, frozen.child.process.Signal(syscall.SIGCONT))
	close(release)
	require.Eventually(t, func() bool {
		a, err := frozen.send(t.Context(), "", http.MethodGet, "/readyz", "")
		return err == nil && a.Status == http.StatusOK
	}, faultTimeout, 20*time.Millisecond)
	frozen.stopGently(t) // so that whatever it still meant to write is written
	require.Equal(t, 1, u.one(t, db, done))
	require.Equal(t, 1, u.one(t, db, `SELECT count(*) FROM webhook_attempts WHERE workspace_id = $1`), "only one attempt counts")
	require.Equal(t, map[string]int{"delivered": 1}, u.count(t, db, `SELECT status, attempts FROM webhook_deliveries WHERE workspace_id = $1`))
	got := target.All()
	require.Len(t, got, 2)
	require.Equal(t, got[0].ID, got[1].ID, "delivered twice, under one id")
}

// stopGently ends the program as an operator does.
func (s *site) stopGently(t *testing.T) {
	t.Helper()
	require.NoError(t, s.child.process.Signal(syscall.SIGTERM))
	select {
	case <-s.child.done:
	case <-time.After(faultTimeout):
		t.Fatal("the program does not stop")
	}
}

func TestFaultTheSameWebhookFiftyTimesWithoutAndWithRedis(t *testing.T) {
	t.Parallel()
	r, c := startRedis(t), startCluster(t)
	db := c.superuser(t)
	r.start(t)
	s := newSite(t, c.url(), append(eager, "REDIS_URL=redis://"+r.listener.Addr().String())...)
	s.launch()
	u := s.register()
	chat := u.here().NewEndpoint(t, u.bot)
	fifty := func(id string) {
		t.Helper()
		fresh := 0
		for _, a := range harness.AtOnce(50, func() harness.Answer { return chat.Send(t, id, harness.InboundMessage("c", id)) }) {
			require.Equal(t, http.StatusOK, a.Status, a)
			if a.At("duplicate") == false {
				fresh++
			}
		}
		require.LessOrEqual(t, fresh, 1)
	}
	r.kill()
	fifty("dead")
	r.start(t)
	fifty("alive")
	fifty("dead")
	r.flush(t)
	fifty("alive")
	require.Eventually(t, func() bool { return u.one(t, db, unfinishedJobs) == 0 }, faultTimeout, 20*time.Millisecond)
	require.Equal(t, map[string]int{"dead": 1, "alive": 1}, u.count(t, db, `SELECT webhook_id, count(*) FROM webhook_events WHERE workspace_id = $1 AND status = 'processed' GROUP BY 1`))
	require.Equal(t, map[string]int{"dead": 1, "alive": 1, "Echo: dead": 1, "Echo: alive": 1}, u.count(t, db, `SELECT content, count(*) FROM messages WHERE workspace_id = $1 GROUP BY 1`))
	require.Zero(t, u.one(t, db, deadJobs))
}

// An hour passes by moving what waits an hour into the past, minutes at a time.
func TestFaultATargetThatIsDownForAnHourIsToldOfEverythingOnce(t *testing.T) {
	t.Parallel()
	const events = 20
	c, target := startCluster(t), harness.NewReceiver(t)
	db := c.superuser(t)
	s := newSite(t, c.url(), eager...)
	s.launch()
	u := s.register()
	sub := u.here().Subscribe(t, target.URL, "bot.updated")
	target.Answers(http.StatusBadGateway)
	for range events {
		u.must(updateInstruction)
	}
	passes := func(minutes int) {
		t.Helper()
		for _, sql := range []string{
			`UPDATE job_queue SET run_at = run_at - make_interval(mins => $2) WHERE workspace_id = $1 AND status = 'queued'`,
			`UPDATE webhook_subscriptions SET failing_since = failing_since - make_interval(mins => $2) WHERE workspace_id = $1`,
		} {
			_, err := db.Exec(t.Context(), sql, u.workspace, minutes)
			require.NoError(t, err)
		}
		require.Eventually(t, func() bool { return u.one(t, db, dueJobs) == 0 }, faultTimeout, 10*time.Millisecond)
	}
	for range 20 {
		passes(3)
	}
	require.Zero(t, u.one(t, db, `SELECT count(*) FROM webhook_deliveries WHERE workspace_id = $1 AND status = 'delivered'`))
	require.Zero(t, u.one(t, db, deadJobs), "an hour is no reason to give up")
	require.Equal(t, "active", u.here().Get(t, "/v1/webhook-subscriptions/"+sub.ID).Text("status"))
	asked := len(target.All())
	require.Greater(t, asked, events, "it was asked more than once")
	require.Less(t, asked, events*20, "and less and less often")

	target.Answers(http.StatusOK)
	for range 400 {
		if u.one(t, db, unfinishedJobs) == 0 {
			break
		}
		passes(15)
	}
	require.Equal(t, map[string]int{"delivered": events}, u.count(t, db, `SELECT status, count(*) FROM webhook_deliveries WHERE workspace_id = $1 GROUP BY 1`))
	ids := map[string]int{}
	for _, d := range target.All()[asked:] {
		ids[d.ID]++
	}
	require.Len(t, ids, events)
	for id, n := range ids {
		require.Equal(t, 1, n, "%s was accepted, and delivered again", id)
	}
	require.Zero(t, u.one(t, db, deadJobs))
}

func TestFaultPoisonGoesToTheDeadLettersAndKeepsNobodyUp(t *testing.T) {
	t.Parallel()
	c, target := startCluster(t), harness.NewReceiver(t)
	db := c.superuser(t)
	s := newSite(t, c.url(), eager...)
	s.launch("WORKERS=0")
	u := s.register()
	chat := u.here().NewEndpoint(t, u.bot)
	u.here().Subscribe(t, target.URL, "dead_letter.created")
	poisoned := chat.Says(t, "c", "what is stored of this is no message").Text("event_id")
	_, err := db.Exec(t.Context(), `UPDATE webhook_events SET body = '{"type": "message.received", "data": {"text": ["?"]}}' WHERE id = $1`, poisoned)
	require.NoError(t, err)
	for kind, payload := range map[string]string{
		"nobody's": `{}`, "webhook.answer": `"poison"`, "webhook.deliver": `{"delivery_id": 7}`,
	} {
		_, err := db.Exec(t.Context(), `INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts) VALUES ($1, $2, $3, 'poison', $4, 't', 5)`,
			u.workspace, uuid.Must(uuid.NewV7()), kind, payload)
		require.NoError(t, err)
	}
	for n := range 20 {
		chat.Says(t, "c", fmt.Sprint(n)) // the poisoned message is before them in their conversation
	}
	s.kill()
	s.launch()
	require.Eventually(t, func() bool { return u.one(t, db, unfinishedJobs) == 0 }, faultTimeout, 20*time.Millisecond)
	require.Equal(t, map[string]int{"nobody's": 1, "webhook.answer": 2, "webhook.deliver": 1},
		u.count(t, db, `SELECT kind, count(*) FROM dead_letter_queue WHERE workspace_id = $1 GROUP BY 1`))
	require.Equal(t, map[string]int{"1": 4}, u.count(t, db, `SELECT attempts, count(*) FROM dead_letter_queue WHERE workspace_id = $1 GROUP BY 1`), "tried once")
	require.Equal(t, map[string]int{"processed": 20, "received": 1}, u.count(t, db, `SELECT status, count(*) FROM webhook_events WHERE workspace_id = $1 GROUP BY 1`))
	require.Equal(t, "failed", u.here().Get(t, "/v1/webhook-events/"+poisoned).Text("status"))
	require.Equal(t, 40, u.one(t, db, `SELECT count(*) FROM messages WHERE workspace_id = $1`))
	target.WaitFor(t, 4)
}
