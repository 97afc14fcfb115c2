package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// CancelTurn ends a turn that runs. The process that runs it is asked to, wherever it is, so that the model's call stops
// and the text so far is kept; one that says nothing is not waited for.
type CancelTurn struct {
	Records  ports.Records
	Cancels  ports.Cancels
	Pieces   ports.Pieces
	Live     ports.Live
	Patience time.Duration // with the process that runs the turn
	Now      func() time.Time
}

const lookForEnd = 200 * time.Millisecond // whether a turn has ended, where no notification tells

// Ask asks for a turn to be cancelled by the caller's operation and waits until it has ended, or for as long as Patience
// says. It changes nothing by itself, so it may be asked again.
func (u CancelTurn) Ask(ctx context.Context, thread, turn uuid.UUID) error {
	record, err := u.Records.Get(ctx, thread, turn)
	if err != nil || record.Ended() {
		return err
	}
	changed, stop := u.Live.Watch(turn)
	defer stop()
	if err := u.Cancels.Request(ctx, turn); err != nil {
		return err
	}
	u.Live.Cancel(turn, record.Attempt)
	ctx, cancel := context.WithTimeout(ctx, u.Patience)
	defer cancel()
	look := time.NewTicker(lookForEnd)
	defer look.Stop()
	for {
		select {
		case <-changed:
		case <-look.C:
		case <-ctx.Done():
			return nil
		}
		if record, err = u.Records.Get(ctx, thread, turn); err != nil || record.Ended() {
			return nil // Do will see
		}
	}
}

// Do gives the turn that the operation has cancelled. One that runs still is cancelled with what is kept of its text: the
// process that runs it is too late, whatever it brings. ErrTurnEnded where the turn came to another end.
func (u CancelTurn) Do(ctx context.Context, thread, turn, operation uuid.UUID) (domain.Record, error) {
	record, err := u.Records.Get(ctx, thread, turn)
	if err != nil {
		return record, err
	}
	if record.Status == domain.TurnCancelled && record.CancelledBy == operation {
		return record, nil
	}
	if record.Ended() {
		return record, ports.ErrTurnEnded.With("status", record.Status)
	}
	pieces, _, err := u.Pieces.List(ctx, turn, record.Attempt, 0)
	if err != nil {
		return record, err
	}
	t := domain.Turn{
		ID: record.ID, ThreadID: thread, OperationID: record.OperationID, User: record.User, Attempt: record.Attempt, StartedAt: record.CreatedAt,
		Asked: domain.ModelName{Provider: record.Provider, Name: record.Model},
	}
	partial := t.Partial(pieces, u.Now())
	record.Usage = domain.Usage{ // nobody who knows more has told
		InputTokens: new(domain.TokensOf(len(record.User.Content))), OutputTokens: new(domain.TokensOf(len(partial.Content))), Estimated: true,
	}
	if err := u.Cancels.Cancel(ctx, t, partial, record.Reply); err != nil {
		return record, err
	}
	record.Status, record.FinishedAt, record.CancelledBy = domain.TurnCancelled, &partial.CreatedAt, operation
	if partial.Content != "" {
		record.Answer = &partial
	}
	return record, nil
}
