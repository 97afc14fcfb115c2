package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/entrypoints/turnstream"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/request/gateway"
)

// An event of a turn becomes up to eventSpan events of a response. The sequence number of these is that of the turn's event,
// counted from 0, times eventSpan, and their place: it is known without the events before it, in every process.
const eventSpan = 4

// numberOf returns the sequence number of an event that an event of a turn has become.
func numberOf(e domain.Event, place int64) int64 { return (e.Sequence-1)*eventSpan + place }

// positionAt returns the position in the turn of a reader who has received the event of a response with a number: before
// the turn's event if that has become more.
func positionAt(number int64) int64 {
	if number < 0 {
		return 0
	}
	position := number / eventSpan
	if number%eventSpan == eventSpan-1 {
		position++
	}
	return position
}

// responseStream is a response with the events of an answer.
type responseStream struct {
	server *Server
	ctx    context.Context //nolint:containedctx // the generated Visit methods have none
	call   responseCall
	at     int64             // the sequence number of the last event that the reader has; negative: none
	said   string            // the text that the reader has
	cited  []domain.Citation // that the reader has
	early  bool              // the stream begins before the first text
	run    func(ctx context.Context, read usecases.Reader) error
}

type (
	createdStream struct{ responseStream }
	gottenStream  struct{ responseStream }
)

// VisitCreateResponseResponse writes the events.
func (t createdStream) VisitCreateResponseResponse(w http.ResponseWriter) error { return t.write(w) }

// VisitGetResponseResponse writes the events.
func (t gottenStream) VisitGetResponseResponse(w http.ResponseWriter) error { return t.write(w) }

// found lets a turn be read that exists.
func found(turn uuid.UUID) func(context.Context, usecases.Reader) error {
	return func(ctx context.Context, read usecases.Reader) error {
		return read(context.WithoutCancel(ctx), usecases.StreamStart{Turn: turn})
	}
}

func (t responseStream) write(w http.ResponseWriter) error {
	err := turnstream.Stream{
		Follow: &t.server.Follow, Access: t.server.Access, Thread: t.call.turn.ThreadID, Position: positionAt(t.at), Cut: errCut, Run: t.run,
		Open: func(ctx context.Context, h http.Header, start usecases.StreamStart) turnstream.Encoder {
			return newResponseEvents(t, callctx.From(ctx).TraceID, h, start.Replayed)
		},
	}.Write(t.ctx, w)
	if errors.Is(err, usecases.ErrNoSuchEvent) {
		return wrong("starting_after", "NOT_ALLOWED", "must be the sequence_number of an event of this response")
	}
	return err
}

// responseEvents writes the events of a turn as those of a response.
type responseEvents struct {
	responseStream
	trace    string
	header   http.Header
	replayed bool
	now      func() time.Time
	started  time.Time

	text        markers // so far
	annotations []ResponseAnnotation
	last        int64 // the sequence number of the last event
	anew        bool  // the reader has a text that may be void
	begun       bool  // the first events are written
	ended       bool  // the last event is written
}

var _ turnstream.Encoder = (*responseEvents)(nil)

// errStale is returned to a reader of an earlier attempt.
var errStale = wrong("starting_after", "NOT_ALLOWED", "must be left out: the answer broke off and has begun again")

// firstOfText is the sequence number of the first event of a text, within an attempt.
const firstOfText = 3

func newResponseEvents(t responseStream, trace string, h http.Header, replayed bool) *responseEvents {
	e := &responseEvents{
		responseStream: t, trace: trace, header: h, replayed: replayed, now: t.server.Now, started: t.server.Now(), last: t.at,
		anew: positionAt(t.at)%domain.AttemptSpan >= firstOfText, annotations: []ResponseAnnotation{},
	}
	e.text.text.WriteString(t.said)
	for _, c := range t.cited {
		e.cite(c)
	}
	return e
}

// responseEvent is an event of the stream; what is empty is left out.
type responseEvent struct {
	Type            string              `json:"type"`
	Sequence        int64               `json:"sequence_number"`
	Response        *OpenAIResponse     `json:"response,omitempty"`
	OutputIndex     *int                `json:"output_index,omitempty"`
	ItemID          string              `json:"item_id,omitempty"`
	ContentIndex    *int                `json:"content_index,omitempty"`
	AnnotationIndex *int                `json:"annotation_index,omitempty"`
	Item            *ResponseMessage    `json:"item,omitempty"`
	Part            *ResponseText       `json:"part,omitempty"`
	Annotation      *ResponseAnnotation `json:"annotation,omitempty"`
	Delta           *string             `json:"delta,omitempty"`
	Text            *string             `json:"text,omitempty"`
	Logprobs        *[]map[string]any   `json:"logprobs,omitempty"`
}

// KeepAlive writes a comment, once the stream has begun or the silence was long.
func (e *responseEvents) KeepAlive(out *bytes.Buffer, t domain.TurnView) {
	if e.early || e.begun || e.now().Sub(e.started) >= silence {
		e.begin(out, t)
		out.WriteString(": still here\n\n")
	}
}

// Ended reports whether the last event is written.
func (e *responseEvents) Ended() bool { return e.ended }

