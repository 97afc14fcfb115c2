package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/page"
)

// ListMessages implements the call.
func (s Server) ListMessages(ctx context.Context, r ListMessagesRequestObject) (ListMessagesResponseObject, error) {
	filter := r.ThreadID.String()
	from := ports.Reading{Backwards: r.Params.Order != nil && *r.Params.Order == Desc}
	if from.Backwards {
		filter += " desc"
	}
	var err error
	if from.After, err = s.MessageCursors.Decode(ctx, filter, r.Params.Cursor); err != nil {
		return nil, err
	}
	limit := page.Limit(r.Params.Limit, defaultMessages)
	rows, err := s.Threads.Messages(ctx, r.ThreadID, from, limit+1)
	if err != nil {
		return nil, err
	}
	items, more := page.Cut(rows, limit)
	next, err := page.Next(ctx, s.MessageCursors, filter, items, more, func(m domain.Message) ports.MessagePosition {
		return ports.MessagePosition{Seq: m.Seq}
	})
	return messagePage{items, more, next}, err
}

// RateMessage implements the call. What a comment says is not for the audit log.
func (s Server) RateMessage(ctx context.Context, r RateMessageRequestObject) (RateMessageResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		user := call.From(ctx).Principal.UserID
		message, err := s.Rate.Do(ctx, r.MessageID, user, domain.Rating(r.Body.Rating), r.Body.Comment)
		return command.Outcome{
			Answer: RateMessage200JSONResponse(toMessage(message)).VisitRateMessageResponse,
			Audit: audit.Entry{
				Action: "message.rate", Resource: "message", ResourceID: r.MessageID,
				Changes: map[string]any{"thread_id": message.ThreadID, "rating": r.Body.Rating},
			},
		}, err
	})
	return stored{answer}, err
}

// ExportThread implements the call.
func (s Server) ExportThread(ctx context.Context, r ExportThreadRequestObject) (ExportThreadResponseObject, error) {
	export := threadExport{ctx: ctx, threads: s.Threads, thread: r.ThreadID}
	var err error // the first page is read before the answer begins, so that a refusal is an answer
	export.first, err = s.Threads.Messages(ctx, r.ThreadID, ports.Reading{}, exportPage)
	return export, err
}

// threadExport writes a thread page by page; between pages it holds no connection.
type threadExport struct {
	ctx     context.Context //nolint:containedctx // the generated Visit method has none
	threads ports.Threads
	thread  uuid.UUID
	first   []domain.Message
}

const exportPage = 100 // messages read at once

// VisitExportThreadResponse implements ExportThreadResponseObject.
func (e threadExport) VisitExportThreadResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/x-ndjson")
	var feed []byte // the line feed of the line before, written with the next: an export that breaks off ends without it
	for rows := e.first; ; {
		for _, row := range rows {
			line, err := json.Marshal(toMessage(row))
			if err != nil {
				return fmt.Errorf("encode the export: %w", err)
			}
			if _, err := w.Write(append(feed, line...)); err != nil {
				return fmt.Errorf("write the export: %w", err)
			}
			feed = []byte{'\n'}
		}
		if len(rows) < exportPage {
			_, err := w.Write(feed)
			return err
		}
		var err error
		from := ports.Reading{After: &ports.MessagePosition{Seq: rows[len(rows)-1].Seq}}
		if rows, err = e.threads.Messages(e.ctx, e.thread, from, exportPage); err != nil {
			return err
		}
	}
}
