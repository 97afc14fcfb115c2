package aisdk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/entrypoints/turnstream"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/fail"
)

var errCut = fail.New(fail.Unavailable, "DOWNSTREAM_UNAVAILABLE", "the stream broke off: resume it").After(time.Second)

// chatStream is a response with the parts of an answer.
type chatStream struct {
	server *Server
	ctx    context.Context //nolint:containedctx // the generated Visit methods have none
	thread uuid.UUID
	run    func(ctx context.Context, read usecases.Reader) error // runs or finds the turn and calls read
}

func (s Server) stream(ctx context.Context, thread uuid.UUID, run func(context.Context, usecases.Reader) error) chatStream {
	return chatStream{server: &s, ctx: ctx, thread: thread, run: run}
}

// VisitSendAISDKMessageResponse writes the parts.
func (t chatStream) VisitSendAISDKMessageResponse(w http.ResponseWriter) error { return t.write(w) }

// VisitResumeAISDKStreamResponse writes the parts.
func (t chatStream) VisitResumeAISDKStreamResponse(w http.ResponseWriter) error { return t.write(w) }

// write writes the parts of a turn from its beginning. The turn goes on when the client goes away.
func (t chatStream) write(w http.ResponseWriter) error {
	operation := callctx.From(t.ctx).Operation.ID.String()
	return turnstream.Stream{
		Follow: &t.server.Follow, Access: t.server.Access, Thread: t.thread, Cut: errCut, Run: t.run,
		Open: func(ctx context.Context, h http.Header, start usecases.StreamStart) turnstream.Encoder {
			h.Set("X-Vercel-Ai-Ui-Message-Stream", "v1")
			h.Set("X-Operation-Id", operation)
			if start.Replayed {
				h.Set(command.HeaderReplayed, "true")
			}
			return &parts{endUser: callctx.From(ctx).Principal.EndUser != nil}
		},
	}.Write(t.ctx, w)
}

// parts writes the events of a turn as parts of a message.
type parts struct {
	endUser bool // the reader is an end user
	text    int  // number of the part of text that is open, from 1; 0: none is
	texts   int  // parts of text so far
	cited   map[string]bool
	begun   bool // the first part is written
	ended   bool // the last part is written
}

var _ turnstream.Encoder = (*parts)(nil)

// part is a part of the stream; what is empty is left out.
type part struct {
	Type             string         `json:"type"`
	MessageID        string         `json:"messageId,omitempty"`
	MessageMetadata  any            `json:"messageMetadata,omitempty"`
	ID               string         `json:"id,omitempty"`
	Delta            string         `json:"delta,omitempty"`
	Data             any            `json:"data,omitempty"`
	SourceID         string         `json:"sourceId,omitempty"`
	MediaType        string         `json:"mediaType,omitempty"`
	Title            string         `json:"title,omitempty"`
	ProviderMetadata map[string]any `json:"providerMetadata,omitempty"`
	ErrorText        string         `json:"errorText,omitempty"`
	ToolCallID       string         `json:"toolCallId,omitempty"`
	ToolName         string         `json:"toolName,omitempty"`
	Input            any            `json:"input,omitempty"`
	Output           any            `json:"output,omitempty"`
	ProviderExecuted bool           `json:"providerExecuted,omitempty"`
	Dynamic          bool           `json:"dynamic,omitempty"`
}

// KeepAlive writes a comment.
func (p *parts) KeepAlive(out *bytes.Buffer, _ domain.TurnView) { out.WriteString(": still here\n\n") }

// Ended reports whether the last part is written.
func (p *parts) Ended() bool { return p.ended }

