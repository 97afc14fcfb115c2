package rest

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/access"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/gateway"
)

type streamKey struct{}

// negotiate stores whether the client asks for a stream.
func negotiate(next StrictHandlerFunc, _ string) StrictHandlerFunc {
	return func(c *echo.Context, request any) (any, error) {
		req := c.Request()
		for _, accept := range req.Header.Values(echo.HeaderAccept) {
			for media := range strings.SplitSeq(accept, ",") {
				name, params, err := mime.ParseMediaType(media)
				if err == nil && name == gateway.MediaEventStream && !isZero(params["q"]) {
					c.SetRequest(req.WithContext(context.WithValue(req.Context(), streamKey{}, true)))
				}
			}
		}
		return next(c, request)
	}
}

// isZero reports whether a weight of the Accept header is zero, which means not acceptable (RFC 9110, 12.4.2): 0, or 0
// with up to three decimal zeros.
func isZero(weight string) bool {
	q, err := strconv.ParseFloat(weight, 64)
	return err == nil && q == 0
}

func wantsStream(ctx context.Context) bool { return ctx.Value(streamKey{}) != nil }

// turnStream is a response with the events of a turn.
type turnStream struct {
	follow *usecases.FollowTurn // not the Server, which is large and would be several times on the stack of each stream
	access *access.Watcher
	ctx    context.Context //nolint:containedctx // the generated Visit methods have none
	thread uuid.UUID
	from   position
	run    func(ctx context.Context, read usecases.Reader) error // runs the turn and calls read
}

func (s Server) stream(ctx context.Context, thread uuid.UUID, from position, run func(context.Context, usecases.Reader) error) turnStream {
	return turnStream{follow: &s.Follow, access: s.Access, ctx: ctx, thread: thread, from: from, run: run}
}

// VisitTakeTurnResponse writes the events.
func (t turnStream) VisitTakeTurnResponse(w http.ResponseWriter) error { return t.write(w) }

// VisitTryVersionResponse writes the events.
func (t turnStream) VisitTryVersionResponse(w http.ResponseWriter) error { return t.write(w) }

// VisitRetryTurnResponse writes the events.
func (t turnStream) VisitRetryTurnResponse(w http.ResponseWriter) error { return t.write(w) }

// VisitFollowTurnResponse writes the events.
func (t turnStream) VisitFollowTurnResponse(w http.ResponseWriter) error { return t.write(w) }

func (t turnStream) write(w http.ResponseWriter) error {
	err := t.run(t.ctx, func(ctx context.Context, start usecases.StreamStart) error { return t.read(ctx, w, start) })
	if errors.Is(err, errClosed) { // the response has already said why it ends
		return nil
	}
	return err
}

// read writes the events of a turn. The response begins with the first event, so that a failure before it is an
// ordinary error response. Where there is no event after the reader's position it is 204, which ends an EventSource. A
// client that goes away, or does not read, is disconnected. When the reader's right ends, the stream ends with
// stream.closed, and the error is ErrAccessEnded with errClosed, or with an *access.End where the response has not
// begun.
func (t turnStream) read(ctx context.Context, w http.ResponseWriter, start usecases.StreamStart) error {
	if start.Replayed {
		w.Header().Set(command.HeaderReplayed, "true")
	}
	ctx, unwatch := t.access.Watch(ctx)
	defer unwatch()
	out, stop := newFrames(ctx, w, t.thread, start.Turn, start.Position)
	defer stop()
	err := t.follow.Do(ctx, t.thread, start.Turn, start.Position, out.writeEvents)
	if end := access.EndOf(ctx, err); end != nil { // the database may have refused a read before the watcher knew
		if err = out.close(end); err != nil {
			return fmt.Errorf("%w: %w", usecases.ErrAccessEnded, err)
		}
		return nil
	}
	switch {
	case errors.Is(err, errReaderGone):
		return nil
	case errors.Is(err, usecases.ErrNoSuchEvent):
		return t.from.invalid()
	case err == nil && !out.out.Begun():
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
