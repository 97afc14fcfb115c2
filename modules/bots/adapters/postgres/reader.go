package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/botsdb"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/page"
)

func (b *Bots) List(ctx context.Context, f ports.BotFilter, after *ports.BotPosition, limit int) ([]domain.Bot, error) {
	params := botsdb.ListBotsParams{WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Count: int32(limit), NamePart: f.NamePart, Status: (*string)(f.Status)}
	if after != nil {
		params.BeforeAt, params.BeforeID = &after.At, &after.ID
	}
	rows, err := botsdb.New(b.db.InList(ctx)).ListBots(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list the bots: %w", err)
	}
	return page.Map(rows, toBot), nil
}

func (b *Bots) Versions(ctx context.Context, bot uuid.UUID, after *ports.VersionPosition, limit int) ([]domain.Version, error) {
	q, workspace := b.queries(ctx)
	params := botsdb.ListVersionsParams{WorkspaceID: workspace, BotID: bot, Count: int32(limit), MaxBytes: page.MaxBytes}
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
	return page.Map(rows, toVersion), nil
}

func (b *Bots) Version(ctx context.Context, bot uuid.UUID, number int) (domain.Version, error) {
	v, _, err := b.Pair(ctx, bot, number, number)
	return v, err
}

func (b *Bots) Pair(ctx context.Context, bot uuid.UUID, first, second int) (va, vb domain.Version, err error) {
	q, workspace := b.queries(ctx)
	rows, err := q.GetVersions(ctx, botsdb.GetVersionsParams{
		WorkspaceID: workspace, BotID: bot, Versions: []int32{int32(first), int32(second)},
	})
	if err != nil {
		return va, vb, fmt.Errorf("read the versions: %w", err)
	}
	for _, row := range rows {
		v := toVersion(row)
		if v.Number == first {
			va = v
		}
		if v.Number == second {
			vb = v
		}
	}
	if va.Number == 0 || vb.Number == 0 {
		if _, err := b.Get(ctx, bot); err != nil {
			return va, vb, err
		}
		return va, vb, ports.ErrVersionNotFound
	}
	return va, vb, nil
}

func toVersion(row botsdb.BotVersion) domain.Version {
	return domain.Version{
		BotID: row.BotID, Number: int(row.Version), Content: domain.RestoreContent(row.Instruction, row.Settings), Note: row.Note,
		CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt,
	}
}