// Event writes an event of the turn.
func (e *responseEvents) Event(out *bytes.Buffer, t domain.TurnView, event domain.Event) error {
	switch event.Type {
	case domain.EventMessageCreated:
		if e.anew && e.early {
			return errStale
		}
		if e.anew || e.text.text.Len() > 0 {
			return errRestarted
		}
	case domain.EventMessageDelta:
		e.begin(out, t)
		e.text.text.WriteString(event.Text)
		e.put(out, numberOf(event, eventSpan-1), e.ofText(t, responseEvent{Type: "response.output_text.delta", Delta: &event.Text, Logprobs: new([]map[string]any{})}))
	case domain.EventCitation:
		var citation domain.Citation
		if err := json.Unmarshal(event.Data, &citation); err != nil {
			return fmt.Errorf("read a citation: %w", err)
		}
		e.begin(out, t)
		annotation, at := e.cite(citation)
		e.put(out, numberOf(event, eventSpan-1), e.ofText(t, responseEvent{Type: "response.output_text.annotation.added", Annotation: &annotation, AnnotationIndex: &at}))
	case domain.EventTurnFailed:
		if !e.early && !e.begun {
			return failureOf(t)
		}
		e.begin(out, t)
		e.end(out, t, event, "response.failed")
	case domain.EventTurnCompleted, domain.EventTurnCancelled:
		e.begin(out, t)
		e.complete(out, t, event)
	default: // the clients know no such event
	}
	return nil
}

// cite returns a citation of the text so far, and its place among the annotations.
func (e *responseEvents) cite(c domain.Citation) (annotation ResponseAnnotation, at int) {
	annotation, at = toResponseAnnotation(e.text.annotate(c)), len(e.annotations)
	e.annotations = append(e.annotations, annotation)
	return annotation, at
}

// begin writes the events before the text.
func (e *responseEvents) begin(out *bytes.Buffer, t domain.TurnView) {
	if e.begun {
		return
	}
	e.begun = true
	e.call.setHeaders(e.header, t, e.replayed)
	running := t
	running.Status, running.Answer = domain.TurnRunning, nil
	response := e.call.response(running)
	first := domain.Event{Sequence: int64(t.Attempt-1)*domain.AttemptSpan + 1}
	item := ResponseMessage{ID: messageID(t), Type: "message", Status: stateInProgress, Role: "assistant", Content: []ResponseText{}}
	part := toResponseText("", []ResponseAnnotation{})
	for place, event := range []responseEvent{
		{Type: "response.created", Response: &response},
		{Type: "response.in_progress", Response: &response},
		{Type: "response.output_item.added", OutputIndex: new(int), Item: &item},
		e.ofText(t, responseEvent{Type: "response.content_part.added", Part: &part}),
	} {
		e.put(out, numberOf(first, int64(place)), event)
	}
}

// complete writes the events after the text.
func (e *responseEvents) complete(out *bytes.Buffer, t domain.TurnView, event domain.Event) {
	response, text := e.call.response(t), e.text.text.String()
	part := toResponseText(text, e.annotations)
	if len(response.Output) > 0 { // the stored answer has all citations
		part, text = response.Output[0].Content[0], response.Output[0].Content[0].Text
	}
	item := toResponseMessage(t, part.Text, part.Annotations)
	for place, done := range []responseEvent{
		e.ofText(t, responseEvent{Type: "response.output_text.done", Text: &text, Logprobs: new([]map[string]any{})}),
		e.ofText(t, responseEvent{Type: "response.content_part.done", Part: &part}),
		{Type: "response.output_item.done", OutputIndex: new(int), Item: &item},
	} {
		e.put(out, numberOf(event, int64(place)), done)
	}
	kind := "response.completed"
	if response.Status != stateCompleted {
		kind = "response.incomplete"
	}
	e.end(out, t, event, kind)
}

// end writes the last event.
func (e *responseEvents) end(out *bytes.Buffer, t domain.TurnView, event domain.Event, kind string) {
	response := e.call.response(t)
	e.put(out, numberOf(event, eventSpan-1), responseEvent{Type: kind, Response: &response})
	e.ended = true
}

// ofText returns an event about the text of the answer.
func (e *responseEvents) ofText(t domain.TurnView, event responseEvent) responseEvent {
	event.ItemID, event.OutputIndex, event.ContentIndex = messageID(t), new(int), new(int)
	return event
}

// put writes an event, unless the reader has it.
func (e *responseEvents) put(out *bytes.Buffer, number int64, event responseEvent) {
	if number <= e.at {
		return
	}
	event.Sequence, e.last = number, number
	data, _ := json.Marshal(event) // texts and numbers can be encoded
	fmt.Fprintf(out, "event: %s\ndata: %s\n\n", event.Type, data)
}

// Fail writes an error as the last event.
func (e *responseEvents) Fail(out *bytes.Buffer, why *fail.Error) {
	body := gateway.OpenAIErrorOf(e.call.failure(why), e.trace).Error
	data, _ := json.Marshal(struct {
		Type     string  `json:"type"`
		Code     string  `json:"code"`
		Message  string  `json:"message"`
		Param    *string `json:"param"`
		Sequence int64   `json:"sequence_number"`
	}{"error", body.Code, body.Message, body.Param, e.last})
	fmt.Fprintf(out, "event: error\ndata: %s\n\n", data)
}
