package rest

import (
	"context"
	"errors"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
)

// TakeTurn implements the call.
func (s Server) TakeTurn(ctx context.Context, r TakeTurnRequestObject) (TakeTurnResponseObject, error) {
	c := call.From(ctx)
	turn, err := s.Turn.Prepare(usecases.Said{
		ThreadID: r.ThreadID, ActorID: c.Principal.UserID, OperationID: c.Operation.ID, Content: r.Body.Content,
	})
	if err != nil {
		return nil, err
	}
	for range busyTries {
		answer, err := s.Commands.RunLong(ctx, s.Steps(&turn))
		if !errors.Is(err, ports.ErrThreadBusy) {
			return stored{answer}, err
		}
		if err := s.Turn.Unblock(ctx, r.ThreadID); err != nil {
			return nil, err
		}
	}
	return nil, ports.ErrThreadBusy
}

// busyTries is how often a call tries for a thread whose turns end as soon as it asks which one is in its way: a refusal
// names that turn.
const busyTries = 50

// Steps are what the command pipeline runs of a turn: two transactions, and the model's call between them.
func (s Server) Steps(turn *domain.Turn) command.Long {
	var reply domain.Reply
	return command.Long{
		Audit: audit.Entry{
			Action: "turn.create", Resource: "thread", ResourceID: turn.ThreadID, Changes: map[string]any{"turn_id": turn.ID},
		},
		Begin:  func(ctx context.Context) error { return s.Turn.Begin(ctx, turn) },
		Resume: func(ctx context.Context) error { return s.Turn.Resume(ctx, turn) },
		Work: func(ctx context.Context) (err error) {
			reply, err = s.Turn.Ask(ctx, *turn, func(string) {}) // the whole answer is given at once
			return err
		},
		Finish: func(ctx context.Context) (command.Encoder, error) {
			message, err := s.Turn.Complete(ctx, *turn, reply)
			return TakeTurn200JSONResponse(toTurn(*turn, message, reply)).VisitTakeTurnResponse, err
		},
		Fail: func(ctx context.Context, cause error) error { return s.Turn.Fail(ctx, *turn, cause) },
	}
}
