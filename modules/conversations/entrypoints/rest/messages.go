package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/gateway"
	"github.com/parley/parley/platform/request/page"
)

// ListMessages lists the messages of a thread.
func (s Server) ListMessages(ctx context.Context, r ListMessagesRequestObject) (ListMessagesResponseObject, error) {
	branch, err := branchOf(r.Params.Branch)
	if err != nil {
		return nil, err
	}
	filter, backwards := filterOf(r.ThreadID, branch), r.Params.Order != nil && *r.Params.Order == Desc
	if backwards {
		filter += " desc"
	}
	p, err := page.List[domain.Message, ports.MessagePosition]{
		Name: "messages", Filter: filter, Limit: defaultMessages, Size: bytesOfMessage,
		Position: func(m domain.Message) ports.MessagePosition { return ports.MessagePosition{Seq: m.Seq} },
		Read: func(ctx context.Context, after *ports.MessagePosition, limit int) ([]domain.Message, error) {
			return s.Messages.Messages(ctx, r.ThreadID, ports.Reading{After: after, Backwards: backwards, Branch: branch}, limit)
		},
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return messagePage{p.Items, p.HasMore, p.NextCursor}, err
}

// bytesOfMessage returns how many bytes the texts of a message have.
func bytesOfMessage(m domain.Message) int {
	n := len(m.Content)
	if m.Feedback != nil {
		n += len(m.Feedback.Comment)
	}
	for _, a := range m.Attachments {
		n += bytesOfAttachment + len(a.Name) + len(a.MediaType)
	}
	for _, c := range m.Citations {
		citation, _ := json.Marshal(toCitation(c)) // ids, numbers and texts can be encoded
		n += len(citation) + spacesOfCitation
	}
	return n
}

// bytesOfAttachment is the size of an attachment in JSON without its texts.
const bytesOfAttachment = 128

// spacesOfCitation is by how much a citation may be longer as Postgres writes it.
const spacesOfCitation = 32

// RateMessage stores the user's feedback on an answer. The audit log does not contain the comment.
func (s Server) RateMessage(ctx context.Context, r RateMessageRequestObject) (RateMessageResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		user := callctx.From(ctx).Principal.UserID
		message, err := s.Rate.Do(ctx, r.MessageID, user, domain.Rating(r.Body.Rating), r.Body.Comment)
		return command.Outcome{
			Answer: RateMessage200JSONResponse(toMessage(message)).VisitRateMessageResponse,
			Audit: audit.Entry{
				Action: "message.rate", Resource: "message", ResourceID: r.MessageID,
				Changes: map[string]any{"thread_id": message.ThreadID, "rating": r.Body.Rating},
			},
			Erasable: true,
		}, err
	})
	return stored{answer}, err
}

func (s Server) ExportThread(ctx context.Context, r ExportThreadRequestObject) (ExportThreadResponseObject, error) {
	branch, err := branchOf(r.Params.Branch)
	if err != nil {
		return nil, err
	}
	export := &threadExport{ctx: ctx, messages: s.Messages, thread: r.ThreadID, branch: branch}
	// The first page is read before the response begins, so that an error can still be returned.
	export.first, err = export.read(nil)
	return export, err
}

// threadExport writes a thread page by page. It holds no connection between pages.
type threadExport struct {
	ctx      context.Context //nolint:containedctx // the generated Visit method has none
	messages ports.Messages
	thread   uuid.UUID
	branch   domain.Branch
	first    exportPage
}

// exportPage is the part of an export that is read and not yet written.
type exportPage struct {
	rows []domain.Message
	more bool
}

const exportRows = 100 // messages read at once, if they have not too many bytes

func (e *threadExport) read(after *ports.MessagePosition) (p exportPage, err error) {
	rows, err := e.messages.Messages(e.ctx, e.thread, ports.Reading{After: after, Branch: e.branch}, exportRows+1)
	if err != nil {
		return p, err
	}
	p.rows, p.more = page.CutBytes(rows, exportRows, bytesOfMessage)
	return p, nil
}

func (e *threadExport) VisitExportThreadResponse(w http.ResponseWriter) error {
	release, err := gateway.Hold(w, page.MaxBytes)
	if err != nil {
		return err
	}
	defer release()
	w.Header().Set("Content-Type", "application/x-ndjson")
	var feed []byte // the line feed of the previous line, written with the next: an interrupted export ends without it
	p := e.first
	for e.first.rows = nil; ; {
		for _, row := range p.rows {
			line, err := json.Marshal(toMessage(row))
			if err != nil {
				return fmt.Errorf("encode the export: %w", err)
			}
			if _, err := w.Write(append(feed, line...)); err != nil {
				return fmt.Errorf("write the export: %w", err)
			}
			feed = []byte{'\n'}
		}
		if !p.more {
			_, err := w.Write(feed)
			return err
		}
		if p, err = e.read(&ports.MessagePosition{Seq: p.rows[len(p.rows)-1].Seq}); err != nil {
			return err
		}
	}
}
