package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/botsdb"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/postgres"
)

// List implements ports.Shelf.
func (b *Bots) List(ctx context.Context, after *ports.BotPosition, limit int) ([]domain.Bot, error) {
	q, workspace := b.queries(ctx)
	params := botsdb.ListBotsParams{WorkspaceID: workspace, Count: int32(limit)}
	if after != nil {
		params.BeforeAt, params.BeforeID = &after.At, &after.ID
	}
	rows, err := q.ListBots(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list the bots: %w", err)
	}
	list := make([]domain.Bot, len(rows))
	for i, row := range rows {
		list[i] = domain.Bot{
			ID:             row.ID,
			WorkspaceID:    row.WorkspaceID,
			Name:           row.Name,
			Status:         domain.Status(row.Status),
			CurrentVersion: int(row.CurrentVersion),
			CreatedBy:      row.CreatedBy,
			CreatedAt:      row.CreatedAt,
			UpdatedAt:      row.UpdatedAt,
		}
	}
	return list, nil
}

// Versions implements ports.Shelf.
func (b *Bots) Versions(ctx context.Context, bot uuid.UUID, after *ports.VersionPosition, limit int) ([]domain.Version, error) {
	q, workspace := b.queries(ctx)
	params := botsdb.ListVersionsParams{WorkspaceID: workspace, BotID: bot, Count: int32(limit)}
	if after != nil {
		before := int32(after.Number)
		params.Before = &before
	}
	rows, err := q.ListVersions(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list the versions: %w", err)
	}
	if len(rows) == 0 && after == nil { // every bot has a version
		return nil, ports.ErrBotNotFound
	}
	list := make([]domain.Version, len(rows))
	for i, row := range rows {
		if list[i], err = toVersion(row); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Version implements ports.Shelf.
func (b *Bots) Version(ctx context.Context, bot uuid.UUID, number int) (domain.Version, error) {
	q, workspace := b.queries(ctx)
	row, err := q.GetVersion(ctx, botsdb.GetVersionParams{
		WorkspaceID: workspace, BotID: bot, Version: int32(number),
	})
	if postgres.IsMissing(err) {
		if exists, err := b.Exists(ctx, bot); err != nil || !exists {
			return domain.Version{}, notFoundUnless(err)
		}
		return domain.Version{}, ports.ErrVersionNotFound
	}
	if err != nil {
		return domain.Version{}, fmt.Errorf("read the version: %w", err)
	}
	return toVersion(row)
}

func notFoundUnless(err error) error {
	if err != nil {
		return err
	}
	return ports.ErrBotNotFound
}

func toVersion(row botsdb.BotVersion) (domain.Version, error) {
	content, err := domain.NewContent(row.Instruction, row.Settings)
	if err != nil {
		return domain.Version{}, fmt.Errorf("the stored version %d of %s breaks a rule: %w", row.Version, row.BotID, err)
	}
	return domain.Version{
		BotID: row.BotID, Number: int(row.Version), Content: content, CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt,
	}, nil
}
