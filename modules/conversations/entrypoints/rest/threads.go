package rest

import (
	"context"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// ListThreads lists the threads of the workspace, newest first.
func (s Server) ListThreads(ctx context.Context, r ListThreadsRequestObject) (ListThreadsResponseObject, error) {
	f := ports.ThreadFilter{
		BotID: r.Params.BotID, OwnerID: r.Params.EndUserID, Status: (*domain.ThreadStatus)(r.Params.Status), Trial: r.Params.Trial != nil && *r.Params.Trial,
		EndpointID: r.Params.EndpointID, Rating: (*domain.Rating)(r.Params.Rating),
	}
	if caller := callctx.From(ctx).Principal; caller.Own && f.OwnerID == nil {
		f.OwnerID = &caller.UserID
	}
	mapped := func(t domain.Thread) Thread { return threadFor(ctx, t) }
	p, err := page.List[domain.Thread, ports.ThreadPosition]{
		Name: "threads", Filter: f, Size: func(t domain.Thread) int { return len(t.Title) + len(t.Metadata) },
		Position: func(t domain.Thread) ports.ThreadPosition { return ports.ThreadPosition{At: t.CreatedAt, ID: t.ID} },
		Read: func(ctx context.Context, after *ports.ThreadPosition, limit int) ([]domain.Thread, error) {
			return s.Threads.List(ctx, f, after, limit)
		},
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListThreads200JSONResponse{Items: page.Map(p.Items, mapped), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

func (s Server) ChangeThread(ctx context.Context, r ChangeThreadRequestObject) (ChangeThreadResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		for field, sent := range map[string]bool{"metadata": r.Body.Metadata != nil, "variables": r.Body.Variables != nil} {
			if err := checkBusiness(ctx, field, sent); err != nil {
				return command.Outcome{}, err
			}
		}
		thread, err := s.Change.Do(ctx, r.ThreadID, ports.ThreadChanges{
			Title: r.Body.Title, Metadata: r.Body.Metadata, Status: (*domain.ThreadStatus)(r.Body.Status), Current: r.Body.CurrentTurnID,
			Variables: r.Body.Variables,
		})
		return command.Outcome{
			Answer:   ChangeThread200JSONResponse(threadFor(ctx, thread)).VisitChangeThreadResponse,
			Audit:    audit.Entry{Action: "thread.change", Resource: "thread", ResourceID: r.ThreadID, Changes: threadChanges(r.Body)},
			Erasable: true,
		}, err
	})
	return stored{answer}, err
}

// threadChanges returns the changes for the audit log. Of the title and the metadata, which may contain anything, it only says that
// they changed: no row of the log can be erased.
func threadChanges(body *ChangeThreadRequest) map[string]any {
	changes := map[string]any{}
	if body.Title != nil {
		changes["title"] = "changed"
	}
	if body.Status != nil {
		changes["status"] = *body.Status
	}
	if body.CurrentTurnID != nil {
		changes["current_turn_id"] = *body.CurrentTurnID
	}
	if body.Metadata != nil {
		changes["metadata"] = "changed"
	}
	if body.Variables != nil {
		changes["variables"] = "changed"
	}
	return changes
}
