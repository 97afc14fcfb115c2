package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
)

// RunTurn is the common part of all attempts at turns, whether the turn is new, retried or recovered.
type RunTurn struct {
	AskModel
	Operations ports.Operations
	Turns      ports.Turns
	Cancels    ports.Cancels
	Chunks     ports.Chunks
	Live       ports.Live
	Events     ports.Events
	Lease      time.Duration // of an attempt: longer than the model's timeout, by the time that the second transaction needs
}

// attempt is one attempt at a turn, in the steps of ports.Operation.
type attempt struct {
	RunTurn
	turn    *domain.Turn
	started func(turn uuid.UUID) // called when the turn is stored and its model is asked; nil: nobody reads its events
	noWait  bool

	open       *domain.Thread // stored with the turn; nil: the thread exists
	openThread func(ctx context.Context, t domain.Thread) error

	reply  domain.Reply
	writer ports.StreamWriter // nil: the model was not asked
}

func (u RunTurn) attempt(turn *domain.Turn, started func(turn uuid.UUID)) *attempt {
	return &attempt{RunTurn: u, turn: turn, started: started}
}

func (a *attempt) operation() ports.Operation {
	return ports.Operation{
		Audit:    ports.AuditRecord{Action: "turn.create", Thread: a.turn.ThreadID, Turn: a.turn.ID},
		Streamed: a.started != nil, NoWait: a.noWait, Wide: a.open != nil || len(a.turn.User.Attachments) > 0,
		Begin: a.begin, Resume: a.resume, Work: a.work, Finish: a.finish, Fail: a.fail, Ended: a.end,
	}
}

// begin stores the turn with its user message, and its thread where that is to be opened.
func (a *attempt) begin(ctx context.Context) error {
	if a.open != nil {
		if err := a.openThread(ctx, *a.open); err != nil {
			return err
		}
	}
	return a.Turns.Start(ctx, a.turn)
}

// resume takes the next attempt at the turn of an operation that was begun and not finished.
func (a *attempt) resume(ctx context.Context) error {
	resumed, err := a.Turns.Resume(ctx, a.turn.ActorID, a.turn.OperationID, a.Now().Add(a.Lease))
	if err != nil {
		return err
	}
	*a.turn = *resumed
	return nil
}

// work calls the model and keeps its text for the readers of the turn. A turn that another operation has completed in
// the meantime has its answer.
func (a *attempt) work(ctx context.Context) (err error) {
	if a.turn.Done != nil {
		return nil
	}
	streamed := a.started != nil
	if !streamed && a.turn.Attempt > 1 { // the readers of an earlier attempt read this attempt too
		if streamed, err = a.Chunks.Any(ctx, a.turn.ID); err != nil {
			return err
		}
	}
	ctx, a.writer = a.Live.Begin(ctx, *a.turn, streamed)
	defer a.writer.Close()
	if a.started != nil {
		a.started(a.turn.ID)
	}
	if err = context.Cause(ctx); err == nil {
		a.reply, err = a.Ask(ctx, *a.turn, a.writer.Write)
	}
	switch cause := context.Cause(ctx); {
	case err != nil && errors.Is(cause, ports.ErrCancel):
		return ports.ErrTurnCancelled.With("turn_id", a.turn.ID).Because(ports.ErrCancel)
	case err != nil && errors.Is(cause, ports.ErrCut):
		return fail.ErrInProgress.Because(ports.ErrCut)
	}
	return err
}

// finish stores the answer and publishes that the turn is completed.
func (a *attempt) finish(ctx context.Context) (domain.CompletedTurn, error) {
	if a.turn.Done != nil {
		return domain.CompletedTurn{Turn: *a.turn, Answer: *a.turn.Done, Reply: a.turn.DoneBy}, nil
	}
	if err := a.writer.Flush(ctx); err != nil {
		return domain.CompletedTurn{}, err
	}
	done := domain.CompletedTurn{Turn: *a.turn, Answer: a.turn.Answer(a.reply.Content, a.Now()), Reply: a.reply}
	done.Answer.Citations, done.Answer.Structured = a.reply.Citations, a.reply.Structured
	if err := a.Turns.Complete(ctx, done.Turn, done.Answer, done.Reply); err != nil {
		return done, err
	}
	return done, a.Events.TurnCompleted(ctx, done.Turn, done.Answer, done.Reply)
}

// end shows the readers of the turn its end.
func (a *attempt) end() {
	if a.writer != nil {
		a.writer.End()
	}
}
