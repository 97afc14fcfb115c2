package jobs_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/entrypoints/jobs"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/work/resilience"
)

// leases has turns that are given up, as their attempts are used up.
type leases struct {
	ports.Leases
	turns  []ports.Abandoned
	panics uuid.UUID // the thread whose store panics
	freed  chan uuid.UUID
	hold   chan struct{} // nil: nothing is held up
}

func (l leases) Abandoned(context.Context, int) ([]ports.Abandoned, error) { return l.turns, nil }

func (l leases) Free(_ context.Context, thread uuid.UUID, _ time.Duration, _ string) (bool, error) {
	if thread == l.panics {
		panic("a bug")
	}
	l.freed <- thread
	if l.hold != nil {
		<-l.hold
	}
	return true, nil
}

// log is one that is written to by several.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func TestAPanicInTheRecoveryOfATurnEndsNeitherTheProcessNorTheOthers(t *testing.T) {
	t.Parallel()
	l := leases{panics: uuid.New(), freed: make(chan uuid.UUID, 1)}
	l.turns = []ports.Abandoned{{WorkspaceID: uuid.New(), ThreadID: l.panics, Attempt: 3}, {WorkspaceID: uuid.New(), ThreadID: uuid.Max, Attempt: 3}}
	said := &log{}
	r := jobs.NewRecoverTurns(jobs.RecoverOptions{Leases: l, Recover: usecases.RecoverTurn{Leases: l}, Slots: resilience.NewSlots(4), Log: slog.New(slog.NewTextHandler(said, nil))})
	require.NoError(t, r.Do(t.Context()))
	require.Equal(t, uuid.Max, <-l.freed)
	require.Contains(t, said.text.String(), "panic: a bug")
}

func TestOneWorkspaceLeavesPlacesInTheRecoveryToOthers(t *testing.T) {
	t.Parallel()
	flood, small := uuid.New(), uuid.New()
	l := leases{freed: make(chan uuid.UUID, 30), hold: make(chan struct{})}
	for range 20 {
		l.turns = append(l.turns, ports.Abandoned{WorkspaceID: flood, ThreadID: flood, Attempt: 3})
	}
	l.turns = append(l.turns, ports.Abandoned{WorkspaceID: small, ThreadID: small, Attempt: 3})
	slots := resilience.NewSlots(8)
	r := jobs.NewRecoverTurns(jobs.RecoverOptions{Leases: l, Recover: usecases.RecoverTurn{Leases: l}, Slots: slots, Log: slog.New(slog.DiscardHandler)})
	done := make(chan error, 1)
	go func() { done <- r.Do(t.Context()) }()
	first := <-l.freed // places are taken before the first attempt
	taken, _ := slots.Used()
	require.Less(t, taken, 8)
	close(l.hold)
	require.NoError(t, <-done)
	close(l.freed)
	seen := map[uuid.UUID]int{first: 1}
	for thread := range l.freed {
		seen[thread]++
	}
	require.Equal(t, 1, seen[small])
	require.Less(t, seen[flood], 8, "the flood took all places")
}
