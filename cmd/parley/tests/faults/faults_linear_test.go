//go:build faults

package faults

import (
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// called is one call of a history, as its client saw it.
type called struct {
	op       uuid.UUID
	known    bool // whether an answer came; else the call may take effect at any time, or never
	replayed bool
	answer   string
}

// An operation is a register that is written once: the call that takes effect answers fresh, all others that come after
// it replay that very answer, and none can replay before.
const (
	notDone     = "\x00not done"
	doneUnknown = "\x00done, and nobody has seen the answer"
)

func operationModel() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			parts := map[uuid.UUID][]porcupine.Operation{}
			for _, o := range history {
				id := o.Output.(called).op
				parts[id] = append(parts[id], o)
			}
			var all [][]porcupine.Operation
			for _, part := range parts {
				all = append(all, part)
			}
			return all
		},
		Init: func() []any { return []any{notDone} },
		Step: func(state, _, output any) []any {
			c := output.(called)
			switch {
			case !c.known && state == notDone:
				return []any{notDone, doneUnknown}
			case !c.known:
				return []any{state}
			case c.replayed == (state == notDone):
				return nil // fresh where it was done, or replayed where it was not
			case c.replayed && state != doneUnknown && state != c.answer:
				return nil
			}
			return []any{c.answer}
		},
	}
	return m.ToModel()
}

// seenVersion is a version of a bot that a write made or a read saw.
type seenVersion struct {
	write   bool
	version int
}

// versionModel is a counter: each edit adds one, each read sees it.
func versionModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return 1 },
		Step: func(state, _, output any) (bool, any) {
			seen, now := output.(seenVersion), state.(int)
			if seen.write {
				return seen.version == now+1, now + 1
			}
			return seen.version == now, now
		},
	}
}

// history gathers calls. Times are nanoseconds since its begin.
type history struct {
	mu    sync.Mutex
	begin time.Time
	calls []porcupine.Operation
}

func (h *history) add(client int, sent, came time.Time, output any, ended bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := porcupine.Operation{ClientId: client, Call: sent.Sub(h.begin).Nanoseconds(), Output: output, Return: math.MaxInt64}
	if ended {
		o.Return = came.Sub(h.begin).Nanoseconds()
	}
	h.calls = append(h.calls, o)
}

