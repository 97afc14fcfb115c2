package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/data/postgres"
)

var _ ports.Bots = Bots{}

// Bots finds bots by what callers name them.
type Bots struct{ DB *postgres.DB }

func (s Bots) List(ctx context.Context, limit int) ([]ports.Bot, error) {
	q, workspace := listQueries(ctx, s.DB)
	rows, err := q.ListBotNames(ctx, conversationsdb.ListBotNamesParams{WorkspaceID: workspace, MaxRows: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list the bots: %w", err)
	}
	list := make([]ports.Bot, len(rows))
	for i, row := range rows {
		list[i] = ports.Bot{ID: row.BotID, Name: row.Name, CreatedAt: row.CreatedAt}
	}
	return list, nil
}

func (s Bots) ByID(ctx context.Context, id uuid.UUID, version *int, published bool) (ports.Bot, error) {
	q, workspace := queries(ctx, s.DB)
	row, err := q.FindBotByID(ctx, conversationsdb.FindBotByIDParams{
		WorkspaceID: workspace, BotID: id, Version: toInt32(version), PublishedOnly: published,
	})
	if postgres.IsMissing(err) {
		return ports.Bot{}, ports.ErrNoSuchModel
	}
	if err != nil {
		return ports.Bot{}, fmt.Errorf("find the bot: %w", err)
	}
	return ports.Bot{ID: row.BotID, Name: row.Name, CreatedAt: row.CreatedAt}, nil
}

func (s Bots) CheckTrial(ctx context.Context, id uuid.UUID, version int) error {
	q, workspace := queries(ctx, s.DB)
	row, err := q.FindVersionToTry(ctx, conversationsdb.FindVersionToTryParams{WorkspaceID: workspace, BotID: id, Version: int32(version)})
	switch {
	case postgres.IsMissing(err):
		return ports.ErrBotNotFound
	case err != nil:
		return fmt.Errorf("find the version: %w", err)
	case !row.Found:
		return ports.ErrVersionNotFound
	case row.Archived:
		return ports.ErrBotArchived
	}
	return nil
}

func (s Bots) ByName(ctx context.Context, name string) (ports.Bot, error) {
	q, workspace := queries(ctx, s.DB)
	rows, err := q.FindBotsByName(ctx, conversationsdb.FindBotsByNameParams{WorkspaceID: workspace, Name: name})
	if err != nil {
		return ports.Bot{}, fmt.Errorf("find the bot: %w", err)
	}
	if len(rows) != 1 {
		return ports.Bot{}, ports.ErrNoSuchModel
	}
	return ports.Bot{ID: rows[0].BotID, Name: rows[0].Name, CreatedAt: rows[0].CreatedAt}, nil
}
