// Package postgres stores bots and their versions in Postgres.
package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/botsdb"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
)

// Bots stores bots and their versions. Its methods run in the transaction of the context, or in one of their own.
type Bots struct {
	db    *postgres.DB
	quota quota
}

var (
	_ ports.Bots      = (*Bots)(nil)
	_ ports.BotReader = (*Bots)(nil)
)

// quota is checked before a bot is created or leaves the archive. It returns an error where the workspace may not have
// one more.
type quota interface {
	Reserve(ctx context.Context, metric usage.Metric) error
}

// NewBots makes Bots.
func NewBots(db *postgres.DB, quota quota) *Bots { return &Bots{db, quota} }

func (b *Bots) queries(ctx context.Context) (*botsdb.Queries, uuid.UUID) {
	return botsdb.New(b.db.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

func (b *Bots) Create(ctx context.Context, bot domain.Bot) error {
	q, workspace := b.queries(ctx)
	if err := b.quota.Reserve(ctx, usage.Bots); err != nil {
		return err
	}
	if err := q.CreateBot(ctx, toCreated(toRow(workspace, bot))); err != nil {
		return fmt.Errorf("create the bot: %w", err)
	}
	return b.record(ctx, bot.ID, bot.First())
}

func (b *Bots) Save(ctx context.Context, bot domain.Bot, c domain.Change) error {
	q, workspace := b.queries(ctx)
	if c.Unarchived {
		if err := b.quota.Reserve(ctx, usage.Bots); err != nil {
			return err
		}
	}
	row := toRow(workspace, bot)
	err := q.SaveBot(ctx, botsdb.SaveBotParams{
		WorkspaceID: row.WorkspaceID, ID: row.ID, Name: row.Name, Status: row.Status, CurrentVersion: row.CurrentVersion,
		PublishedVersion: row.PublishedVersion, UpdatedAt: row.UpdatedAt,
	})
	if err != nil {
		return fmt.Errorf("save the bot: %w", err)
	}
	return b.record(ctx, bot.ID, c)
}

func (b *Bots) Get(ctx context.Context, id uuid.UUID) (domain.Bot, error) {
	q, workspace := botsdb.New(b.db.InPipeline(ctx)), callctx.From(ctx).Principal.WorkspaceID
	row, err := q.GetBot(ctx, botsdb.GetBotParams{WorkspaceID: workspace, ID: id})
	if postgres.IsMissing(err) {
		return domain.Bot{}, ports.ErrBotNotFound
	}
	if err != nil {
		return domain.Bot{}, fmt.Errorf("read the bot: %w", err)
	}
	bot := toBot(row.Bot)
	bot.Content = domain.RestoreContent(row.Instruction, row.Settings)
	return bot, nil
}

func (b *Bots) Lock(ctx context.Context, id uuid.UUID) (domain.Bot, error) {
	q, workspace := b.queries(ctx)
	if err := q.LockBot(ctx, botsdb.LockBotParams{WorkspaceID: workspace, ID: id}); err != nil {
		return domain.Bot{}, fmt.Errorf("lock the bot: %w", err)
	}
	return b.Get(ctx, id)
}

func toRow(workspace uuid.UUID, b domain.Bot) botsdb.Bot {
	return botsdb.Bot{
		WorkspaceID:      workspace,
		ID:               b.ID,
		Name:             b.Name,
		Status:           string(b.Status),
		CurrentVersion:   int32(b.CurrentVersion),
		CreatedBy:        b.CreatedBy,
		CreatedAt:        b.CreatedAt,
		UpdatedAt:        b.UpdatedAt,
		PublishedVersion: int32(b.PublishedVersion),
	}
}

// toCreated returns the columns of a new bot, which is not deleted.
func toCreated(row botsdb.Bot) botsdb.CreateBotParams {
	return botsdb.CreateBotParams{
		WorkspaceID: row.WorkspaceID, ID: row.ID, Name: row.Name, Status: row.Status, CurrentVersion: row.CurrentVersion,
		CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt, PublishedVersion: row.PublishedVersion,
	}
}

// toBot returns a bot without its content, which is in the row of its current version.
func toBot(row botsdb.Bot) domain.Bot {
	return domain.Bot{
		ID:               row.ID,
		WorkspaceID:      row.WorkspaceID,
		Attributes:       domain.Attributes{Name: row.Name},
		Status:           domain.Status(row.Status),
		CurrentVersion:   int(row.CurrentVersion),
		PublishedVersion: int(row.PublishedVersion),
		CreatedBy:        row.CreatedBy,
		CreatedAt:        row.CreatedAt,
		UpdatedAt:        row.UpdatedAt,
	}
}
