package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/access"
	"github.com/parley/parley/platform/call"
)

// closeTimeout is how long a reader whose right has ended may take to receive what is being written, including
// stream.closed.
const closeTimeout = 500 * time.Millisecond

const writeChunk = 64 << 10 // bytes

// reconnectAfter is how long a client should wait, in milliseconds, before it reconnects to an interrupted stream.
const reconnectAfter = 1000

var (
	// errReaderGone means that events can no longer be written.
	errReaderGone = errors.New("rest: the reader of a stream is gone")
	// errClosed means that the stream was closed because the reader's right has ended.
	errClosed = errors.New("rest: the stream is closed")
)

// frames writes events as server-sent events. Its context is that of access.Watcher: after the reader's right has ended
// only stream.closed is written.
type frames struct {
	ctx      context.Context //nolint:containedctx // of the one answer
	w        http.ResponseWriter
	control  *http.ResponseController
	trace    string
	thread   uuid.UUID
	turn     uuid.UUID
	position int64 // of the reader
	begun    bool
	over     bool // the turn's last event is written

	mu     sync.Mutex
	closes bool // the reader's right has ended
}

// newFrames returns frames for a reader who is at a position. Stop must be called when the response is complete.
func newFrames(ctx context.Context, w http.ResponseWriter, thread, turn uuid.UUID, position int64) (f *frames, stop func() bool) {
	f = &frames{
		ctx: ctx, w: w, control: http.NewResponseController(w), trace: call.From(ctx).TraceID, thread: thread, turn: turn, position: position,
	}
	return f, context.AfterFunc(ctx, func() {
		if access.EndOf(ctx, nil) == nil {
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.closes = true
		_ = f.control.SetWriteDeadline(time.Now().Add(closeTimeout)) // a reader who does not read is disconnected
	})
}

// close writes to the reader that its right has ended, and returns errClosed. Where the stream has not begun it returns
// the end itself, which is then returned as an error response.
func (f *frames) close(end *access.End) error {
	switch {
	case f.over:
		return nil
	case !f.begun:
		return end
	}
	f.mu.Lock()
	f.closes = true
	f.mu.Unlock()
	data, err := json.Marshal(StreamClosed{
		Type: StreamClosedTypeStreamClosed, SequenceNumber: f.position, TurnID: f.turn, ThreadID: f.thread, TraceID: f.trace,
		Reason: StreamClosedReason(end.Reason),
	})
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	_ = f.write(fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", f.position, StreamClosedTypeStreamClosed, data)) // ignored: the reader may be gone
	return errClosed
}

// write sends bytes at once, in chunks. Written bytes count as in flight for the reader until they are received. A long
// text that is not read must not use up the reader's limit for its other calls.
func (f *frames) write(p []byte) error {
	for chunk := range slices.Chunk(p, writeChunk) {
		if err := f.setDeadline(); err != nil {
			return err
		}
		if _, err := f.w.Write(chunk); err != nil {
			return err
		}
	}
	return f.control.Flush()
}

func (f *frames) setDeadline() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	deadline := time.Time{} // none: gateway.CloseStalled disconnects a reader who does not read
	if f.closes {
		deadline = time.Now().Add(closeTimeout)
	}
	return f.control.SetWriteDeadline(deadline)
}

// writeEvents writes new events with one write. It is a usecases.WriteEvents.
func (f *frames) writeEvents(r domain.TurnView, events []domain.Event) error {
	if end := access.EndOf(f.ctx, nil); end != nil {
		return end
	}
	var out bytes.Buffer
	if !f.begun {
		fmt.Fprintf(&out, "retry: %d\n", reconnectAfter)
	}
	if len(events) == 0 {
		if f.position > 0 { // by the HTML standard a block without an id would reset the client's
			fmt.Fprintf(&out, "id: %d\n", f.position)
		}
		out.WriteString(": still here\n\n")
	}
	for _, e := range events {
		data, err := json.Marshal(f.data(r, e))
		if err != nil {
			return fmt.Errorf("encode an event: %w", err)
		}
		fmt.Fprintf(&out, "id: %d\nevent: %s\ndata: %s\n\n", e.Sequence, e.Type, data)
	}
	if !f.begun {
		f.begun = true
		h := f.w.Header()
		h.Set("Content-Type", eventStream)
		h.Set("X-Accel-Buffering", "no") // https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
		f.w.WriteHeader(http.StatusOK)
	}
	if err := f.write(out.Bytes()); err != nil {
		return fmt.Errorf("%w: %w", errReaderGone, err)
	}
	if len(events) > 0 {
		f.position, f.over = events[len(events)-1].Sequence, r.Ended()
	}
	return nil
}

// data returns an event as the TurnEvent of the OpenAPI document.
func (f *frames) data(r domain.TurnView, e domain.Event) any {
	switch e.Type {
	case domain.EventTurnCreated:
		return TurnCreated{
			Type: TurnCreatedTypeTurnCreated, SequenceNumber: e.Sequence, TurnID: r.ID, ThreadID: r.ThreadID, TraceID: f.trace,
			Attempt: r.Attempt, OperationID: r.OperationID, BotID: r.BotID, BotVersion: toVersion(r.BotVersion), UserMessage: toMessage(r.User),
		}
	case domain.EventMessageCreated:
		return MessageCreated{
			Type: MessageCreatedTypeMessageCreated, SequenceNumber: e.Sequence, TurnID: r.ID, ThreadID: r.ThreadID, TraceID: f.trace,
			Attempt: r.Attempt, MessageID: domain.AnswerID(r.ID), Role: MessageCreatedRoleAssistant,
		}
	case domain.EventMessageDelta:
		return MessageDelta{
			Type: MessageDeltaTypeMessageDelta, SequenceNumber: e.Sequence, TurnID: r.ID, ThreadID: r.ThreadID, TraceID: f.trace,
			MessageID: domain.AnswerID(r.ID), Delta: TextDelta{Type: Text, Text: e.Text},
		}
	case domain.EventMessageCompleted:
		return MessageCompleted{
			Type: MessageCompletedTypeMessageCompleted, SequenceNumber: e.Sequence, TurnID: r.ID, ThreadID: r.ThreadID, TraceID: f.trace,
			Message: toMessage(*r.Answer),
		}
	case domain.EventTurnCompleted:
		return TurnCompleted{
			Type: TurnCompletedTypeTurnCompleted, SequenceNumber: e.Sequence, TurnID: r.ID, ThreadID: r.ThreadID, TraceID: f.trace,
			Usage: toTurnUsage(r), LatencyMs: r.Latency.Milliseconds(), FinishReason: r.FinishedBy(),
		}
	case domain.EventTurnCancelled:
		return TurnCancelled{
			Type: TurnCancelledTypeTurnCancelled, SequenceNumber: e.Sequence, TurnID: r.ID, ThreadID: r.ThreadID, TraceID: f.trace,
		}
	default:
		return TurnFailed{
			Type: TurnFailedTypeTurnFailed, SequenceNumber: e.Sequence, TurnID: r.ID, ThreadID: r.ThreadID, TraceID: f.trace,
			Error: Error{Code: ErrorCode(r.Failure.Code), Message: r.Failure.Message, TraceID: f.trace, Details: r.Failure.Details},
		}
	}
}
