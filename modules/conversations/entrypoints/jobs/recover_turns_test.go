package jobs_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/entrypoints/jobs"
	"github.com/parley/parley/modules/conversations/ports"
)

// leases has two turns that nobody can take up: the first one's store panics.
type leases struct {
	ports.Leases
	panics uuid.UUID
	freed  chan uuid.UUID
}

func (l leases) Abandoned(context.Context, int) ([]ports.Abandoned, error) {
	return []ports.Abandoned{{ThreadID: l.panics, Attempt: 3}, {ThreadID: uuid.Max, Attempt: 3}}, nil
}

func (l leases) Free(_ context.Context, thread uuid.UUID, _ string) (bool, error) {
	if thread == l.panics {
		panic("a bug")
	}
	l.freed <- thread
	return true, nil
}

func TestAPanicInTheRecoveryOfATurnEndsNeitherTheProcessNorTheOthers(t *testing.T) {
	t.Parallel()
	l := leases{panics: uuid.New(), freed: make(chan uuid.UUID, 1)}
	require.ErrorContains(t, jobs.RecoverTurns{Leases: l}.Do(t.Context()), "panic: a bug")
	require.Equal(t, uuid.Max, <-l.freed)
}
