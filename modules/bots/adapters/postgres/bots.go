// Package postgres keeps bots and their versions in Postgres.
package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/botsdb"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/postgres"
	"github.com/parley/parley/platform/usage"
)

// Bots implements ports.Bots and ports.Shelf.
type Bots struct {
	db   *postgres.DB
	room Room
}

// Room is asked for before a bot is made or leaves the archive; it refuses where the workspace may not have one more.
type Room interface {
	Room(ctx context.Context, metric usage.Metric) error
}

// NewBots makes Bots.
func NewBots(db *postgres.DB, room Room) *Bots { return &Bots{db, room} }

func (b *Bots) queries(ctx context.Context) (*botsdb.Queries, uuid.UUID) {
	return botsdb.New(b.db.In(ctx)), call.From(ctx).Principal.WorkspaceID
}

// Create implements ports.Bots.
func (b *Bots) Create(ctx context.Context, bot domain.Bot) error {
	q, workspace := b.queries(ctx)
	if err := b.room.Room(ctx, usage.Bots); err != nil {
		return err
	}
	err := q.CreateBot(ctx, botsdb.CreateBotParams{
		WorkspaceID:      workspace,
		ID:               bot.ID,
		Name:             bot.Name,
		Status:           string(bot.Status),
		CurrentVersion:   int32(bot.CurrentVersion),
		PublishedVersion: int32(bot.PublishedVersion),
		CreatedBy:        bot.CreatedBy,
		CreatedAt:        bot.CreatedAt,
		UpdatedAt:        bot.UpdatedAt,
	})
	if err != nil {
		return fmt.Errorf("create the bot: %w", err)
	}
	return b.record(ctx, bot.ID, bot.First())
}

// Save implements ports.Bots.
func (b *Bots) Save(ctx context.Context, bot domain.Bot, c domain.Change) error {
	q, workspace := b.queries(ctx)
	if c.Unarchived {
		if err := b.room.Room(ctx, usage.Bots); err != nil {
			return err
		}
	}
	err := q.SaveBot(ctx, botsdb.SaveBotParams{
		WorkspaceID:      workspace,
		ID:               bot.ID,
		Name:             bot.Name,
		Status:           string(bot.Status),
		CurrentVersion:   int32(bot.CurrentVersion),
		PublishedVersion: int32(bot.PublishedVersion),
		UpdatedAt:        bot.UpdatedAt,
	})
	if err != nil {
		return fmt.Errorf("save the bot: %w", err)
	}
	return b.record(ctx, bot.ID, c)
}

// Get implements ports.Bots.
func (b *Bots) Get(ctx context.Context, id uuid.UUID) (domain.Bot, error) {
	q, workspace := botsdb.New(b.db.InPipeline(ctx)), call.From(ctx).Principal.WorkspaceID
	row, err := q.GetBot(ctx, botsdb.GetBotParams{WorkspaceID: workspace, ID: id})
	return toBot(row, err)
}

// Lock implements ports.Bots.
func (b *Bots) Lock(ctx context.Context, id uuid.UUID) (domain.Bot, error) {
	q, workspace := b.queries(ctx)
	if err := q.LockBot(ctx, botsdb.LockBotParams{WorkspaceID: workspace, ID: id}); err != nil {
		return domain.Bot{}, fmt.Errorf("lock the bot: %w", err)
	}
	return b.Get(ctx, id)
}

// Status implements ports.Bots.
func (b *Bots) Status(ctx context.Context, id uuid.UUID) (domain.Status, error) {
	q, workspace := b.queries(ctx)
	status, err := q.GetBotStatus(ctx, botsdb.GetBotStatusParams{WorkspaceID: workspace, ID: id})
	if postgres.IsMissing(err) {
		return "", ports.ErrBotNotFound
	}
	if err != nil {
		return "", fmt.Errorf("look for the bot: %w", err)
	}
	return domain.Status(status), nil
}

func toBot(row botsdb.GetBotRow, err error) (domain.Bot, error) {
	if postgres.IsMissing(err) {
		return domain.Bot{}, ports.ErrBotNotFound
	}
	if err != nil {
		return domain.Bot{}, fmt.Errorf("read the bot: %w", err)
	}
	return domain.Bot{
		ID:               row.ID,
		WorkspaceID:      row.WorkspaceID,
		Name:             row.Name,
		Status:           domain.Status(row.Status),
		CurrentVersion:   int(row.CurrentVersion),
		PublishedVersion: int(row.PublishedVersion),
		Content:          domain.RestoreContent(row.Instruction, row.Settings),
		CreatedBy:        row.CreatedBy,
		CreatedAt:        row.CreatedAt,
		UpdatedAt:        row.UpdatedAt,
	}, nil
}
