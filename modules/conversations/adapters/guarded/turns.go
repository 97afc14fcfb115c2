package guarded

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/resilience"
)

// Turns bounds how many turns run at once in this process: for each workspace, for each user over all workspaces, and for
// all together. It is a command.Bound.
type Turns struct {
	Slots   *resilience.Slots
	MaxWait time.Duration // for a slot
	Refused func()        // called for each turn that is refused for want of a slot
}

// Try takes a slot for the caller's turn if one is free now.
func (t Turns) Try(ctx context.Context) (leave func(), ok bool) { return t.Slots.Try(parties(ctx)...) }

// Wait takes a slot, and waits for it up to MaxWait. It returns ports.ErrTooManyTurns where none becomes free.
func (t Turns) Wait(ctx context.Context) (leave func(), err error) {
	leave, err = t.Slots.Wait(ctx, t.MaxWait, parties(ctx)...)
	if errors.Is(err, resilience.ErrNoSlot) {
		t.Refused()
		return nil, ports.ErrTooManyTurns.Because(err)
	}
	return leave, err
}

// parties returns for whom a slot counts: the workspace, and the actor over all workspaces.
func parties(ctx context.Context) []uuid.UUID {
	p := callctx.From(ctx).Principal
	return []uuid.UUID{p.WorkspaceID, p.UserID}
}
