package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
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

// ErrNoSuchEvent says that the turn has had no event at the position of its reader.
var ErrNoSuchEvent = errors.New("conversations: the turn has had no such event")

// Teller is given what is new, and nothing as a sign of life, also at the beginning. Its error ends the following.
type Teller func(r domain.Record, events []domain.Event) error

// Check finds the turn: ports.ErrTurnNotFound where the thread of the caller's workspace has none.
func (u FollowTurn) Check(ctx context.Context, thread, turn uuid.UUID) error {
	_, err := u.Records.Get(ctx, thread, turn)
	return err
}

// Do follows a turn that is there. It returns nil after the turn's last event, without a word where the reader has had
// that, and also when it will not follow any longer: then whoever reads may take it up from its position, here or elsewhere.
// A position that no reader can be at is ErrNoSuchEvent.
func (u FollowTurn) Do(ctx context.Context, thread, turn uuid.UUID, position int64, tell Teller) error {
	ctx, cancel := context.WithTimeout(ctx, u.Longest)
	defer cancel()
	changed, stop := u.Live.Watch(turn)
	defer stop()
	var told time.Time
	for {
		now, err := u.look(ctx, thread, turn, position)
		if err != nil {
			return err
		}
		if told.IsZero() && now.beyond {
			return ErrNoSuchEvent
		}
		idle := !now.record.Ended() && u.Now().Sub(told) >= u.Idle // also at the beginning
		if len(now.events) > 0 || idle {
			if err := tell(now.record, now.events); err != nil {
				return err
			}
			told = u.Now()
		}
		if len(now.events) > 0 {
			position = now.events[len(now.events)-1].Sequence
		}
		if now.record.Ended() {
			return nil
		}
		here := u.Live.Streaming(turn) != nil
		timer := time.NewTimer(now.wait)
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

// view is a turn as a reader finds it.
type view struct {
	record domain.Record
	events []domain.Event // that the reader has not seen
	beyond bool           // the reader is where nobody can be
	wait   time.Duration  // for more
}

func (u FollowTurn) look(ctx context.Context, thread, turn uuid.UUID, position int64) (view, error) {
	if log := u.Live.Streaming(turn); log != nil {
		record, pieces := log.Turn(), log.From(0)
		return u.view(record, pieces, 0, position, true, u.Idle), nil
	}
	record, err := u.Records.Get(ctx, thread, turn)
	if err != nil {
		return view{}, err
	}
	after := 0
	if !record.Ended() {
		after = domain.PiecesAt(record.Attempt, position)
	}
	pieces, first, err := u.Pieces.List(ctx, turn, record.Attempt, after)
	return u.view(record, pieces, first, position, record.Ended(), u.Poll), err
}

// view makes one of a turn and its pieces, of which known tells whether the attempt has no others.
func (u FollowTurn) view(r domain.Record, pieces []string, first int, position int64, known bool, wait time.Duration) view {
	return view{
		record: r, events: r.Events(pieces, first, position, u.Now()), beyond: r.Beyond(pieces, known, position, u.Now()), wait: wait,
	}
}
