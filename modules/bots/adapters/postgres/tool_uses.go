package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/botsdb"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/request/page"
)

func (t Tools) Hold(ctx context.Context, ids []uuid.UUID) ([]domain.UsableTool, error) {
	q, workspace := t.queries(ctx)
	rows, err := q.ShareTools(ctx, botsdb.ShareToolsParams{WorkspaceID: workspace, Ids: ids})
	if err != nil {
		return nil, fmt.Errorf("hold the tools: %w", err)
	}
	return page.Map(rows, func(row botsdb.ShareToolsRow) domain.UsableTool {
		return domain.UsableTool{ID: row.ID, Name: row.Name, CurrentVersion: int(row.CurrentVersion)}
	}), nil
}

func (t Tools) HoldOfBot(ctx context.Context, bot uuid.UUID) error {
	q, workspace := t.queries(ctx)
	if _, err := q.ShareToolsOfBot(ctx, botsdb.ShareToolsOfBotParams{WorkspaceID: workspace, BotID: bot}); err != nil {
		return fmt.Errorf("hold the tools of the bot: %w", err)
	}
	return nil
}

func (t Tools) Bots(ctx context.Context, tool uuid.UUID, limit int) (first []ports.UsingBot, total int64, err error) {
	q, workspace := t.queries(ctx)
	rows, err := q.ListBotsOfTool(ctx, botsdb.ListBotsOfToolParams{WorkspaceID: workspace, ToolID: tool, Count: int32(limit)})
	if err != nil {
		return nil, 0, fmt.Errorf("list the bots that use the tool: %w", err)
	}
	for _, row := range rows {
		first, total = append(first, ports.UsingBot{ID: row.BotID, Name: row.Name}), row.Total
	}
	return first, total, nil
}
