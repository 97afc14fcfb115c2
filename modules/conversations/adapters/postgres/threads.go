// Package postgres stores threads, messages and turns in Postgres.
package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// Threads stores threads and the feedback on their messages.
type Threads struct{ db *postgres.DB }

// NewThreads makes Threads.
func NewThreads(db *postgres.DB) *Threads { return &Threads{db} }

func queries(ctx context.Context, db *postgres.DB) (*conversationsdb.Queries, uuid.UUID) {
	return conversationsdb.New(db.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

// listQueries returns the queries for a list that callers may filter.
func listQueries(ctx context.Context, db *postgres.DB) (*conversationsdb.Queries, uuid.UUID) {
	return conversationsdb.New(db.InList(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

func (t *Threads) Create(ctx context.Context, thread domain.Thread) error {
	variables, err := json.Marshal(thread.Variables.OrNone())
	if err != nil {
		return fmt.Errorf("encode the variables of a thread: %w", err)
	}
	q, workspace := queries(ctx, t.db)
	if thread.BotID == nil {
		return q.CreateThreadWithoutBot(ctx, conversationsdb.CreateThreadWithoutBotParams{
			WorkspaceID: workspace, ID: thread.ID, Status: string(thread.Status), Title: thread.Title, Metadata: thread.Metadata, Variables: variables,
			CreatedBy: thread.CreatedBy, CreatedAt: thread.CreatedAt,
		})
	}
	botArchived, err := q.CreateThreadWithBot(ctx, conversationsdb.CreateThreadWithBotParams{
		WorkspaceID: workspace, ID: thread.ID, BotID: *thread.BotID, Status: string(thread.Status), Title: thread.Title, Metadata: thread.Metadata, Variables: variables,
		CreatedBy: thread.CreatedBy, CreatedAt: thread.CreatedAt, ExpiresAt: thread.ExpiresAt, Trial: thread.Trial,
	})
	switch {
	case postgres.IsMissing(err):
		return ports.ErrBotNotFound
	case err != nil:
		return fmt.Errorf("create the thread: %w", err)
	case botArchived:
		return ports.ErrBotArchived
	}
	return nil
}

func (t *Threads) Get(ctx context.Context, id uuid.UUID) (domain.Thread, error) {
	q, workspace := conversationsdb.New(t.db.InPipeline(ctx)), callctx.From(ctx).Principal.WorkspaceID
	row, err := q.GetThread(ctx, conversationsdb.GetThreadParams{WorkspaceID: workspace, ID: id})
	if postgres.IsMissing(err) {
		return domain.Thread{}, ports.ErrThreadNotFound
	}
	if err != nil {
		return domain.Thread{}, fmt.Errorf("read the thread: %w", err)
	}
	return toThread(row)
}

func (t *Threads) Change(ctx context.Context, id uuid.UUID, c ports.ThreadChanges) (domain.Thread, error) {
	q, workspace := queries(ctx, t.db)
	if c.Current != nil {
		if err := t.switchBranch(ctx, id, *c.Current); err != nil {
			return domain.Thread{}, err
		}
	}
	variables, err := variablesRow(c.Variables)
	if err != nil {
		return domain.Thread{}, err
	}
	_, err = q.ChangeThread(ctx, conversationsdb.ChangeThreadParams{
		WorkspaceID: workspace, ID: id, Title: c.Title, Metadata: c.Metadata, Status: (*string)(c.Status), Variables: variables,
	})
	if postgres.IsMissing(err) {
		return domain.Thread{}, ports.ErrThreadNotFound
	}
	if err != nil {
		return domain.Thread{}, fmt.Errorf("change the thread: %w", err)
	}
	return t.Get(ctx, id)
}

// switchBranch makes the branch that ends with a turn the current one. The thread is locked first: no turn begins meanwhile.
func (t *Threads) switchBranch(ctx context.Context, thread, turn uuid.UUID) error {
	q, workspace := queries(ctx, t.db)
	_, err := q.LockThreadToErase(ctx, conversationsdb.LockThreadToEraseParams{WorkspaceID: workspace, ThreadID: thread})
	if postgres.IsMissing(err) {
		return ports.ErrThreadNotFound
	}
	if err != nil {
		return fmt.Errorf("lock the thread: %w", err)
	}
	running, err := q.FindRunningTurn(ctx, conversationsdb.FindRunningTurnParams{WorkspaceID: workspace, ThreadID: thread})
	if err == nil {
		return ports.ErrThreadBusy.With("active_turn_id", running.ID)
	}
	if !postgres.IsMissing(err) {
		return fmt.Errorf("look for a running turn: %w", err)
	}
	_, err = q.SwitchBranch(ctx, conversationsdb.SwitchBranchParams{
		WorkspaceID: workspace, ThreadID: thread, TurnID: turn, MaxPieces: domain.MaxPathPieces,
	})
	switch {
	case postgres.IsMissing(err):
		return ports.ErrNotOfThread
	case postgres.RefusedFor(err) != "":
		return ports.ErrBranches
	case err != nil:
		return fmt.Errorf("change the current branch: %w", err)
	}
	return nil
}

func (t *Threads) OpenChannel(ctx context.Context, c domain.Channel, now time.Time) (thread uuid.UUID, err error) {
	err = t.db.WriteOnce(ctx, func(ctx context.Context) error {
		q, workspace := queries(ctx, t.db)
		thread, err = q.OpenChannelThread(ctx, conversationsdb.OpenChannelThreadParams{
			WorkspaceID: workspace, ID: uuid.Must(uuid.NewV7()), EndpointID: c.EndpointID, ConversationID: c.ConversationID, CreatedAt: now,
		})
		return err
	})
	if err != nil {
		return thread, fmt.Errorf("open the thread of a conversation: %w", err)
	}
	return thread, nil
}

func toThread(row conversationsdb.GetThreadRow) (domain.Thread, error) {
	variables, err := toVariables(row.Variables)
	thread := domain.Thread{
		Variables: variables,
		ID:        row.ID, WorkspaceID: row.WorkspaceID, BotID: row.BotID, Status: domain.ThreadStatus(row.Status),
		EndUserID: row.EndUserID, Title: row.Title, Metadata: row.Metadata, CreatedAt: row.CreatedAt, Channel: toChannel(row.EndpointID, row.ConversationID),
		ExpiresAt: row.ExpiresAt, Trial: row.Trial, CurrentTurnID: row.CurrentTurnID,
	}
	if len(row.LastMessageAt) > 0 {
		thread.LastMessageAt = &row.LastMessageAt[0]
	}
	return thread, err
}

// variablesRow returns values of variables as a row has them; nil, which is NULL in SQL, where there are none.
func variablesRow(v domain.Variables) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	row, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode the variables: %w", err)
	}
	return row, nil
}

func toVariables(row json.RawMessage) (domain.Variables, error) {
	v, err := domain.ReadVariables(row)
	if err != nil {
		return nil, fmt.Errorf("read the variables: %w", err)
	}
	return v, nil
}

func toChannel(endpoint *uuid.UUID, conversation *string) *domain.Channel {
	if endpoint == nil || conversation == nil {
		return nil
	}
	return &domain.Channel{EndpointID: *endpoint, ConversationID: *conversation}
}
