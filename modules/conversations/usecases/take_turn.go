package usecases

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// TakeTurn takes a turn in a thread from its beginning to its end: it stores the user's message, calls a model and
// stores the answer. A turn that an earlier call under the same operation has begun is resumed; a completed turn is not
// repeated.
type TakeTurn struct {
	RunTurn
	Leases  ports.Leases
	Threads ports.Threads
	// Expiries deletes the threads that a turn opens for itself.
	Expiries ports.Expiries
	Queue    ports.ThreadQueue
	Views    ports.TurnViews
	Stream   StreamTurn
}

// NewTurn is the input of TakeTurn. The turn is that of the actor and the operation of the call in the context.
type NewTurn struct {
	ThreadID uuid.UUID
	Content  string // of the user's message
	Enqueue  bool   // wait for the turns before it in the thread; otherwise a busy thread is an error
	NoWait   bool   // do not wait for a slot among the turns that run at once
	Checked  bool   // the content was checked when it was received

	Open    *domain.Thread  // with that id and a bot, stored with the turn unless it exists; nil: the thread exists
	Follows *domain.Parent  // nil: the last turn of the thread's current branch
	Version *int            // of the bot; nil: the published one
	Request *domain.Request // what was sent beside the content; nil: nothing
	Files   []uuid.UUID     // that are attached

	Variables domain.Variables // nil: those of the thread and the defaults of the bot
}

// Do takes the turn and returns its answer. Errors are wrong fields, those of ports.Operations, ports.ErrThreadBusy
// with the running turn, ports.ErrNoParent, ports.ErrBranches, ports.ErrTooManyTurns, and the failure of the model.
func (u TakeTurn) Do(ctx context.Context, in NewTurn) (ports.Answer, error) {
	return u.take(ctx, in, nil)
}

// DoStreamed takes the turn while a reader reads its events. Position is the last event that the reader has received in
// an earlier call under the same operation; 0 for any other reader.
func (u TakeTurn) DoStreamed(ctx context.Context, in NewTurn, position int64, read Reader) error {
	take := func(started func(uuid.UUID)) (ports.Answer, error) { return u.take(ctx, in, started) }
	return u.Stream.do(ctx, streamedTurn{take: take, find: u.Views.OfOperation, position: position, read: read})
}

// take takes a turn. Started is called when the turn is stored and its model is called; nil: nobody reads its events.
func (u TakeTurn) take(ctx context.Context, in NewTurn, started func(uuid.UUID)) (ports.Answer, error) {
	turn, err := u.prepare(ctx, in)
	if err != nil {
		return ports.Answer{}, err
	}
	a := u.attempt(&turn, started)
	a.noWait, a.open = in.NoWait, in.Open
	a.openThread = u.openThread
	if in.Enqueue {
		return u.enqueue(ctx, in, a)
	}
	return u.runIfFree(ctx, a)
}

// openThread stores a thread unless it exists, in the transaction of the context. One that expires is deleted by a job.
func (u TakeTurn) openThread(ctx context.Context, t domain.Thread) error {
	if err := u.Threads.Create(ctx, t); err != nil || t.ExpiresAt == nil {
		return err
	}
	return u.Expiries.Schedule(ctx, t.ID, *t.ExpiresAt)
}

// prepare makes the turn. It stores nothing.
func (u TakeTurn) prepare(ctx context.Context, in NewTurn) (domain.Turn, error) {
	c := callctx.From(ctx)
	actor, operation, now := c.Principal.UserID, c.Operation.ID, u.Now()
	if in.Checked {
		return domain.NewTurnOfEvent(in.ThreadID, actor, operation, in.Content, u.Lease, now), nil
	}
	turn, err := domain.NewTurn(in.ThreadID, actor, operation, in.Content, u.Lease, now)
	if err != nil {
		return turn, fail.Fields(fail.Field{Field: "content", Code: ContentCode(err), Message: err.Error()})
	}
	turn.Follows, turn.Version, turn.Request, turn.Given = in.Follows, in.Version, in.Request, in.Variables
	if turn.User.Attachments, err = attachedOf(in.Files); err != nil {
		return turn, err
	}
	return turn, checkVariables(in.Variables)
}

// attachedOf returns the attachments of a new turn, whose files are not known yet.
func attachedOf(files []uuid.UUID) (attached []domain.Attachment, err error) {
	if len(files) > domain.MaxAttachments {
		return nil, fail.Fields(fail.Field{Field: "attachments", Code: "TOO_LONG", Message: fmt.Sprintf("must have at most %d files", domain.MaxAttachments)})
	}
	for i, id := range files {
		if slices.Contains(files[:i], id) {
			return nil, fail.Fields(fail.Field{Field: fmt.Sprintf("attachments.%d.file_id", i), Code: "REPEATED", Message: "must be another file than those before it"})
		}
		attached = append(attached, domain.Attachment{FileID: id})
	}
	return attached, nil
}

const (
	// maxBusyTries is how often a turn is tried in a thread whose running turn ends before its id can be read: the refusal
	// names that turn.
	maxBusyTries = 50
	// recoverFirst is for how long after the end of its lease a turn is left to RecoverTurn, before another turn may take its
	// thread.
	recoverFirst = 10 * time.Second
)

// runIfFree runs a turn unless another one runs in its thread: then the error is ports.ErrThreadBusy with that turn.
// The unique index llm_turns_one_running decides, when the turn is stored.
func (u TakeTurn) runIfFree(ctx context.Context, a *attempt) (ports.Answer, error) {
	for range maxBusyTries {
		answer, err := u.Operations.Run(ctx, a.operation())
		if !errors.Is(err, ports.ErrThreadBusy) {
			return answer, err
		}
		if err := u.freeThread(ctx, a.turn.ThreadID); err != nil {
			return ports.Answer{}, err
		}
	}
	return ports.Answer{}, ports.ErrThreadBusy
}

// freeThread ends the running turn of a busy thread if its lease ran out long ago and nothing has recovered it. It
// returns nil where the thread is free by now, else ports.ErrThreadBusy with the running turn.
func (u TakeTurn) freeThread(ctx context.Context, thread uuid.UUID) error {
	freed, err := u.Leases.Free(ctx, thread, recoverFirst, "its lease ran out and another turn took the thread")
	if err != nil || freed {
		return err
	}
	active, waiting, err := u.Leases.Busy(ctx, thread)
	if err != nil || active == uuid.Nil {
		return err
	}
	busy := ports.ErrThreadBusy.With("active_turn_id", active)
	if waiting {
		return busy.With("reason", "waiting")
	}
	return busy
}

// ContentCode returns the code of an error of domain.CheckContent.
func ContentCode(err error) string {
	if errors.Is(err, domain.ErrBlank) {
		return "BLANK"
	}
	return "INVALID"
}