func TestFaultHistoriesUnderCrashesAreLinearizable(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	s := newSite(t, c.url())
	s.launch()
	u := s.register()
	operations, versions := &history{begin: time.Now()}, &history{begin: time.Now()}
	var mu sync.Mutex
	// An edit takes effect between its first call and its first answer. Which those are is known at the end only: that
	// an earlier call of another client was cut off may be noticed after a later one was answered.
	type edit struct {
		sent, came time.Time
		version    int
	}
	edits := map[uuid.UUID]edit{}
	s.observe = func(client int, o *op, sent, came time.Time, a *harness.Answer) {
		if a != nil && a.Status >= http.StatusMultipleChoices {
			return // the call reported a failure
		}
		call := called{op: o.id}
		if a != nil {
			call = called{op: o.id, known: true, replayed: a.Header.Get("X-Operation-Replayed") == "true", answer: string(a.Raw)}
		}
		operations.add(client, sent, came, call, a != nil)
		if o.kind != updateInstruction {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		e, ok := edits[o.id]
		if !ok || sent.Before(e.sent) {
			e.sent = sent
		}
		if a != nil && (e.came.IsZero() || came.Before(e.came)) {
			e.came, e.version = came, int(a.At("current_version").(float64))
		}
		edits[o.id] = e
	}
	load := u.work(25, 25, createBot, updateInstruction, updateInstruction, takeTurn)
	stopReading := u.readVersions(versions)
	for range 5 {
		pause(t.Context(), time.Duration(150+rand.IntN(400))*time.Millisecond)
		s.kill()
		require.NoError(t, killedTurnsMayBeTaken(db))
		s.launch()
	}
	load.stop()
	stopReading()
	u.requireOnce(t, db)
	for _, e := range edits {
		versions.add(0, e.sent, e.came, seenVersion{true, e.version}, true)
	}
	require.Equal(t, porcupine.Ok, porcupine.CheckOperationsTimeout(operationModel(), operations.calls, faultTimeout), "operations")
	require.Equal(t, porcupine.Ok, porcupine.CheckOperationsTimeout(versionModel(), versions.calls, faultTimeout), "versions")
	t.Logf("%d calls of operations, %d edits and reads", len(operations.calls), len(versions.calls))
}

// readVersions has two readers look at the bot until they are stopped.
func (u *user) readVersions(h *history) (stop func()) {
	stopped := make(chan struct{})
	var running sync.WaitGroup
	for i := range 2 {
		running.Go(func() {
			for {
				select {
				case <-stopped:
					return
				default:
				}
				sent := time.Now()
				a, err := u.send(u.t.Context(), u.token, http.MethodGet, "/v1/bots/"+u.bot, "")
				if err == nil && a.Status == http.StatusOK { // a read that failed has seen nothing
					h.add(clients+i, sent, time.Now(), seenVersion{false, int(a.At("current_version").(float64))}, true)
				}
				pause(u.t.Context(), 15*time.Millisecond)
			}
		})
	}
	return func() { close(stopped); running.Wait() }
}

func TestFaultTheLinearizabilityCheckWouldSeeABrokenPromise(t *testing.T) {
	t.Parallel()
	one := uuid.New()
	call := func(from, to int64, c called) porcupine.Operation {
		c.op = one
		return porcupine.Operation{Call: from, Return: to, Output: c}
	}
	fresh, lost := called{known: true, answer: "a"}, called{}
	again := called{known: true, replayed: true, answer: "a"}
	for name, test := range map[string]struct {
		good  bool
		calls []porcupine.Operation
	}{
		"done, then replayed":                {true, []porcupine.Operation{call(0, 1, fresh), call(2, 3, again)}},
		"lost, then replayed":                {true, []porcupine.Operation{call(0, math.MaxInt64, lost), call(2, 3, again)}},
		"lost, then done":                    {true, []porcupine.Operation{call(0, math.MaxInt64, lost), call(2, 3, fresh)}},
		"replayed while the first is away":   {true, []porcupine.Operation{call(0, 9, fresh), call(2, 3, again)}},
		"done twice":                         {false, []porcupine.Operation{call(0, 1, fresh), call(2, 3, fresh)}},
		"done twice at once":                 {false, []porcupine.Operation{call(0, 5, fresh), call(2, 6, fresh)}},
		"replayed with another answer":       {false, []porcupine.Operation{call(0, 1, fresh), call(2, 3, called{known: true, replayed: true, answer: "b"})}},
		"replayed before it was ever done":   {false, []porcupine.Operation{call(0, 1, again), call(2, 3, fresh)}},
		"two answers after one that is lost": {false, []porcupine.Operation{call(0, math.MaxInt64, lost), call(2, 3, again), call(4, 5, called{known: true, replayed: true, answer: "b"})}},
	} {
		require.Equal(t, test.good, porcupine.CheckOperations(operationModel(), test.calls), name)
	}
	edit := func(from, to int64, write bool, version int) porcupine.Operation {
		return porcupine.Operation{Call: from, Return: to, Output: seenVersion{write, version}}
	}
	require.True(t, porcupine.CheckOperations(versionModel(), []porcupine.Operation{edit(0, 5, true, 2), edit(1, 2, false, 1), edit(6, 7, false, 2)}))
	require.False(t, porcupine.CheckOperations(versionModel(), []porcupine.Operation{edit(0, 5, true, 2), edit(6, 7, false, 1)}), "a read of before the edit")
	require.False(t, porcupine.CheckOperations(versionModel(), []porcupine.Operation{edit(0, 5, true, 2), edit(0, 5, true, 2)}), "an edit lost")
}
