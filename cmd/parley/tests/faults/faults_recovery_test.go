//go:build faults

package faults

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// One of three processes is killed while it streams a thousand turns. The two others take all of them up within 30 s, ten
// seconds each; who followed them goes on at another process, and a second tenant's turns begin meanwhile as ever.
func TestFaultAThousandTurnsOfAKilledProcessAreTakenUpWithinThirtySeconds(t *testing.T) {
	t.Parallel()
	const turns, bound = 1000, 30 * time.Second
	const content = "one two three four" // and "Echo:": ten seconds at two seconds a word
	c := startCluster(t)
	db := c.superuser(t)
	var sites []*site
	for _, delay := range []string{"40s", "2s", "2s"} { // the first one's turns are all at it when it is killed
		s := newSite(t, c.url(), "JWT_SECRET="+harness.SecretKey, "MODEL_CONCURRENCY=1600", "MODEL_TIMEOUT=5m", "UPKEEP_INTERVAL=5s", "ECHO_DELAY="+delay)
		s.launch()
		sites = append(sites, s)
	}
	u, other := sites[0].register(), sites[0].register()
	ada := u.here()
	streams := make([]*harness.EventReader, turns)
	threads, ids := make([]string, turns), make([]string, turns)
	var opening sync.WaitGroup
	next := make(chan int, turns)
	for i := range turns {
		next <- i
	}
	close(next)
	for range 16 {
		opening.Go(func() {
			for i := range next {
				threads[i] = ada.OpenThread(t)
				streams[i] = ada.Open(t, http.MethodPost, threads[i]+"/turn", harness.Says(content))
				ids[i], _ = streams[i].Until("turn.created").Data["turn_id"].(string)
			}
		})
	}
	opening.Wait()
	require.Equal(t, turns, u.one(t, db, `SELECT count(*) FROM llm_turns WHERE workspace_id = $1 AND status = 'running' AND attempt = 1`))

	followed := *ada
	followed.Program = &harness.Program{URL: *sites[1].url.Load(), Client: u.client}
	follower := followed.Open(t, http.MethodGet, threads[0]+"/turns/"+ids[0]+"/events", nil)
	follower.Until("turn.created")
	victim := func(s *site) *harness.Caller {
		bob := *other.here()
		bob.Program = &harness.Program{URL: *s.url.Load(), Client: other.client}
		return &bob
	}
	begins := func() time.Duration { // how long a turn of the second tenant takes to begin
		bob := victim(sites[1])
		thread := bob.OpenThread(t)
		at := time.Now()
		stream := bob.Open(t, http.MethodPost, thread+"/turn", harness.Says("Hi"))
		stream.Until("turn.created")
		took := time.Since(at)
		stream.Close()
		return took
	}
	before := begins()

	sites[0].kill()
	killed := time.Now()
	var first, all time.Duration
	var waits []time.Duration
	for all == 0 {
		waits = append(waits, begins())
		switch n := u.one(t, db, `SELECT count(*) FROM llm_turns WHERE workspace_id = $1 AND (attempt > 1 OR status <> 'running')`); {
		case n == turns:
			all = time.Since(killed)
		case n > 0 && first == 0:
			first = time.Since(killed)
		}
		require.Less(t, time.Since(killed), 3*faultTimeout, "they are not taken up")
	}
	slices.Sort(waits)
	t.Logf("%d turns: the first were taken up after %s, all after %s; a turn of the second tenant began in %s before, then in %s (median), %s (most), of %d",
		turns, first.Round(time.Millisecond), all.Round(time.Millisecond), before.Round(time.Millisecond), waits[len(waits)/2].Round(time.Millisecond), waits[len(waits)-1].Round(time.Millisecond), len(waits))
	require.Less(t, all, bound)

	for i, s := range []*harness.EventReader{follower, followed.Open(t, http.MethodGet, threads[1]+"/turns/"+ids[1]+"/events", nil, harness.After(1))} {
		text, kinds, _ := harness.StreamedText(s.Rest())
		require.Equal(t, "turn.completed", kinds[len(kinds)-1], "stream %d", i)
		require.Equal(t, "Echo: "+content, text, "stream %d", i)
	}
	require.Eventually(t, func() bool {
		return u.one(t, db, `SELECT count(*) FROM llm_turns WHERE workspace_id = $1 AND status = 'completed'`) == turns
	}, 2*faultTimeout, 100*time.Millisecond)
	require.Equal(t, map[string]int{"user": turns, "assistant": turns}, u.count(t, db, `SELECT role, count(*) FROM messages WHERE workspace_id = $1 GROUP BY 1`))
	require.Equal(t, map[string]int{"2": turns}, u.count(t, db, `SELECT attempt, count(*) FROM llm_turns WHERE workspace_id = $1 GROUP BY 1`))
}

