package rest

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/page"
)

// ListThreads implements the call.
func (s Server) ListThreads(ctx context.Context, r ListThreadsRequestObject) (ListThreadsResponseObject, error) {
	f := ports.ThreadFilter{BotID: r.Params.BotID, Status: (*domain.ThreadStatus)(r.Params.Status)}
	filter, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode the filter: %w", err)
	}
	after, err := s.ThreadCursors.Decode(ctx, string(filter), r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	limit := page.Limit(r.Params.Limit, defaultThreads)
	rows, err := s.Threads.List(ctx, f, after, limit+1)
	if err != nil {
		return nil, err
	}
	items, more := page.CutBytes(rows, limit, func(t domain.Thread) int { return len(t.Title) + len(t.Metadata) })
	next, err := page.Next(ctx, s.ThreadCursors, string(filter), items, more, func(t domain.Thread) ports.ThreadPosition {
		return ports.ThreadPosition{At: t.CreatedAt, ID: t.ID}
	})
	return ListThreads200JSONResponse{Items: page.Map(items, toThread), HasMore: more, NextCursor: next}, err
}

// ChangeThread implements the call.
func (s Server) ChangeThread(ctx context.Context, r ChangeThreadRequestObject) (ChangeThreadResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		thread, err := s.Change.Do(ctx, r.ThreadID, ports.ThreadChanges{
			Title: r.Body.Title, Metadata: r.Body.Metadata, Status: (*domain.ThreadStatus)(r.Body.Status),
		})
		return command.Outcome{
			Answer: ChangeThread200JSONResponse(toThread(thread)).VisitChangeThreadResponse,
			Audit:  audit.Entry{Action: "thread.change", Resource: "thread", ResourceID: r.ThreadID, Changes: threadChanges(r.Body)},
		}, err
	})
	return stored{answer}, err
}

// threadChanges are what the audit log is told: of the metadata, which may hold anything, only that they changed.
func threadChanges(body *ChangeThreadRequest) map[string]any {
	changes := map[string]any{}
	if body.Title != nil {
		changes["title"] = *body.Title
	}
	if body.Status != nil {
		changes["status"] = *body.Status
	}
	if body.Metadata != nil {
		changes["metadata"] = "changed"
	}
	return changes
}
