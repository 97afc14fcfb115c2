package usecases

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
)

// StreamTurn takes a turn while a reader reads its events.
type StreamTurn struct {
	Operations ports.Operations
	Live       ports.Live
	Running    *sync.WaitGroup // turns that may outlive their calls: the stop of the program waits for them
}

// Reader reads the events of a turn from a position on and returns when it has read the last one. It returns nil where
// the client has left or reads too slowly. The error wraps ErrAccessEnded where the reader may no longer read.
type Reader func(ctx context.Context, from StreamStart) error

// StreamStart is the turn and the position at which a Reader begins.
type StreamStart struct {
	Turn     uuid.UUID
	Position int64 // the sequence number of the last event that the reader has; 0: none
	Replayed bool  // the turn is the stored answer of an earlier call
}

// ErrAccessEnded means that the reader's right to read a turn has ended. The turn continues.
var ErrAccessEnded = errors.New("conversations: the reader may not read the turn any more")

const (
	lastEventTimeout = 5 * time.Second        // for the last event, after the turn has ended; it is the limit where the end could not be stored
	maxFindTries     = 20                     // to find the turn of an operation that is just being begun
	findInterval     = 100 * time.Millisecond // between them
)

// streamedTurn is a turn that is read while it runs.
type streamedTurn struct {
	take     func(started func(turn uuid.UUID)) (ports.Answer, error)
	find     func(ctx context.Context) (turn uuid.UUID, err error) // the turn of the caller's operation
	position int64
	read     Reader
}

// takenTurn is the result of a call that takes a turn.
type takenTurn struct {
	answer  ports.Answer
	err     error
	started bool // the turn was stored and its model asked
}

// do takes a turn and calls read at the same time. It returns when the turn has ended, even if the reader has left, or
// when the reader's right ends. A turn that already runs under the caller's operation, or has ended, is read from the
// reader's position.
func (u StreamTurn) do(ctx context.Context, t streamedTurn) error {
	reading, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if turn := u.Live.StreamingUnder(ctx); turn != uuid.Nil {
		answer, found, err := u.Operations.Find(ctx)
		switch {
		case found:
			return t.replay(reading, answer)
		case errors.Is(err, fail.ErrInProgress):
			return t.read(reading, StreamStart{Turn: turn, Position: t.position})
		case err != nil:
			return err
		}
	}
	started, taken := make(chan uuid.UUID, 1), make(chan takenTurn, 1)
	over := make(chan struct{})
	u.Running.Go(func() {
		defer close(over)
		end := t.takeSafely(started)
		taken <- end
		if end.started {
			time.AfterFunc(lastEventTimeout, cancel)
		}
	})
	select {
	case turn := <-started:
		err := t.read(reading, StreamStart{Turn: turn}) // nobody has read events of this attempt yet
		if !errors.Is(err, ErrAccessEnded) {
			<-over
		}
		return err
	case end := <-taken:
		switch {
		case errors.Is(end.err, fail.ErrInProgress):
			return t.join(ctx, reading, end.err)
		case end.err != nil:
			return end.err
		}
		return t.replay(reading, end.answer)
	}
}

// takeSafely takes the turn. It runs in a goroutine of its own, and recovers from a panic.
func (t streamedTurn) takeSafely(started chan<- uuid.UUID) (end takenTurn) {
	defer func() {
		if r := recover(); r != nil {
			end.err = fail.ErrInternal.Because(fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
		}
	}()
	end.answer, end.err = t.take(func(turn uuid.UUID) {
		if !end.started {
			end.started = true
			started <- turn
		}
	})
	return end
}

// join calls read for the turn that runs under the caller's operation in another process.
func (t streamedTurn) join(ctx, reading context.Context, inProgress error) error {
	for range maxFindTries {
		turn, err := t.find(ctx)
		if err != nil {
			return err
		}
		if turn != uuid.Nil {
			return t.read(reading, StreamStart{Turn: turn, Position: t.position})
		}
		select {
		case <-time.After(findInterval):
		case <-ctx.Done():
			return inProgress
		}
	}
	return inProgress
}

// replay calls read for the turn of a stored answer.
func (t streamedTurn) replay(reading context.Context, a ports.Answer) error {
	return t.read(reading, StreamStart{Turn: a.TurnID, Position: t.position, Replayed: a.Replayed})
}
