package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/call"
)

// readerPatience is how long a reader may take for what is written to it at once.
const readerPatience = 15 * time.Second

// errReaderGone says that the events cannot be written any more.
var errReaderGone = errors.New("rest: the reader of a stream is gone")

// frames writes events as server-sent ones.
type frames struct {
	w       http.ResponseWriter
	control *http.ResponseController
	trace   string
	begun   bool
}

func newFrames(w http.ResponseWriter, ctx context.Context) *frames { //nolint:revive // the writer is what it is about
	return &frames{w: w, control: http.NewResponseController(w), trace: call.From(ctx).TraceID}
}

// tell implements usecases.Teller: all that is new goes out in one piece.
func (f *frames) tell(r domain.Record, events []domain.Event) error {
	var out bytes.Buffer
	if len(events) == 0 {
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
	err := f.control.SetWriteDeadline(time.Now().Add(readerPatience))
	if err == nil {
		_, err = f.w.Write(out.Bytes())
	}
	if err == nil {
		err = f.control.Flush()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errReaderGone, err)
	}
	return nil
}

// data is what an event tells, in the form of the document's TurnEvent.
func (f *frames) data(r domain.Record, e domain.Event) any {
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
			Error: Error{Code: ErrorCode(r.Failure.Code), Message: r.Failure.Message, TraceID: f.trace},
		}
	}
}
