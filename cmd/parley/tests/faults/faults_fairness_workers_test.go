//go:build faults

package faults

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

// Tenants whose webhook targets or models are slow, beside one whose are quick: the victim.
const (
	victimSamples = 8
	victimWithin  = 5 * time.Second // the release before took 15 to 102 s
	manyAttackers = 24
)

// hangingTargets is a server that takes deliveries and does not answer. It listens on all loopback addresses, so that each
// subscription can have a host of its own.
type hangingTargets struct {
	port int
	mu   sync.Mutex
	seen map[string]int // deliveries that came, by host
	now  int            // that wait for an answer
	most int
}

func newHangingTargets(t *testing.T) *hangingTargets {
	t.Helper()
	listener, err := net.Listen("tcp4", "0.0.0.0:0")
	require.NoError(t, err)
	h := &hangingTargets{port: listener.Addr().(*net.TCPAddr).Port, seen: map[string]int{}}
	end := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server sees a caller go
		h.count(r.Host, 1)
		defer h.count("", -1)
		select {
		case <-end:
		case <-r.Context().Done():
		}
	}))
	require.NoError(t, server.Listener.Close())
	server.Listener = listener
	server.Start()
	t.Cleanup(func() {
		close(end)
		server.Close()
	})
	return h
}

func (h *hangingTargets) count(host string, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now += n
	h.most = max(h.most, h.now)
	if host != "" {
		h.seen[host]++
	}
}

// url gives a target under a host of its own.
func (h *hangingTargets) url(attacker, subscription int) string {
	return fmt.Sprintf("http://127.1.%d.%d:%d/", attacker, subscription, h.port)
}

// attack has a workspace with four slow targets cause some deliveries to each.
func (h *hangingTargets) attack(t *testing.T, s *site, number int) *user {
	t.Helper()
	u := s.register()
	for n := range 4 {
		u.here().Subscribe(t, h.url(number, n+1), "bot.updated")
	}
	for range 3 {
		u.must(updateInstruction)
	}
	return u
}

// deliveryTimes gives how long a delivery took from its cause, one after the other.
func deliveryTimes(t *testing.T, u *user, target *harness.Receiver) (took []time.Duration) {
	t.Helper()
	for range victimSamples {
		before := len(target.All())
		start := time.Now()
		u.must(updateInstruction)
		require.Eventually(t, func() bool { return len(target.All()) > before }, 5*time.Minute, 5*time.Millisecond)
		took = append(took, time.Since(start))
	}
	return took
}

// longest logs the times of the victim, and gives the longest one.
func longest(t *testing.T, what string, took []time.Duration) time.Duration {
	t.Helper()
	sorted := slices.Sorted(slices.Values(took))
	t.Logf("%s: p50 %s, max %s", what, sorted[len(sorted)/2].Round(time.Millisecond), sorted[len(sorted)-1].Round(time.Millisecond))
	return sorted[len(sorted)-1]
}

var fairnessSettings = []string{"WEBHOOK_ALLOW_PRIVATE=true", "MODEL_TIMEOUT=60s", "ECHO_DELAY=250ms"}

func TestFaultSlowTargetsOfOtherWorkspacesDelayNoDelivery(t *testing.T) {
	t.Parallel()
	c, target, slow := startCluster(t), harness.NewReceiver(t), newHangingTargets(t)
	s := newSite(t, c.url(), fairnessSettings...)
	s.launch()
	victim := s.register()
	victim.here().Subscribe(t, target.URL, "bot.updated")
	longest(t, "a victim's delivery, alone", deliveryTimes(t, victim, target))

	slow.attack(t, s, 0)
	require.Less(t, longest(t, "beside a workspace with four slow targets", deliveryTimes(t, victim, target)), victimWithin)

	for n := range manyAttackers {
		slow.attack(t, s, n+1)
	}
	require.Less(t, longest(t, fmt.Sprintf("beside %d of them", manyAttackers+1), deliveryTimes(t, victim, target)), victimWithin)

	newcomer, first := s.register(), harness.NewReceiver(t)
	newcomer.here().Subscribe(t, first.URL, "bot.updated")
	require.Less(t, longest(t, "of a workspace that is new", deliveryTimes(t, newcomer, first)), victimWithin)
	slow.mu.Lock()
	defer slow.mu.Unlock()
	t.Logf("slow deliveries at once: at most %d; slow hosts that were called: %d", slow.most, len(slow.seen))
	require.LessOrEqual(t, slow.most, 32, "DELIVERY_CONCURRENCY")
	require.GreaterOrEqual(t, len(slow.seen), 4, "the attack reached nobody")
}

// answerTimes gives how long answers to messages took, one after the other.
func answerTimes(t *testing.T, chat harness.Endpoint, target *harness.Receiver) (took []time.Duration) {
	t.Helper()
	for n := range victimSamples {
		before := len(target.All())
		start := time.Now()
		chat.Says(t, fmt.Sprint("chat-", n), "Hi")
		require.Eventually(t, func() bool { return len(target.All()) > before }, 5*time.Minute, 5*time.Millisecond)
		took = append(took, time.Since(start))
	}
	return took
}

func TestFaultSlowModelsOfOtherWorkspacesDelayNoAnswer(t *testing.T) {
	t.Parallel()
	c, target := startCluster(t), harness.NewReceiver(t)
	s := newSite(t, c.url(), fairnessSettings...)
	s.launch()
	victim := s.register()
	chat := victim.here().NewEndpoint(t, victim.bot)
	victim.here().Subscribe(t, target.URL, "turn.completed")
	longest(t, "a victim's answer, alone", answerTimes(t, chat, target))

	long := strings.Repeat("word ", 80) // the echo model takes 20 s for them
	attack := func() {
		u := s.register()
		slow := u.here().NewEndpoint(t, u.bot)
		for n := range 12 {
			slow.Says(t, fmt.Sprint("chat-", n), long)
		}
	}
	attack()
	require.Less(t, longest(t, "beside a workspace with a slow model", answerTimes(t, chat, target)), victimWithin)

	for range manyAttackers {
		attack()
	}
	require.Less(t, longest(t, fmt.Sprintf("beside %d of them", manyAttackers+1), answerTimes(t, chat, target)), victimWithin)

	newcomer, first := s.register(), harness.NewReceiver(t)
	newcomer.here().Subscribe(t, first.URL, "turn.completed")
	took := answerTimes(t, newcomer.here().NewEndpoint(t, newcomer.bot), first)
	require.Less(t, longest(t, "of a workspace that is new", took), 2*victimWithin+4*app.AnswerSlowAfter, "it waits for those that were new before it")
}
