package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/botsdb"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/jobs"
)

var (
	_ ports.Deletions           = Deletions{}
	_ ports.UnfinishedDeletions = Deletions{}
)

// EraseThreadsKind is the kind of the jobs that erase the threads of deleted bots. app.locate_bots_with_threads names it too, with
// the id of the bot as its key.
const EraseThreadsKind = "bot.erase_threads"

// EraseThreads is the payload of jobs of EraseThreadsKind.
type EraseThreads struct {
	BotID uuid.UUID `json:"bot_id"`
}

// Limits of deletions. A job that is queued in the same transaction as its cause is there long before unfinishedAge.
const (
	unfinishedAge   = 2 * time.Minute
	unfinishedBatch = 500
)

// Deletions deletes bots for good.
type Deletions struct {
	DB    *postgres.DB
	Queue *jobs.Queue
}

func (d Deletions) queries(ctx context.Context) (*botsdb.Queries, uuid.UUID) {
	return botsdb.New(d.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

func (d Deletions) HasEndpoints(ctx context.Context, bot uuid.UUID) (bool, error) {
	q, workspace := d.queries(ctx)
	list, err := q.ListEndpointsOfBot(ctx, botsdb.ListEndpointsOfBotParams{WorkspaceID: workspace, BotID: bot, Count: 1})
	if err != nil {
		return false, fmt.Errorf("look for endpoints of the bot: %w", err)
	}
	return len(list) > 0, nil
}

func (d Deletions) Delete(ctx context.Context, bot uuid.UUID, threads bool) error {
	q, workspace := d.queries(ctx)
	if _, err := q.DeleteBot(ctx, botsdb.DeleteBotParams{WorkspaceID: workspace, ID: bot, WithThreads: threads}); err != nil {
		return fmt.Errorf("delete the bot: %w", err)
	}
	if !threads {
		return nil
	}
	return d.Queue.Enqueue(ctx, EraseThreadsKind, EraseThreads{bot}, jobs.Options{Key: bot.String()})
}

func (d Deletions) ThreadsErased(ctx context.Context, bot uuid.UUID) error {
	err := d.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := d.queries(ctx)
		return q.BotThreadsErased(ctx, botsdb.BotThreadsErasedParams{WorkspaceID: workspace, ID: bot})
	})
	if err != nil {
		return fmt.Errorf("store that the threads of the bot are erased: %w", err)
	}
	return nil
}

func (d Deletions) Locate(ctx context.Context) (list []ports.DeletedBot, more bool, err error) {
	rows, err := botsdb.New(d.DB.In(ctx)).LocateBotsWithThreads(ctx, botsdb.LocateBotsWithThreadsParams{OlderSeconds: unfinishedAge.Seconds(), MaxRows: unfinishedBatch})
	for _, row := range rows {
		list = append(list, ports.DeletedBot(row))
	}
	return list, len(rows) == unfinishedBatch, err
}

func (d Deletions) Resume(ctx context.Context, bot uuid.UUID) error {
	return d.DB.Write(ctx, func(ctx context.Context) error {
		return d.Queue.Again(ctx, EraseThreadsKind, EraseThreads{bot}, jobs.Options{Key: bot.String()})
	})
}
