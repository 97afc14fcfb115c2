package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
)

// CancelTurn cancels a running turn. It asks the process that runs the turn to stop, so that the model's call ends and
// the text so far is stored. Where the process does not respond within Timeout, it cancels the turn itself.
type CancelTurn struct {
	Operations ports.Operations
	Views      ports.TurnViews
	Cancels    ports.Cancels
	Chunks     ports.Chunks
	Live       ports.Live
	Timeout    time.Duration // for the process that runs the turn
	Now        func() time.Time
}

// Do cancels a turn and returns it as the answer. Errors are ports.ErrTurnNotFound, and ports.ErrTurnEnded where the
// turn has ended in another way.
func (u CancelTurn) Do(ctx context.Context, thread, turn uuid.UUID) (ports.Answer, error) {
	if err := u.request(ctx, thread, turn); err != nil {
		return ports.Answer{}, err
	}
	entry := ports.AuditRecord{Action: "turn.cancel", Thread: thread, Turn: turn}
	cancel := func(ctx context.Context) (domain.TurnView, error) {
		return u.cancel(ctx, thread, turn, callctx.From(ctx).Operation.ID)
	}
	answer, err := u.Operations.RunOnce(ctx, entry, cancel)
	if errors.Is(err, ports.ErrOvertaken) { // the turn ended between the reading and the writing: reading it again shows how
		answer, err = u.Operations.RunOnce(ctx, entry, cancel)
	}
	return answer, err
}

const endPoll = 200 * time.Millisecond // between checks of a turn whose end is waited for, where no notification is received

// request requests that the caller's operation cancels the turn, and waits until the turn has ended, at most for
// Timeout. It may be repeated.
func (u CancelTurn) request(ctx context.Context, thread, turn uuid.UUID) error {
	view, err := u.Views.Get(ctx, thread, turn)
	if err != nil || view.Ended() || view.Status == domain.TurnWaiting { // which no process runs
		return err
	}
	changed, stop := u.Live.Watch(turn)
	defer stop()
	if err := u.Cancels.Request(ctx, turn); err != nil {
		return err
	}
	u.Live.Cancel(turn, view.Attempt)
	ctx, cancel := context.WithTimeout(ctx, u.Timeout)
	defer cancel()
	look := time.NewTicker(endPoll)
	defer look.Stop()
	for {
		select {
		case <-changed:
		case <-look.C:
		case <-ctx.Done():
			return nil
		}
		if view, err = u.Views.Get(ctx, thread, turn); err != nil || view.Ended() {
			return nil // cancel reads the state
		}
	}
}

// cancel returns the turn that the operation has cancelled. A turn that still runs is cancelled with its stored text;
// later results of its process are dropped.
func (u CancelTurn) cancel(ctx context.Context, thread, turn, operation uuid.UUID) (domain.TurnView, error) {
	view, err := u.Views.Get(ctx, thread, turn)
	if err != nil {
		return view, err
	}
	if view.Status == domain.TurnCancelled && view.CancelledBy == operation {
		return view, nil
	}
	if view.Ended() {
		return view, ports.ErrTurnEnded.With("status", view.Status)
	}
	chunks, _, err := u.Chunks.List(ctx, turn, view.Attempt, 0)
	if err != nil {
		return view, err
	}
	t := domain.Turn{
		ID: view.ID, ThreadID: thread, OperationID: view.OperationID, User: view.User, Attempt: view.Attempt, StartedAt: view.CreatedAt,
		Asked: domain.ModelName{Provider: view.Provider, Name: view.Model},
	}
	partial := t.Partial(chunks, u.Now())
	view.Usage = lostUsage(view, partial.Content) // the process that has it has not responded
	if err := u.Cancels.Cancel(ctx, t, partial, view.Reply); err != nil {
		return view, err
	}
	view.Status, view.FinishedAt, view.CancelledBy = domain.TurnCancelled, &partial.CreatedAt, operation
	if partial.Content != "" {
		view.Answer = &partial
	}
	return view, nil
}

// lostUsage estimates the usage of an attempt from the texts. That of a turn that waits is none: its steps are counted, and no model is at
// work.
func lostUsage(r domain.TurnView, said string) domain.Usage {
	if r.Status == domain.TurnWaiting {
		return domain.Usage{}
	}
	return domain.Usage{InputTokens: new(domain.TokensOf(len(r.User.Content))), OutputTokens: new(domain.TokensOf(len(said))), Estimated: true}
}
