package guarded

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/resilience"
)

// Turns bounds how many turns run at once in this process: for each workspace, for each user over all workspaces, and for
// all together. It is a command.Bound.
type Turns struct {
	Slots   *resilience.Slots
	MaxWait time.Duration // for a place
	Refused func()        // called for each turn that gets no place
}

// Try takes a place for the caller's turn if there is one now.
func (t Turns) Try(ctx context.Context) (leave func(), ok bool) { return t.Slots.Try(parties(ctx)...) }

// Wait takes a place, and waits for it up to MaxWait. It returns ports.ErrTooManyTurns where there is none.
func (t Turns) Wait(ctx context.Context) (leave func(), err error) {
	leave, err = t.Slots.Wait(ctx, t.MaxWait, parties(ctx)...)
	if errors.Is(err, resilience.ErrNoSlot) {
		t.Refused()
		return nil, ports.ErrTooManyTurns.Because(err)
	}
	return leave, err
}

// parties are for whom a place is taken: the workspace, and whoever acts.
func parties(ctx context.Context) []uuid.UUID {
	p := call.From(ctx).Principal
	return []uuid.UUID{p.WorkspaceID, p.UserID}
}
