package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/fail"
)

func (s *Turns) Busy(ctx context.Context, thread uuid.UUID) (turn uuid.UUID, waiting bool, err error) {
	q, workspace := queries(ctx, s.db)
	row, err := q.FindRunningTurn(ctx, conversationsdb.FindRunningTurnParams{WorkspaceID: workspace, ThreadID: thread})
	if postgres.IsMissing(err) {
		return uuid.Nil, false, nil
	}
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("find the running turn: %w", err)
	}
	return row.ID, row.Waiting, nil
}

// errAbandoned is the error of a turn that was given up. Webhook subscribers receive it.
var errAbandoned = fail.New(fail.Internal, "INTERNAL_ERROR", "the turn did not live to its answer: send the message as a new operation")

// Free ends a turn in a transaction of its own, which commits before it returns.
func (s *Turns) Free(ctx context.Context, thread uuid.UUID, ago time.Duration, why string) (bool, error) {
	err := s.db.Write(ctx, func(ctx context.Context) error {
		q, workspace := queries(ctx, s.db)
		row, err := q.FreeThread(ctx, conversationsdb.FreeThreadParams{
			WorkspaceID: workspace, ThreadID: thread, Error: &why, AfterSeconds: ago.Seconds(),
		})
		if err != nil {
			return err
		}
		t := domain.Turn{
			ID: row.ID, ThreadID: thread, OperationID: row.OperationID, Trial: row.Trial, Attempt: int(row.Attempt),
			Channel: toChannel(row.EndpointID, row.ConversationID), Asked: domain.ModelName{Provider: row.Provider, Name: row.Model},
		}
		if row.BotID != nil {
			t.Pinned = &domain.Pinned{BotID: *row.BotID, Version: int(*row.BotVersion)}
		}
		return s.events.TurnFailed(ctx, t, domain.Reply{}, errAbandoned)
	})
	if postgres.IsMissing(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("free the thread: %w", err)
	}
	return true, nil
}

func (s *Turns) Abandoned(ctx context.Context, limit int) ([]ports.Abandoned, error) {
	rows, err := conversationsdb.New(s.db.In(ctx)).AbandonedTurns(ctx, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("look for abandoned turns: %w", err)
	}
	list := make([]ports.Abandoned, len(rows))
	for i, r := range rows {
		list[i] = ports.Abandoned{
			WorkspaceID: r.WorkspaceID, ThreadID: r.ThreadID, ActorID: r.ActorID, OperationID: r.OperationID, Attempt: int(r.Attempt),
		}
	}
	return list, nil
}

// CountAbandoned counts the turns of all workspaces whose lease has run out, at most limit of them.
func CountAbandoned(ctx context.Context, db *postgres.DB, limit int) (int, error) {
	n, err := conversationsdb.New(db.In(ctx)).CountAbandonedTurns(ctx, int32(limit))
	if err != nil {
		return 0, fmt.Errorf("count abandoned turns: %w", err)
	}
	return int(n), nil
}
