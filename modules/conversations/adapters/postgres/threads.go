// Package postgres stores threads, messages and turns in Postgres.
package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/postgres"
)

// Threads stores threads and the feedback on their messages.
type Threads struct{ db *postgres.DB }

// NewThreads makes Threads.
func NewThreads(db *postgres.DB) *Threads { return &Threads{db} }

func queries(ctx context.Context, db *postgres.DB) (*conversationsdb.Queries, uuid.UUID) {
	return conversationsdb.New(db.In(ctx)), call.From(ctx).Principal.WorkspaceID
}

// listQueries returns the queries for a list that callers may filter.
func listQueries(ctx context.Context, db *postgres.DB) (*conversationsdb.Queries, uuid.UUID) {
	return conversationsdb.New(db.InList(ctx)), call.From(ctx).Principal.WorkspaceID
}

func (t *Threads) Create(ctx context.Context, thread domain.Thread) error {
	q, workspace := queries(ctx, t.db)
	err := q.CreateThread(ctx, conversationsdb.CreateThreadParams{
		WorkspaceID: workspace, ID: thread.ID, BotID: thread.BotID, Status: string(thread.Status), Title: thread.Title, Metadata: thread.Metadata,
		CreatedBy: thread.CreatedBy, CreatedAt: thread.CreatedAt,
	})
	if err != nil {
		return fmt.Errorf("create the thread: %w", err)
	}
	return nil
}

func (t *Threads) Get(ctx context.Context, id uuid.UUID) (domain.Thread, error) {
	q, workspace := conversationsdb.New(t.db.InPipeline(ctx)), call.From(ctx).Principal.WorkspaceID
	row, err := q.GetThread(ctx, conversationsdb.GetThreadParams{WorkspaceID: workspace, ID: id})
	if postgres.IsMissing(err) {
		return domain.Thread{}, ports.ErrThreadNotFound
	}
	if err != nil {
		return domain.Thread{}, fmt.Errorf("read the thread: %w", err)
	}
	return toThread(row), nil
}

func (t *Threads) Change(ctx context.Context, id uuid.UUID, c ports.ThreadChanges) (domain.Thread, error) {
	q, workspace := queries(ctx, t.db)
	_, err := q.ChangeThread(ctx, conversationsdb.ChangeThreadParams{
		WorkspaceID: workspace, ID: id, Title: c.Title, Metadata: c.Metadata, Status: (*string)(c.Status),
	})
	if postgres.IsMissing(err) {
		return domain.Thread{}, ports.ErrThreadNotFound
	}
	if err != nil {
		return domain.Thread{}, fmt.Errorf("change the thread: %w", err)
	}
	return t.Get(ctx, id)
}

func (t *Threads) List(ctx context.Context, f ports.ThreadFilter, after *ports.ThreadPosition, limit int) ([]domain.Thread, error) {
	q, workspace := listQueries(ctx, t.db)
	params := conversationsdb.ListThreadsParams{WorkspaceID: workspace, Count: int32(limit), Status: (*string)(f.Status)}
	if after != nil {
		params.BeforeAt, params.BeforeID = &after.At, &after.ID
	}
	var list []domain.Thread
	if f.BotID != nil {
		rows, err := q.ListThreadsOfBot(ctx, conversationsdb.ListThreadsOfBotParams{
			WorkspaceID: workspace, BotID: *f.BotID, Status: params.Status, BeforeAt: params.BeforeAt, BeforeID: params.BeforeID, Count: params.Count,
		})
		if err != nil {
			return nil, fmt.Errorf("list the threads of a bot: %w", err)
		}
		for _, row := range rows {
			list = append(list, toThread(conversationsdb.GetThreadRow(row)))
		}
		return list, nil
	}
	rows, err := q.ListThreads(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list the threads: %w", err)
	}
	for _, row := range rows {
		list = append(list, toThread(conversationsdb.GetThreadRow(row)))
	}
	return list, nil
}

func toThread(row conversationsdb.GetThreadRow) domain.Thread {
	thread := domain.Thread{
		ID: row.ID, WorkspaceID: row.WorkspaceID, BotID: row.BotID, Status: domain.ThreadStatus(row.Status),
		Title: row.Title, Metadata: row.Metadata, CreatedAt: row.CreatedAt, Channel: toChannel(row.EndpointID, row.ConversationID),
	}
	if len(row.LastMessageAt) > 0 {
		thread.LastMessageAt = &row.LastMessageAt[0]
	}
	return thread
}

func toChannel(endpoint *uuid.UUID, conversation *string) *domain.Channel {
	if endpoint == nil || conversation == nil {
		return nil
	}
	return &domain.Channel{EndpointID: *endpoint, ConversationID: *conversation}
}
