package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// List has a statement for each filter that has an index; the other filters narrow what it reads.
func (t *Threads) List(ctx context.Context, f ports.ThreadFilter, after *ports.ThreadPosition, limit int) ([]domain.Thread, error) {
	q, workspace := listQueries(ctx, t.db)
	var beforeAt *time.Time
	var beforeID *uuid.UUID
	if after != nil {
		beforeAt, beforeID = &after.At, &after.ID
	}
	status, count := (*string)(f.Status), int32(limit)
	switch {
	case f.Trial && (f.OwnerID != nil || f.EndpointID != nil):
		return nil, nil // trials are of no end user, and come in at no endpoint
	case f.Rating != nil:
		return toThreads(q.ListRatedThreads(ctx, conversationsdb.ListRatedThreadsParams{
			WorkspaceID: workspace, Rating: string(*f.Rating), Trial: f.Trial, OwnerID: f.OwnerID, EndpointID: f.EndpointID, BotID: f.BotID,
			Status: status, BeforeID: beforeID, Count: count,
		}))
	case f.Trial:
		return toThreads(q.ListTrialThreads(ctx, conversationsdb.ListTrialThreadsParams{
			WorkspaceID: workspace, BotID: f.BotID, Status: status, BeforeAt: beforeAt, BeforeID: beforeID, Count: count,
		}))
	case f.EndpointID != nil:
		return toThreads(q.ListThreadsOfEndpoint(ctx, conversationsdb.ListThreadsOfEndpointParams{
			WorkspaceID: workspace, EndpointID: *f.EndpointID, OwnerID: f.OwnerID, BotID: f.BotID, Status: status, BeforeAt: beforeAt, BeforeID: beforeID, Count: count,
		}))
	case f.OwnerID != nil:
		return toThreads(q.ListThreadsOfOwner(ctx, conversationsdb.ListThreadsOfOwnerParams{
			WorkspaceID: workspace, OwnerID: *f.OwnerID, BotID: f.BotID, Status: status, BeforeAt: beforeAt, BeforeID: beforeID, Count: count,
		}))
	case f.BotID != nil:
		return toThreads(q.ListThreadsOfBot(ctx, conversationsdb.ListThreadsOfBotParams{
			WorkspaceID: workspace, BotID: *f.BotID, Status: status, BeforeAt: beforeAt, BeforeID: beforeID, Count: count,
		}))
	default:
		return toThreads(q.ListThreads(ctx, conversationsdb.ListThreadsParams{
			WorkspaceID: workspace, Status: status, BeforeAt: beforeAt, BeforeID: beforeID, Count: count,
		}))
	}
}

// threadRow is a row of a thread, whichever statement read it.
type threadRow interface {
	conversationsdb.ListThreadsRow | conversationsdb.ListThreadsOfBotRow | conversationsdb.ListThreadsOfOwnerRow |
		conversationsdb.ListThreadsOfEndpointRow | conversationsdb.ListTrialThreadsRow | conversationsdb.ListRatedThreadsRow
}

func toThreads[R threadRow](rows []R, err error) ([]domain.Thread, error) {
	if err != nil {
		return nil, fmt.Errorf("list the threads: %w", err)
	}
	list := make([]domain.Thread, len(rows))
	for i, row := range rows {
		if list[i], err = toThread(conversationsdb.GetThreadRow(row)); err != nil {
			return nil, err
		}
	}
	return list, nil
}
