package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/access"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/gateway"
)

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
	out      *gateway.EventStream
	trace    string
	thread   uuid.UUID
	turn     uuid.UUID
	position int64 // of the reader
	over     bool  // the turn's last event is written
}

// newFrames returns frames for a reader who is at a position. Stop must be called when the response is complete.
func newFrames(ctx context.Context, w http.ResponseWriter, thread, turn uuid.UUID, position int64) (f *frames, stop func() bool) {
	out, stop := gateway.NewEventStream(ctx, w)
	return &frames{ctx: ctx, out: out, trace: callctx.From(ctx).TraceID, thread: thread, turn: turn, position: position}, stop
}

// close writes to the reader that its right has ended, and returns errClosed. Where the stream has not begun it returns
// the end itself, which is then returned as an error response.
func (f *frames) close(end *access.End) error {
	switch {
	case f.over:
		return nil
	case !f.out.Begun():
		return end
	}
	f.out.Close()
	data, err := json.Marshal(StreamClosed{
		Type: StreamClosedTypeStreamClosed, SequenceNumber: f.position, TurnID: f.turn, ThreadID: f.thread, TraceID: f.trace,
		Reason: StreamClosedReason(end.Reason),
	})
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	_ = f.out.Write(fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", f.position, StreamClosedTypeStreamClosed, data)) // ignored: the reader may be gone
	return errClosed
}

// writeEvents writes new events with one write. It is a usecases.WriteEvents.
func (f *frames) writeEvents(r domain.TurnView, events []domain.Event) error {
	if end := access.EndOf(f.ctx, nil); end != nil {
		return end
	}
	var out bytes.Buffer
	if !f.out.Begun() {
		fmt.Fprintf(&out, "retry: %d\n", reconnectAfter)
	}
	if len(events) == 0 {
		if f.position > 0 { // by the HTML standard a block without an id would reset the client's
			fmt.Fprintf(&out, "id: %d\n", f.position)
		}
		out.WriteString(": still here\n\n")
	}
	for _, e := range events {
		event := eventFor(f.ctx, f.data(r, e))
		if event == nil {
			continue
		}
		data, err := json.Marshal(event)
		if err != nil {
			return fmt.Errorf("encode an event: %w", err)
		}
		fmt.Fprintf(&out, "id: %d\nevent: %s\ndata: %s\n\n", e.Sequence, e.Type, data)
	}
	if err := f.out.Write(out.Bytes()); err != nil {
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
	case domain.EventRetrieved:
		retrieved := RetrievalCompleted{}
		_ = json.Unmarshal(e.Data, &retrieved) // this program has encoded it
		retrieved.Type, retrieved.SequenceNumber = RetrievalCompletedTypeRetrievalCompleted, e.Sequence
		retrieved.TurnID, retrieved.ThreadID, retrieved.TraceID = r.ID, r.ThreadID, f.trace
		return retrieved
	case domain.EventCitation:
		added := CitationAdded{
			Type: CitationAddedTypeCitationAdded, SequenceNumber: e.Sequence, TurnID: r.ID, ThreadID: r.ThreadID, TraceID: f.trace,
			MessageID: domain.AnswerID(r.ID),
		}
		_ = json.Unmarshal(e.Data, &added.Citation) // as above
		return added
	case domain.EventToolCall:
		made := ToolCallCreated{Type: ToolCallCreatedTypeToolCallCreated, SequenceNumber: e.Sequence, TurnID: r.ID, ThreadID: r.ThreadID, TraceID: f.trace}
		_ = json.Unmarshal(e.Data, &made.ToolCall) // as above
		return made
	case domain.EventToolResult:
		ended := ToolCallCompleted{Type: ToolCallCompletedTypeToolCallCompleted, SequenceNumber: e.Sequence, TurnID: r.ID, ThreadID: r.ThreadID, TraceID: f.trace}
		_ = json.Unmarshal(e.Data, &ended.ToolCall) // as above
		return ended
	case domain.EventTurnWaiting:
		return TurnWaitingEvent{Type: TurnWaitingEventTypeTurnWaiting, SequenceNumber: e.Sequence, TurnID: r.ID, ThreadID: r.ThreadID, TraceID: f.trace}
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
