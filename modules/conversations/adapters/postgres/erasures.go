package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/work/jobs"
)

var (
	_ ports.Erasures           = Erasures{}
	_ ports.UnfinishedErasures = Erasures{}
	_ ports.BotThreads         = BotThreads{}
)

// EraseKind is the kind of the jobs that erase deleted threads. app.locate_deleted_threads names it too, with the id of the thread as
// its key.
const EraseKind = "thread.erase"

// Erase is the payload of jobs of EraseKind.
type Erase struct {
	ThreadID uuid.UUID `json:"thread_id"`
}

// Limits of erasures. A job that is queued in the same transaction as its cause is there long before unfinishedAge.
const (
	eraseTurns      = 50 // of a thread in one transaction
	unfinishedAge   = 2 * time.Minute
	unfinishedBatch = 500
)

// Erasures removes threads and messages for good.
type Erasures struct {
	DB    *postgres.DB
	Queue *jobs.Queue
}

func (s Erasures) Lock(ctx context.Context, thread uuid.UUID) (running uuid.UUID, err error) {
	q, workspace := queries(ctx, s.DB)
	_, err = q.LockThreadToErase(ctx, conversationsdb.LockThreadToEraseParams{WorkspaceID: workspace, ThreadID: thread})
	if postgres.IsMissing(err) {
		return uuid.Nil, ports.ErrThreadNotFound
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("lock the thread: %w", err)
	}
	rows, err := q.StopRunningTurn(ctx, conversationsdb.StopRunningTurnParams{WorkspaceID: workspace, ThreadID: thread})
	if err != nil {
		return uuid.Nil, fmt.Errorf("stop the turn of the thread: %w", err)
	}
	for _, row := range rows { // one at the most
		running = row.ID
	}
	return running, nil
}

func (s Erasures) ThreadOf(ctx context.Context, message uuid.UUID) (uuid.UUID, error) {
	q, workspace := queries(ctx, s.DB)
	thread, err := q.ThreadOfMessage(ctx, conversationsdb.ThreadOfMessageParams{WorkspaceID: workspace, ID: message})
	if postgres.IsMissing(err) {
		return uuid.Nil, ports.ErrMessageNotFound
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("find the thread of the message: %w", err)
	}
	return thread, nil
}

func (s Erasures) DeleteMessage(ctx context.Context, message uuid.UUID) error {
	q, _ := queries(ctx, s.DB)
	if _, err := q.EraseMessage(ctx, message); err != nil {
		return fmt.Errorf("erase the message: %w", err)
	}
	return nil
}

func (s Erasures) DeleteThread(ctx context.Context, thread uuid.UUID) error {
	q, workspace := queries(ctx, s.DB)
	if _, err := q.MarkThreadDeleted(ctx, conversationsdb.MarkThreadDeletedParams{WorkspaceID: workspace, ThreadID: thread}); err != nil {
		return fmt.Errorf("delete the thread: %w", err)
	}
	more, err := s.erase(ctx, thread)
	if err != nil || !more {
		return err
	}
	return s.Queue.Enqueue(ctx, EraseKind, Erase{thread}, jobs.Options{Key: thread.String()})
}

func (s Erasures) erase(ctx context.Context, thread uuid.UUID) (more bool, err error) {
	q, _ := queries(ctx, s.DB)
	more, err = q.EraseThread(ctx, conversationsdb.EraseThreadParams{ThreadID: thread, MaxTurns: eraseTurns})
	if err != nil {
		return false, fmt.Errorf("erase the thread: %w", err)
	}
	return more, nil
}

func (s Erasures) EraseSome(ctx context.Context, thread uuid.UUID) (more bool, err error) {
	err = s.DB.Write(ctx, func(ctx context.Context) error {
		more, err = s.erase(ctx, thread)
		return err
	})
	return more, err
}

func (s Erasures) Locate(ctx context.Context) (list []ports.DeletedThread, more bool, err error) {
	q := conversationsdb.New(s.DB.In(ctx))
	rows, err := q.LocateDeletedThreads(ctx, conversationsdb.LocateDeletedThreadsParams{OlderSeconds: unfinishedAge.Seconds(), MaxRows: unfinishedBatch})
	for _, row := range rows {
		list = append(list, ports.DeletedThread(row))
	}
	return list, len(rows) == unfinishedBatch, err
}

func (s Erasures) Resume(ctx context.Context, thread uuid.UUID) error {
	return s.DB.Write(ctx, func(ctx context.Context) error {
		return s.Queue.Again(ctx, EraseKind, Erase{thread}, jobs.Options{Key: thread.String()})
	})
}