// A process has the signal to stop while it runs turns that its grace is too short for: they go on in another within a second or two.
func TestFaultTurnsThatAStopCutsShortGoOnAtOnce(t *testing.T) {
	t.Parallel()
	const turns = 200
	c := startCluster(t)
	db := c.superuser(t)
	var sites []*site
	for _, delay := range []string{"40s", "1s"} {
		s := newSite(t, c.url(), "JWT_SECRET="+harness.SecretKey, "MODEL_CONCURRENCY=400", "MODEL_TIMEOUT=5m", "UPKEEP_INTERVAL=1h", "SHUTDOWN_TIMEOUT=0s", "ECHO_DELAY="+delay)
		s.launch()
		sites = append(sites, s)
	}
	u := sites[0].register()
	ada := u.here()
	var opening sync.WaitGroup
	for range 8 {
		opening.Go(func() {
			for range turns / 8 {
				ada.Open(t, http.MethodPost, ada.OpenThread(t)+"/turn", harness.Says("Hi")).Until("turn.created")
			}
		})
	}
	opening.Wait()
	require.NoError(t, sites[0].child.process.Signal(syscall.SIGTERM))
	at := time.Now()
	require.Eventually(t, func() bool {
		return u.one(t, db, `SELECT count(*) FROM llm_turns WHERE workspace_id = $1 AND attempt = 2`) == turns
	}, faultTimeout, 10*time.Millisecond)
	t.Logf("%d turns were taken up %s after the signal", turns, time.Since(at).Round(time.Millisecond))
	sites[0].died()
	require.Eventually(t, func() bool {
		return u.one(t, db, `SELECT count(*) FROM llm_turns WHERE workspace_id = $1 AND status = 'completed'`) == turns
	}, faultTimeout, 100*time.Millisecond)
	require.Equal(t, map[string]int{"user": turns, "assistant": turns}, u.count(t, db, `SELECT role, count(*) FROM messages WHERE workspace_id = $1 GROUP BY 1`))
}

// A process that was frozen for longer than it may be silent finds its turns taken up by another: it cuts its attempts short.
func TestFaultAFrozenProcessLeavesItsTurnsToTheOthers(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	var sites []*site
	for _, delay := range []string{"3s", "100ms"} {
		s := newSite(t, c.url(), "JWT_SECRET="+harness.SecretKey, "MODEL_TIMEOUT=5m", "UPKEEP_INTERVAL=1h", "JOB_LEASE=2s", "ECHO_DELAY="+delay)
		s.launch()
		sites = append(sites, s)
	}
	u := sites[0].register()
	ada := u.here()
	stream := ada.Open(t, http.MethodPost, ada.OpenThread(t)+"/turn", harness.Says("one two three four five six"))
	stream.Until("turn.created")
	require.NoError(t, sites[0].child.process.Signal(syscall.SIGSTOP))
	require.Eventually(t, func() bool {
		return u.one(t, db, `SELECT count(*) FROM llm_turns WHERE workspace_id = $1 AND attempt = 2 AND status = 'completed'`) == 1
	}, faultTimeout, 20*time.Millisecond)
	require.NoError(t, sites[0].child.process.Signal(syscall.SIGCONT))
	require.Eventually(t, func() bool { return strings.Contains(sites[0].child.log.String(), "took this one for dead") }, faultTimeout, 20*time.Millisecond)
	a, err := sites[0].send(context.Background(), u.token, http.MethodGet, "/readyz", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status, "it goes on: %s", a)
	require.Equal(t, map[string]int{"user": 1, "assistant": 1}, u.count(t, db, `SELECT role, count(*) FROM messages WHERE workspace_id = $1 GROUP BY 1`))
}
