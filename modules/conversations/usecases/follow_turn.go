package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// FollowTurn passes the events of a turn to a reader, from a position on, until the turn has ended. It reads them from
// the memory of this process where the turn runs here, else from the database.
type FollowTurn struct {
	Views   ports.TurnViews
	Chunks  ports.Chunks
	Live    ports.Live
	Poll    time.Duration // between checks, where no notification is received
	Idle    time.Duration // without events, after which a keep-alive is sent
	Longest time.Duration // the maximum time for which a turn is followed
	Stop    <-chan struct{}
	Now     func() time.Time
}

// ErrNoSuchEvent means that the turn has no event at the position of its reader.
var ErrNoSuchEvent = errors.New("conversations: the turn has had no such event")

// WriteEvents writes new events of a turn. A call without events is a keep-alive, which is also the first call if the
// turn runs and has no new events. Its error ends FollowTurn.Do.
type WriteEvents func(turn domain.TurnView, events []domain.Event) error

// Check returns ports.ErrTurnNotFound where the thread of the caller's workspace has no such turn.
func (u FollowTurn) Check(ctx context.Context, thread, turn uuid.UUID) error {
	_, err := u.Views.Get(ctx, thread, turn)
	return err
}

// Do follows a turn. It returns nil after the turn's last event, without a call of write where the reader already has
// that event, and where the turn begins to wait. It also returns nil when it stops following, and the reader may then continue from its position, here or
// in another process. The error is ErrNoSuchEvent where no reader can be at the position.
func (u FollowTurn) Do(ctx context.Context, thread, turn uuid.UUID, position int64, write WriteEvents) error {
	ctx, cancel := context.WithTimeout(ctx, u.Longest)
	defer cancel()
	changed, stop := u.Live.Watch(turn)
	defer stop()
	var written time.Time
	for {
		now, err := u.look(ctx, thread, turn, position)
		if err != nil {
			return err
		}
		if written.IsZero() && now.beyond {
			return ErrNoSuchEvent
		}
		idle := !now.turn.Ended() && u.Now().Sub(written) >= u.Idle // also at the beginning
		if len(now.events) > 0 || idle {
			if err := write(now.turn, now.events); err != nil {
				return err
			}
			written = u.Now()
		}
		if len(now.events) > 0 {
			position = now.events[len(now.events)-1].Sequence
		}
		if now.turn.Ended() || now.turn.Status == domain.TurnWaiting && len(now.events) > 0 {
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

// Seen returns the text and the citations that a reader at a position of a turn has received.
func (u FollowTurn) Seen(ctx context.Context, turn domain.TurnView, position int64) (text string, citations []domain.Citation, err error) {
	seen := domain.ChunksAt(turn.Attempt, position)
	if seen == 0 {
		return "", nil, nil
	}
	var chunks []string
	if log := u.Live.Streaming(turn.ID); log != nil {
		chunks = log.From(0)
	} else if chunks, _, err = u.Chunks.List(ctx, turn.ID, turn.Attempt, 0); err != nil {
		return "", nil, err
	}
	chunks = chunks[:min(seen, len(chunks))]
	return domain.TextOf(chunks), domain.CitationsOf(chunks), nil
}

// stopping returns a channel that is closed when the process stops. It returns nil for a turn that runs here, which is
// followed to its end.
func (u FollowTurn) stopping(here bool) <-chan struct{} {
	if here {
		return nil
	}
	return u.Stop
}

// followed is a turn with the events for a reader at a position.
type followed struct {
	turn   domain.TurnView
	events []domain.Event // that the reader has not read
	beyond bool           // no reader can be at the position
	wait   time.Duration  // until the next check
}

func (u FollowTurn) look(ctx context.Context, thread, turn uuid.UUID, position int64) (followed, error) {
	if log := u.Live.Streaming(turn); log != nil {
		view, chunks := log.Turn(), log.From(0)
		return u.followed(view, chunks, 0, position, true, u.Idle), nil
	}
	view, err := u.Views.Get(ctx, thread, turn)
	if err != nil {
		return followed{}, err
	}
	after := 0
	if view.Status == domain.TurnRunning {
		after = domain.ChunksAt(view.Attempt, position)
	}
	chunks, first, err := u.Chunks.List(ctx, turn, view.Attempt, after)
	return u.followed(view, chunks, first, position, view.Status != domain.TurnRunning, u.Poll), err
}

// followed returns a turn with the events for a reader. Chunks are its chunks from number first on; complete says that
// the attempt has no others.
func (u FollowTurn) followed(v domain.TurnView, chunks []string, first int, position int64, complete bool, wait time.Duration) followed {
	return followed{
		turn: v, events: v.Events(chunks, first, position, u.Now()), beyond: v.Beyond(chunks, complete, position, u.Now()), wait: wait,
	}
}
