package rest

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/access"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/operations"
)

// TakeTurn sends a message to a thread and returns the turn, or streams its events.
func (s Server) TakeTurn(ctx context.Context, r TakeTurnRequestObject) (TakeTurnResponseObject, error) {
	parent, err := parentOf(r.Body.ParentTurnID)
	if err == nil {
		err = checkBusiness(ctx, "variables", r.Body.Variables != nil)
	}
	if err != nil {
		return nil, err
	}
	in := usecases.NewTurn{
		Variables: r.Body.Variables,
		ThreadID:  r.ThreadID, Content: r.Body.Content, Follows: parent, Enqueue: r.Body.OnBusy != nil && *r.Body.OnBusy == Enqueue,
	}
	for _, a := range r.Body.Attachments {
		in.Files = append(in.Files, a.FileID)
	}
	if wantsStream(ctx) {
		from, err := positionOfOperation(ctx, r.Params.LastEventID, r.Params.LastEventIDQuery)
		return s.stream(ctx, r.ThreadID, from, func(ctx context.Context, read usecases.Reader) error {
			return s.Take.DoStreamed(ctx, in, from.id, read)
		}), err
	}
	return s.whileAllowed(ctx, r.ThreadID, func() (ports.Answer, error) { return s.Take.Do(ctx, in) })
}

// TryVersion takes a turn of a version of a bot in a trial thread.
func (s Server) TryVersion(ctx context.Context, r TryVersionRequestObject) (TryVersionResponseObject, error) {
	in, err := s.TryOut.Do(ctx, usecases.Trial{
		BotID: r.BotID, Version: int(r.Version), Content: r.Body.Content, Variables: r.Body.Variables, Thread: r.Body.ThreadID,
	})
	if err != nil {
		return nil, err
	}
	if wantsStream(ctx) {
		from, err := positionOfOperation(ctx, r.Params.LastEventID, r.Params.LastEventIDQuery)
		return s.stream(ctx, in.ThreadID, from, func(ctx context.Context, read usecases.Reader) error {
			return s.Take.DoStreamed(ctx, in, from.id, read)
		}), err
	}
	return s.whileAllowed(ctx, in.ThreadID, func() (ports.Answer, error) { return s.Take.Do(ctx, in) })
}

// RetryTurn makes another attempt at a turn that failed, under the operation of this call.
func (s Server) RetryTurn(ctx context.Context, r RetryTurnRequestObject) (RetryTurnResponseObject, error) {
	if wantsStream(ctx) {
		from, err := positionOfOperation(ctx, r.Params.LastEventID, r.Params.LastEventIDQuery)
		return s.stream(ctx, r.ThreadID, from, func(ctx context.Context, read usecases.Reader) error {
			return s.Retry.DoStreamed(ctx, r.ThreadID, r.TurnID, from.id, read)
		}), err
	}
	return s.whileAllowed(ctx, r.ThreadID, func() (ports.Answer, error) { return s.Retry.Do(ctx, r.ThreadID, r.TurnID) })
}

// CancelTurn cancels a turn that runs.
func (s Server) CancelTurn(ctx context.Context, r CancelTurnRequestObject) (CancelTurnResponseObject, error) {
	answer, err := s.Cancel.Do(ctx, r.ThreadID, r.TurnID)
	if err == nil {
		answer, err = answerFor(ctx, answer, recordFor)
	}
	return toStored(answer), err
}

// whileAllowed returns the response of a turn, unless the caller's right has ended in the meantime: then the error is
// an *access.End. The turn is stored all the same.
func (s Server) whileAllowed(ctx context.Context, thread uuid.UUID, take func() (ports.Answer, error)) (stored, error) {
	watched, stop := s.Access.Watch(ctx)
	defer stop()
	answer, err := take()
	waiting, waits := toWaiting(thread, err)
	if end := access.EndOf(watched, nil); end != nil && (err == nil || waits) {
		return stored{}, end
	}
	if waits {
		return waiting, nil
	}
	if err == nil {
		answer, err = answerFor(ctx, answer, turnFor)
	}
	return toStored(answer), err
}

// toStored returns the response of an operation on a turn.
func toStored(a ports.Answer) stored {
	return stored{command.Answer{
		Answer: operations.Answer{Status: http.StatusOK, ContentType: "application/json", Body: a.Body}, Replayed: a.Replayed,
	}}
}

// EncodeCompleted encodes the response of an operation that took a turn.
func EncodeCompleted(t domain.CompletedTurn) command.Encoder {
	return TakeTurn200JSONResponse(toTurn(t.Turn, t.Answer, t.Reply)).VisitTakeTurnResponse
}

// EncodeTurn encodes the response of an operation that cancelled a turn.
func EncodeTurn(t domain.TurnView) command.Encoder {
	return CancelTurn200JSONResponse(toTurnRecord(t)).VisitCancelTurnResponse
}
