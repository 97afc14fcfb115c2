package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/access"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/fail"
)

const eventStream = "text/event-stream" // https://html.spec.whatwg.org/multipage/server-sent-events.html

type streamKey struct{}

// negotiate remembers whether the client asks for a stream.
func negotiate(next StrictHandlerFunc, _ string) StrictHandlerFunc {
	return func(c *echo.Context, request any) (any, error) {
		req := c.Request()
		for _, accept := range req.Header.Values(echo.HeaderAccept) {
			for media := range strings.SplitSeq(accept, ",") {
				name, params, err := mime.ParseMediaType(media)
				if err == nil && name == eventStream && !isZero(params["q"]) {
					c.SetRequest(req.WithContext(context.WithValue(req.Context(), streamKey{}, true)))
				}
			}
		}
		return next(c, request)
	}
}

// isZero tells whether a weight says that what it stands at is not wanted (RFC 9110, 12.4.2): 0, or with up to three zeros.
func isZero(weight string) bool {
	q, err := strconv.ParseFloat(weight, 64)
	return err == nil && q == 0
}

func wantsStream(ctx context.Context) bool { return ctx.Value(streamKey{}) != nil }

// turnStream answers with the events of a turn.
type turnStream struct {
	server Server
	ctx    context.Context //nolint:containedctx // the generated Visit methods have none
	thread uuid.UUID
	turn   *domain.Turn
	from   position
	run    func(started func()) (command.Answer, error)          // takes the turn first; nil: it is there
	find   func(ctx context.Context) (turn uuid.UUID, err error) // the turn of this operation, which runs elsewhere
}

// stream is the answer of a call that takes a turn. Turn may be read once the call says that it is started.
func (s Server) stream(ctx context.Context, turn *domain.Turn, from position, run func(started func()) (command.Answer, error), find func(context.Context) (uuid.UUID, error)) turnStream {
	return turnStream{server: s, ctx: ctx, thread: turn.ThreadID, turn: turn, from: from, run: run, find: find}
}

// VisitTakeTurnResponse implements TakeTurnResponseObject.
func (t turnStream) VisitTakeTurnResponse(w http.ResponseWriter) error {
	return unlessClosed(t.take(w))
}

// VisitRetryTurnResponse implements RetryTurnResponseObject.
func (t turnStream) VisitRetryTurnResponse(w http.ResponseWriter) error {
	return unlessClosed(t.take(w))
}

// VisitFollowTurnResponse implements FollowTurnResponseObject.
func (t turnStream) VisitFollowTurnResponse(w http.ResponseWriter) error {
	return unlessClosed(t.follow(context.WithoutCancel(t.ctx), w, t.turn.ID))
}

// unlessClosed leaves out errClosed: such an answer has said why it ends.
func unlessClosed(err error) error {
	if errors.Is(err, errClosed) {
		return nil
	}
	return err
}

// finished is what became of a call that takes a turn.
type finished struct {
	answer command.Answer
	err    error
}

// take has the turn taken and tells of it meanwhile. It returns when the turn has ended, also when the client has gone, or
// when the reader's right ends: then the turn goes on, and the program's stop waits for it as it does for requests.
func (t turnStream) take(w http.ResponseWriter) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.ctx))
	defer cancel()
	if turn := t.server.Live.StreamingUnder(t.ctx); turn != uuid.Nil { // this call was sent before
		answer, seen, err := t.server.Commands.Seen(t.ctx)
		switch {
		case seen:
			return t.replay(ctx, w, answer)
		case errors.Is(err, command.ErrInProgress):
			return t.follow(ctx, w, turn)
		case err != nil:
			return err
		}
	}
	started, ended := make(chan struct{}), make(chan finished, 1)
	over := make(chan struct{})
	t.server.Running.Go(func() {
		defer close(over)
		ended <- t.runSafely(sync.OnceFunc(func() { close(started) }))
	})
	select {
	case <-started:
		go func() {
			<-over
			time.AfterFunc(lastLook, cancel) // an end that could not be stored is not waited for
		}()
		t.from = position{} // of this attempt nobody has seen anything
		err := t.follow(ctx, w, t.turn.ID)
		if _, refused := errors.AsType[*access.End](err); refused || errors.Is(err, errClosed) {
			return err
		}
		<-over
		return err
	case f := <-ended:
		if errors.Is(f.err, command.ErrInProgress) {
			return t.join(ctx, w, f.err)
		}
		if f.err != nil {
			return f.err
		}
		return t.replay(ctx, w, f.answer)
	}
}

const (
	lastLook  = 5 * time.Second        // for the last event, once the turn has ended
	joinTries = 20                     // to find the turn of an operation that is just being begun
	joinPause = 100 * time.Millisecond // between them
)

// runSafely takes the turn. It runs beside the request's goroutine, where nobody else recovers from a panic.
func (t turnStream) runSafely(started func()) (f finished) {
	defer func() {
		if r := recover(); r != nil {
			f.err = fail.ErrInternal.Because(fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
		}
	}()
	f.answer, f.err = t.run(started)
	return f
}

// join follows the turn that was begun under this operation and runs elsewhere.
func (t turnStream) join(ctx context.Context, w http.ResponseWriter, inProgress error) error {
	for range joinTries {
		turn, err := t.find(t.ctx)
		if err != nil {
			return err
		}
		if turn != uuid.Nil {
			return t.follow(ctx, w, turn)
		}
		select {
		case <-time.After(joinPause):
		case <-t.ctx.Done():
			return inProgress
		}
	}
	return inProgress
}

// replay tells of a turn that has its answer.
func (t turnStream) replay(ctx context.Context, w http.ResponseWriter, a command.Answer) error {
	var body struct {
		TurnID uuid.UUID `json:"turn_id"`
	}
	if err := json.Unmarshal(a.Body, &body); err != nil {
		return fmt.Errorf("read the stored answer: %w", err)
	}
	if a.Replayed {
		w.Header().Set(command.HeaderReplayed, "true")
	}
	return t.follow(ctx, w, body.TurnID)
}

// follow writes the events of a turn. The answer begins with the first, so that what fails before is an error as
// everywhere; where there is none behind the reader's position it is 204, which ends an EventSource. A client that goes away,
// or does not read, is let go. When the reader's right ends the stream does, by
// stream.closed, and the error is errClosed, or an *access.End where the answer has not begun.
func (t turnStream) follow(ctx context.Context, w http.ResponseWriter, turn uuid.UUID) error {
	ctx, unwatch := t.server.Access.Watch(ctx)
	defer unwatch()
	out, stop := newFrames(ctx, w, t.thread, turn, t.from.id)
	defer stop()
	err := t.server.Follow.Do(ctx, t.thread, turn, t.from.id, out.tell)
	if end := access.EndOf(ctx, err); end != nil { // the database may have refused a read before the watcher knew
		return out.close(end)
	}
	switch {
	case errors.Is(err, errReaderGone):
		return nil
	case errors.Is(err, usecases.ErrNoSuchEvent):
		return t.from.invalid()
	case err == nil && !out.begun:
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
