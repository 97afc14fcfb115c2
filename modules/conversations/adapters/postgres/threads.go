// Package postgres keeps threads, messages and turns in Postgres.
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

// Threads implements ports.Threads.
type Threads struct{ db *postgres.DB }

// NewThreads makes Threads.
func NewThreads(db *postgres.DB) *Threads { return &Threads{db} }

func queries(ctx context.Context, db *postgres.DB) (*conversationsdb.Queries, uuid.UUID) {
	return conversationsdb.New(db.In(ctx)), call.From(ctx).Principal.WorkspaceID
}

// Create implements ports.Threads.
func (t *Threads) Create(ctx context.Context, thread domain.Thread) error {
	q, workspace := queries(ctx, t.db)
	err := q.CreateThread(ctx, conversationsdb.CreateThreadParams{
		WorkspaceID: workspace, ID: thread.ID, BotID: thread.BotID, Status: string(thread.Status),
		CreatedBy: thread.CreatedBy, CreatedAt: thread.CreatedAt,
	})
	if err != nil {
		return fmt.Errorf("create the thread: %w", err)
	}
	return nil
}

// Get implements ports.Threads.
func (t *Threads) Get(ctx context.Context, id uuid.UUID) (domain.Thread, error) {
	q, workspace := queries(ctx, t.db)
	row, err := q.GetThread(ctx, conversationsdb.GetThreadParams{WorkspaceID: workspace, ID: id})
	if postgres.IsMissing(err) {
		return domain.Thread{}, ports.ErrThreadNotFound
	}
	if err != nil {
		return domain.Thread{}, fmt.Errorf("read the thread: %w", err)
	}
	return toThread(row), nil
}

// List implements ports.Threads.
func (t *Threads) List(ctx context.Context, after *ports.ThreadPosition, limit int) ([]domain.Thread, error) {
	q, workspace := queries(ctx, t.db)
	params := conversationsdb.ListThreadsParams{WorkspaceID: workspace, Count: int32(limit)}
	if after != nil {
		params.BeforeAt, params.BeforeID = &after.At, &after.ID
	}
	rows, err := q.ListThreads(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list the threads: %w", err)
	}
	list := make([]domain.Thread, len(rows))
	for i, row := range rows {
		list[i] = toThread(conversationsdb.GetThreadRow(row))
	}
	return list, nil
}

func toThread(row conversationsdb.GetThreadRow) domain.Thread {
	return domain.Thread{
		ID: row.ID, WorkspaceID: row.WorkspaceID, BotID: row.BotID,
		Status: domain.ThreadStatus(row.Status), CreatedAt: row.CreatedAt, Channel: toChannel(row.EndpointID, row.ConversationID),
	}
}

func toChannel(endpoint *uuid.UUID, conversation *string) *domain.Channel {
	if endpoint == nil || conversation == nil {
		return nil
	}
	return &domain.Channel{EndpointID: *endpoint, ConversationID: *conversation}
}

// Messages implements ports.Threads.
func (t *Threads) Messages(ctx context.Context, thread uuid.UUID, after *ports.MessagePosition, limit int) ([]domain.Message, error) {
	q, workspace := queries(ctx, t.db)
	params := conversationsdb.ListMessagesParams{WorkspaceID: workspace, ThreadID: thread, Count: int32(limit)}
	if after != nil {
		params.After = after.Seq
	}
	rows, err := q.ListMessages(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list the messages: %w", err)
	}
	if len(rows) == 0 { // an empty thread, or none
		if _, err := t.Get(ctx, thread); err != nil {
			return nil, err
		}
	}
	list := make([]domain.Message, len(rows))
	for i, row := range rows {
		list[i] = domain.Message{
			ID: row.ID, ThreadID: row.ThreadID, Seq: row.Seq, Role: domain.Role(row.Role), Content: row.Content,
			OperationID: row.OperationID, CreatedAt: row.CreatedAt, Cancelled: row.Status == string(domain.TurnCancelled),
		}
	}
	return list, nil
}
