package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/fail"
)

// FollowTurn tells what a turn says, from a position on, until the turn has ended: out of this process' memory where it
// runs here, else out of the database.
type FollowTurn struct {
	Records ports.Records
	Pieces  ports.Pieces
	Live    ports.Live
	Poll    time.Duration // where no notification tells of a change
	Idle    time.Duration // after which a sign of life is given
	Longest time.Duration // that a turn is followed
	Stop    <-chan struct{}
	Now     func() time.Time
}

// Teller is given what is new, and nothing as a sign of life. Its error ends the following.
type Teller func(r domain.Record, events []domain.Event) error

// Check finds the turn, whose reader is at a position.
func (u FollowTurn) Check(ctx context.Context, thread, turn uuid.UUID, position int64) error {
	record, err := u.Records.Get(ctx, thread, turn)
	if err != nil {
		return err
	}
	if domain.AttemptAt(position) > record.Attempt {
		return fail.Fields(fail.Field{Field: "Last-Event-ID", Code: "INVALID", Message: "must be the id of an event of this turn"})
	}
	return nil
}

// Do follows a turn that is there. It returns nil after the turn's last event, and also when it will not follow any
// longer: then whoever reads may take it up from its position, here or elsewhere.
func (u FollowTurn) Do(ctx context.Context, thread, turn uuid.UUID, position int64, tell Teller) error {
	ctx, cancel := context.WithTimeout(ctx, u.Longest)
	defer cancel()
	changed, stop := u.Live.Watch(turn)
	defer stop()
	alive := u.Now()
	for {
		record, events, wait, err := u.look(ctx, thread, turn, position)
		if err != nil {
			return err
		}
		if idle := u.Now().Sub(alive) >= u.Idle; len(events) > 0 || idle {
			if err := tell(record, events); err != nil {
				return err
			}
			alive = u.Now()
		}
		if len(events) > 0 {
			position = events[len(events)-1].Sequence
		}
		if record.Ended() {
			return nil
		}
		here := u.Live.Streaming(turn) != nil
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-u.stopping(here):
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// stopping is when the process stops. A turn that runs here is followed to its end.
func (u FollowTurn) stopping(here bool) <-chan struct{} {
	if here {
		return nil
	}
	return u.Stop
}

// look gives what is new, and for how long to wait for more.
func (u FollowTurn) look(ctx context.Context, thread, turn uuid.UUID, position int64) (domain.Record, []domain.Event, time.Duration, error) {
	if log := u.Live.Streaming(turn); log != nil {
		record := log.Turn()
		first := domain.PiecesAt(record.Attempt, position)
		return record, record.Events(log.From(first), first, position, u.Now()), u.Idle, nil
	}
	record, err := u.Records.Get(ctx, thread, turn)
	if err != nil {
		return record, nil, 0, err
	}
	after := 0
	if !record.Ended() {
		after = domain.PiecesAt(record.Attempt, position)
	}
	pieces, first, err := u.Pieces.List(ctx, turn, record.Attempt, after)
	return record, record.Events(pieces, first, position, u.Now()), u.Poll, err
}
