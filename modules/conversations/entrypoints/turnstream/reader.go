// Package turnstream follows turns for the entrypoints that stream them in the form of another protocol. What is written
// is the matter of an Encoder; when it is written, and how a stream ends, is the same for all.
package turnstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/access"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/request/gateway"
)

var (
	// errReaderGone means that nothing can be written any more.
	errReaderGone = errors.New("turnstream: the reader of a stream is gone")
	// errClosed means that the stream has said why it ends.
	errClosed = errors.New("turnstream: the stream is closed")
)

// Encoder writes one stream in the form of a protocol. It is for one goroutine.
type Encoder interface {
	// Event writes an event of the turn. Its error ends the stream.
	Event(out *bytes.Buffer, turn domain.TurnView, e domain.Event) error
	// KeepAlive is called while the turn has no new events.
	KeepAlive(out *bytes.Buffer, turn domain.TurnView)
	// Fail writes the end of a stream that has begun and cannot go on.
	Fail(out *bytes.Buffer, why *fail.Error)
	// Ended reports whether the last event is written.
	Ended() bool
}

// Stream is a response with the events of a turn.
type Stream struct {
	Follow *usecases.FollowTurn
	Access *access.Watcher
	Thread uuid.UUID
	// Position is that of the last event that the reader has; 0: none.
	Position int64
	Cut      error // of a stream that ends before its turn
	// Run runs or finds the turn and calls read.
	Run func(ctx context.Context, read usecases.Reader) error
	// Open returns the Encoder when the turn is known. It may set headers.
	Open func(ctx context.Context, h http.Header, start usecases.StreamStart) Encoder
}

// Write writes the response. An error before its first byte is returned, and a later one is the end of the stream.
func (s Stream) Write(ctx context.Context, w http.ResponseWriter) error {
	err := s.Run(ctx, func(ctx context.Context, start usecases.StreamStart) error { return s.read(ctx, w, start) })
	if errors.Is(err, errClosed) {
		return nil
	}
	return err
}

// read writes the events of a turn after the position. A client that goes away, or does not read, is disconnected. The
// error is usecases.ErrNoSuchEvent where no reader can be at the position. The response is empty where the reader has all events.
func (s Stream) read(ctx context.Context, w http.ResponseWriter, start usecases.StreamStart) error {
	ctx, unwatch := s.Access.Watch(ctx)
	defer unwatch()
	out, stop := gateway.NewEventStream(ctx, w)
	defer stop()
	r := reader{out: out, encoder: s.Open(ctx, w.Header(), start)}
	over := true // unless anything is written, the reader has all events
	err := s.Follow.Do(ctx, s.Thread, start.Turn, s.Position, func(turn domain.TurnView, events []domain.Event) error {
		over = false
		if end := access.EndOf(ctx, nil); end != nil {
			return end
		}
		return r.write(turn, events)
	})
	if end := access.EndOf(ctx, err); end != nil {
		if err = r.fail(end); errors.Is(err, errClosed) || errors.Is(err, end) {
			return fmt.Errorf("%w: %w", usecases.ErrAccessEnded, err)
		}
		return err
	}
	switch {
	case errors.Is(err, errReaderGone):
		return nil
	case err != nil:
		return r.fail(err)
	case over:
		return out.Write(nil)
	default:
		return r.fail(s.Cut)
	}
}

// reader writes what an Encoder makes of the events of a turn.
type reader struct {
	out     *gateway.EventStream
	encoder Encoder
}

// write writes new events with one write.
func (r reader) write(turn domain.TurnView, events []domain.Event) error {
	var out bytes.Buffer
	if len(events) == 0 {
		r.encoder.KeepAlive(&out, turn)
	}
	for _, e := range events {
		if e.Type == domain.EventTurnWaiting { // no client of these protocols can decide
			return ports.ErrTurnWaiting.With("turn_id", turn.ID)
		}
		if err := r.encoder.Event(&out, turn, e); err != nil {
			return err
		}
	}
	if out.Len() == 0 {
		return nil
	}
	if err := r.out.Write(out.Bytes()); err != nil {
		return fmt.Errorf("%w: %w", errReaderGone, err)
	}
	return nil
}

// fail ends the stream with an error, unless it has ended, and returns errClosed. Where the stream has not begun it
// returns the error itself.
func (r reader) fail(err error) error {
	switch {
	case r.encoder.Ended():
		return nil
	case !r.out.Begun():
		return err
	}
	r.out.Close()
	var out bytes.Buffer
	r.encoder.Fail(&out, lastError(err))
	_ = r.out.Write(out.Bytes()) // ignored: the reader may be gone
	return errClosed
}

// errAccessEnded is the last error of a stream whose caller has lost the right to read it. A new call gets another: that of its token.
var errAccessEnded = fail.New(fail.Forbidden, "ACCESS_ENDED", "the right to read this stream has ended")

// lastError returns the error that a stream which has begun ends with.
func lastError(err error) *fail.Error {
	end, ok := errors.AsType[*access.End](err)
	if !ok || end.Reason == access.Unverified {
		return fail.From(err)
	}
	return errAccessEnded.Because(err)
}
