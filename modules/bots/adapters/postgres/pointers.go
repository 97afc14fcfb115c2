package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/botsdb"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// record stores a change of a bot. The version is stored first, because the pointers refer to it.
func (b *Bots) record(ctx context.Context, bot uuid.UUID, c domain.Change) error {
	q, workspace := b.queries(ctx)
	if v := c.Version; v != nil {
		err := q.CreateVersion(ctx, botsdb.CreateVersionParams{
			WorkspaceID: workspace,
			BotID:       v.BotID,
			Version:     int32(v.Number),
			Instruction: v.Content.Instruction(),
			Settings:    v.Content.Settings(),
			Note:        v.Note,
			CreatedBy:   v.CreatedBy,
			CreatedAt:   v.CreatedAt,
		})
		if err != nil {
			return fmt.Errorf("create the version: %w", err)
		}
	}
	for _, m := range c.Pointers {
		params := botsdb.RecordPointerChangeParams{
			WorkspaceID: workspace, BotID: bot, Pointer: string(m.Pointer), ToVersion: int32(m.To), Cause: string(m.Cause),
			MovedBy: m.By, MovedAt: m.At,
		}
		if m.From != 0 {
			from := int32(m.From)
			params.FromVersion = &from
		}
		if err := q.RecordPointerChange(ctx, params); err != nil {
			return fmt.Errorf("record the pointer change: %w", err)
		}
	}
	return nil
}

func (b *Bots) PointerChanges(ctx context.Context, bot uuid.UUID, after *ports.PointerChangePosition, limit int) ([]domain.PointerChange, error) {
	q, workspace := b.queries(ctx)
	params := botsdb.ListPointerChangesParams{WorkspaceID: workspace, BotID: bot, Count: int32(limit)}
	if after != nil {
		before := int32(after.Number)
		params.Before = &before
	}
	rows, err := q.ListPointerChanges(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list the pointer changes: %w", err)
	}
	if len(rows) == 0 && after == nil { // every bot has a first change
		return nil, ports.ErrBotNotFound
	}
	list := make([]domain.PointerChange, len(rows))
	for i, row := range rows {
		list[i] = domain.PointerChange{
			Number: int(row.Number), Pointer: domain.Pointer(row.Pointer), To: int(row.ToVersion), Cause: domain.Cause(row.Cause),
			By: row.MovedBy, At: row.MovedAt,
		}
		if row.FromVersion != nil {
			list[i].From = int(*row.FromVersion)
		}
	}
	return list, nil
}