// Event writes one event. A second attempt at the answer is a step of its own, after a part data-attempt: the protocol
// takes nothing back.
func (p *parts) Event(out *bytes.Buffer, r domain.TurnView, e domain.Event) error {
	switch e.Type {
	case domain.EventTurnCreated:
		if !p.begun {
			p.begun, p.cited = true, map[string]bool{}
			put(out, part{Type: "start", MessageID: domain.AnswerID(r.ID).String(), MessageMetadata: map[string]any{"thread_id": r.ThreadID, "turn_id": r.ID}})
			put(out, part{Type: "start-step"})
		}
	case domain.EventMessageCreated:
		if p.texts > 0 {
			p.endText(out)
			put(out, part{Type: "finish-step"})
			put(out, part{Type: "data-attempt", ID: "attempt", Data: map[string]int{"attempt": r.Attempt}})
			put(out, part{Type: "start-step"})
		}
	case domain.EventMessageDelta:
		if p.text == 0 {
			p.texts++
			p.text = p.texts
			put(out, part{Type: "text-start", ID: p.textID()})
		}
		put(out, part{Type: "text-delta", ID: p.textID(), Delta: e.Text})
	case domain.EventCitation:
		var citation domain.Citation
		if err := json.Unmarshal(e.Data, &citation); err != nil {
			return fmt.Errorf("read a citation: %w", err)
		}
		p.cite(out, citation)
	case domain.EventToolCall, domain.EventToolResult:
		return p.tool(out, e)
	case domain.EventMessageCompleted:
		p.endText(out)
		for _, citation := range r.Answer.Citations {
			p.cite(out, citation)
		}
	case domain.EventTurnFailed:
		p.end(out, p.failure(fail.New(fail.Invalid, r.Failure.Code, r.Failure.Message)))
	case domain.EventTurnCancelled:
		p.end(out, part{Type: "abort"})
	case domain.EventTurnCompleted:
		p.endText(out)
		put(out, part{Type: "finish-step"})
		p.end(out, part{Type: "finish"})
	default: // the protocol knows no such part
	}
	return nil
}

func (p *parts) textID() string { return fmt.Sprintf("text-%d", p.text) }

func (p *parts) endText(out *bytes.Buffer) {
	if p.text > 0 {
		put(out, part{Type: "text-end", ID: p.textID()})
		p.text = 0
	}
}

// tool writes a call of a tool that the bot has made, or how it has ended; to end users nothing, as it is of the bot. What the tool has
// answered is for the model.
func (p *parts) tool(out *bytes.Buffer, e domain.Event) error {
	if p.endUser {
		return nil
	}
	var call struct {
		ID        string                `json:"id"`
		Name      string                `json:"name"`
		Status    domain.ToolCallStatus `json:"status"`
		Arguments any                   `json:"arguments"`
	}
	if err := json.Unmarshal(e.Data, &call); err != nil {
		return fmt.Errorf("read a call of a tool: %w", err)
	}
	p.endText(out)
	next := part{ToolCallID: call.ID, ProviderExecuted: true, Dynamic: true}
	switch {
	case e.Type == domain.EventToolCall:
		next.Type, next.ToolName, next.Input = "tool-input-available", call.Name, call.Arguments
	case call.Status == domain.CallSucceeded:
		next.Type, next.Output = "tool-output-available", map[string]any{"status": call.Status}
	default:
		next.Type, next.ErrorText = "tool-output-error", "the call is "+string(call.Status)
	}
	put(out, next)
	return nil
}

// cite writes a source, once.
func (p *parts) cite(out *bytes.Buffer, c domain.Citation) {
	id := fmt.Sprintf("%d-%d-%d", c.Number, c.Start, c.End) // an answer can cite several places of one source
	if p.cited[id] {
		return
	}
	p.cited[id] = true
	put(out, part{
		Type: "source-document", SourceID: id, MediaType: "text/plain", Title: c.Title,
		ProviderMetadata: map[string]any{"parley": map[string]any{
			"number": c.Number, "document_id": c.DocumentID, "page": c.Page, "start": c.Start, "end": c.End, "quote": c.Quote,
		}},
	})
}

// end writes the last part.
func (p *parts) end(out *bytes.Buffer, last part) {
	p.endText(out)
	put(out, last)
	out.WriteString("data: [DONE]\n\n")
	p.ended = true
}

// failure returns an error as the reader receives it: to end users it says nothing of models and settings.
func (p *parts) failure(e *fail.Error) part {
	if p.endUser {
		e = e.ForEndUser()
	}
	return part{Type: "error", ErrorText: e.Message}
}

func put(out *bytes.Buffer, next part) {
	data, _ := json.Marshal(next) // texts and numbers can be encoded
	fmt.Fprintf(out, "data: %s\n\n", data)
}

// Fail writes an error as the last part.
func (p *parts) Fail(out *bytes.Buffer, why *fail.Error) { p.end(out, p.failure(why)) }
