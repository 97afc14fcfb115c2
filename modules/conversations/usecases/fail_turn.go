package usecases

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
)

const maxReason = 2000 // characters of an error that are stored

// fail stores how an attempt without an answer has ended: it was cancelled, it was stopped for another attempt to
// continue the turn, or it failed.
func (a *attempt) fail(ctx context.Context, cause error) error {
	if a.writer != nil {
		if err := a.writer.Flush(ctx); err != nil {
			return err
		}
	}
	switch {
	case a.writer != nil && errors.Is(cause, ports.ErrCancel):
		partial := a.turn.Partial([]string{a.writer.Text()}, a.Now())
		partial.Citations = a.reply.Citations
		return a.Cancels.Cancel(ctx, *a.turn, partial, a.reply)
	case a.writer != nil && errors.Is(cause, ports.ErrCut):
		return a.Turns.Cut(ctx, *a.turn, a.reply, a.Now())
	case errors.Is(cause, ports.ErrTurnWaiting):
		return a.wait(ctx)
	}
	return a.storeFailure(ctx, cause)
}

// wait ends the attempt of a turn that waits for calls of tools, and publishes them.
func (a *attempt) wait(ctx context.Context) error {
	waiting, err := a.Turns.Wait(ctx, *a.turn)
	if err != nil {
		return err
	}
	for _, c := range waiting {
		if err := a.Events.ToolCallWaiting(ctx, *a.turn, c); err != nil {
			return err
		}
	}
	return nil
}

// storeFailure stores that the model failed, and its usage. The user's message stays, and the operation may be
// repeated.
func (a *attempt) storeFailure(ctx context.Context, cause error) error {
	why, shown := []rune(domain.Storable(cause.Error())), fail.From(cause)
	failure := domain.Failure{Code: shown.Code, Message: shown.Message, Details: shown.Details}
	if err := a.Turns.Fail(ctx, *a.turn, a.reply, string(why[:min(len(why), maxReason)]), failure, a.Now()); err != nil {
		return fmt.Errorf("store that the turn failed: %w", err)
	}
	return a.Events.TurnFailed(ctx, *a.turn, a.reply, shown)
}
