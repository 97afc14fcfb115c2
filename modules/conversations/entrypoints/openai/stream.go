package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/entrypoints/turnstream"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/request/gateway"
)

// silence is how long a stream waits for the first text before it begins with a comment.
const silence = 5 * time.Second

var (
	errRestarted = fail.New(fail.Unavailable, "DOWNSTREAM_UNAVAILABLE", "the answer broke off and begins again: send the call again").After(time.Second)
	errCut       = fail.New(fail.Unavailable, "DOWNSTREAM_UNAVAILABLE", "the stream broke off: send the call again").After(time.Second)
)

// chatStream is a response with the chunks of an answer.
type chatStream struct {
	server *Server
	ctx    context.Context //nolint:containedctx // the generated Visit method has none
	chat   chat
}

// VisitCreateChatCompletionResponse takes the turn and writes the chunks.
func (t chatStream) VisitCreateChatCompletionResponse(w http.ResponseWriter) error {
	return turnstream.Stream{
		Follow: &t.server.Follow, Access: t.server.Access, Thread: t.chat.turn.ThreadID, Cut: errCut,
		Run: t.server.taking(t.chat.asked),
		Open: func(ctx context.Context, h http.Header, start usecases.StreamStart) turnstream.Encoder {
			return &chunks{
				trace: callctx.From(ctx).TraceID, chat: t.chat, now: t.server.Now, started: t.server.Now(), header: h, replayed: start.Replayed,
			}
		},
	}.Write(t.ctx, w)
}

// chunks writes the events of a turn as chunks.
type chunks struct {
	trace    string
	header   http.Header
	chat     chat
	replayed bool
	now      func() time.Time
	started  time.Time
	said     markers // the text so far
	begun    bool    // the chunk with the role is written
	ended    bool    // the last event is written
}

var _ turnstream.Encoder = (*chunks)(nil)

// chunk is one event of the stream.
type chunk struct {
	ID      string        `json:"id"`
	Object  string        `json:"object"`
	Created int64         `json:"created"`
	Model   string        `json:"model"`
	Choices []chunkChoice `json:"choices"`
	Usage   *ChatUsage    `json:"usage,omitempty"`
}

type chunkChoice struct {
	Index        int                     `json:"index"`
	Delta        delta                   `json:"delta"`
	Logprobs     *struct{}               `json:"logprobs"`
	FinishReason *ChatChoiceFinishReason `json:"finish_reason"`
}

type delta struct {
	Role        string           `json:"role,omitempty"`
	Content     *string          `json:"content,omitempty"`
	Annotations []ChatAnnotation `json:"annotations,omitempty"`
}

// KeepAlive writes a comment, once the stream has begun or the silence was long.
func (c *chunks) KeepAlive(out *bytes.Buffer, r domain.TurnView) {
	if c.begun || c.now().Sub(c.started) >= silence {
		c.begin(out, r)
		out.WriteString(": still here\n\n")
	}
}

// Ended reports whether the last event is written.
func (c *chunks) Ended() bool { return c.ended }

// begin writes the chunk with the role, before all others.
func (c *chunks) begin(out *bytes.Buffer, r domain.TurnView) {
	if c.begun {
		return
	}
	c.begun = true
	c.chat.setHeaders(c.header, r, c.replayed)
	c.add(out, r, delta{Role: "assistant", Content: new(string)}, nil)
}

// Event writes one event.
func (c *chunks) Event(out *bytes.Buffer, r domain.TurnView, e domain.Event) error {
	switch e.Type {
	case domain.EventMessageCreated:
		if c.said.text.Len() > 0 {
			return errRestarted
		}
	case domain.EventMessageDelta:
		c.begin(out, r)
		c.said.text.WriteString(e.Text)
		c.add(out, r, delta{Content: &e.Text}, nil)
	case domain.EventCitation:
		var citation domain.Citation
		if err := json.Unmarshal(e.Data, &citation); err != nil {
			return fmt.Errorf("read a citation: %w", err)
		}
		c.begin(out, r)
		c.add(out, r, delta{Annotations: []ChatAnnotation{c.said.annotate(citation)}}, nil)
	case domain.EventTurnFailed:
		return failureOf(r)
	case domain.EventTurnCompleted, domain.EventTurnCancelled:
		c.end(out, r)
	default: // the clients know no such event
	}
	return nil
}

// end writes the last events.
func (c *chunks) end(out *bytes.Buffer, r domain.TurnView) {
	c.begin(out, r)
	why := finishReason(r.FinishReason)
	c.add(out, r, delta{}, &why)
	if c.chat.includeUsage {
		usage := c.chat.usage(r.Usage)
		last := c.chunk(r)
		last.Usage = &usage
		put(out, last)
	}
	out.WriteString("data: [DONE]\n\n")
	c.ended = true
}

func (c *chunks) chunk(r domain.TurnView) chunk {
	return chunk{ID: completionID(r), Object: "chat.completion.chunk", Created: r.CreatedAt.Unix(), Model: c.chat.model, Choices: []chunkChoice{}}
}

func (c *chunks) add(out *bytes.Buffer, r domain.TurnView, d delta, why *ChatChoiceFinishReason) {
	next := c.chunk(r)
	next.Choices = []chunkChoice{{Delta: d, FinishReason: why}}
	put(out, next)
}

func put(out *bytes.Buffer, event any) {
	data, _ := json.Marshal(event) // texts and numbers can be encoded
	fmt.Fprintf(out, "data: %s\n\n", data)
}

// Fail writes an error as the last event.
func (c *chunks) Fail(out *bytes.Buffer, why *fail.Error) {
	put(out, gateway.OpenAIErrorOf(c.chat.failure(why), c.trace))
}

// failureOf returns the error of a turn that has failed.
func failureOf(r domain.TurnView) error {
	if r.Failure == nil {
		return fail.ErrInternal
	}
	kind := fail.Invalid
	switch r.Failure.Code {
	case "DOWNSTREAM_UNAVAILABLE":
		kind = fail.Unavailable
	case "LIMIT_REACHED", "EMAIL_NOT_VERIFIED":
		kind = fail.Forbidden
	case "INTERNAL_ERROR":
		kind = fail.Internal
	}
	e := fail.New(kind, r.Failure.Code, r.Failure.Message)
	if kind == fail.Unavailable {
		return e.After(time.Second)
	}
	return e
}
