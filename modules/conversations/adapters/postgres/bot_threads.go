package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/data/postgres"
)

// BotThreads finds what bots have to do with threads.
type BotThreads struct{ DB *postgres.DB }

func (s BotThreads) LockTurns(ctx context.Context, bot uuid.UUID) (running []ports.RunningTurn, err error) {
	q, workspace := queries(ctx, s.DB)
	rows, err := q.StopTurnsOfBot(ctx, conversationsdb.StopTurnsOfBotParams{WorkspaceID: workspace, BotID: bot})
	if err != nil {
		return nil, fmt.Errorf("stop the turns of the bot: %w", err)
	}
	for _, row := range rows {
		running = append(running, ports.RunningTurn{TurnID: row.ID, ThreadID: row.ThreadID})
	}
	return running, nil
}

func (s BotThreads) Next(ctx context.Context, bot uuid.UUID, limit int) ([]uuid.UUID, error) {
	q, workspace := queries(ctx, s.DB)
	list, err := q.ThreadsOfBot(ctx, conversationsdb.ThreadsOfBotParams{WorkspaceID: workspace, BotID: bot, Count: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list the threads of the bot: %w", err)
	}
	return list, nil
}

func (s BotThreads) InTransaction(ctx context.Context, step func(ctx context.Context) error) error {
	return s.DB.Write(ctx, step)
}
