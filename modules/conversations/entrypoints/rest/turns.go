package rest

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/page"
)

const defaultTurns = 20

// ListTurns implements the call.
func (s Server) ListTurns(ctx context.Context, r ListTurnsRequestObject) (ListTurnsResponseObject, error) {
	filter := r.ThreadID.String()
	before, err := s.TurnCursors.Decode(ctx, filter, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	limit := page.Limit(r.Params.Limit, defaultTurns)
	rows, err := s.Records.List(ctx, r.ThreadID, before, limit+1)
	if err != nil {
		return nil, err
	}
	items, more := page.CutBytes(rows, limit, bytesOfTurn)
	next, err := page.Next(ctx, s.TurnCursors, filter, items, more, func(t domain.Record) ports.MessagePosition {
		return ports.MessagePosition{Seq: t.User.Seq}
	})
	return ListTurns200JSONResponse{Items: page.Map(items, toTurnRecord), HasMore: more, NextCursor: next}, err
}

// bytesOfTurn is how many bytes of text a turn in a list has: what it had said when it was cancelled.
func bytesOfTurn(t domain.Record) int {
	if t.Answer == nil {
		return 0
	}
	return len(t.Answer.Content)
}

// GetTurn implements the call.
func (s Server) GetTurn(ctx context.Context, r GetTurnRequestObject) (GetTurnResponseObject, error) {
	record, err := s.Records.Get(ctx, r.ThreadID, r.TurnID)
	return GetTurn200JSONResponse(toTurnRecord(record)), err
}

// CancelTurn implements the call. What it waits for comes before its transaction, which finds the turn ended or ends it.
func (s Server) CancelTurn(ctx context.Context, r CancelTurnRequestObject) (CancelTurnResponseObject, error) {
	if err := s.Cancel.Ask(ctx, r.ThreadID, r.TurnID); err != nil {
		return nil, err
	}
	cancel := func(ctx context.Context) (command.Outcome, error) {
		record, err := s.Cancel.Do(ctx, r.ThreadID, r.TurnID, call.From(ctx).Operation.ID)
		return command.Outcome{
			Answer: CancelTurn200JSONResponse(toTurnRecord(record)).VisitCancelTurnResponse,
			Audit: audit.Entry{
				Action: "turn.cancel", Resource: "thread", ResourceID: r.ThreadID, Changes: map[string]any{"turn_id": r.TurnID},
			},
		}, err
	}
	answer, err := s.Commands.Run(ctx, cancel)
	if errors.Is(err, ports.ErrOvertaken) { // between its reading and its writing, which a second look tells
		answer, err = s.Commands.Run(ctx, cancel)
	}
	return stored{answer}, err
}

// RetryTurn implements the call: the turn goes on as its own operation would, under this call's.
func (s Server) RetryTurn(ctx context.Context, r RetryTurnRequestObject) (RetryTurnResponseObject, error) {
	record, err := s.Records.Get(ctx, r.ThreadID, r.TurnID)
	if err != nil {
		return nil, err
	}
	turn := domain.Turn{ID: r.TurnID, ThreadID: r.ThreadID, ActorID: record.ActorID, OperationID: record.OperationID}
	run := func(long command.Long) (command.Answer, error) {
		long.Audit.Action, long.Wide = "turn.retry", true
		long.Begin = func(ctx context.Context) error {
			err := s.Turn.Resume(ctx, &turn)
			if errors.Is(err, command.ErrInProgress) || err == nil && turn.Done != nil {
				return ports.ErrNotRetryable.With("turn_id", r.TurnID)
			}
			return err
		}
		return s.Commands.RunLong(ctx, long)
	}
	if wantsStream(ctx) {
		from, err := positionOfOperation(ctx, r.Params.LastEventID, r.Params.LastEventIDQuery)
		if err != nil {
			return nil, err
		}
		return s.stream(ctx, &turn, from, func(started func()) (command.Answer, error) {
			return run(s.steps(&turn, true, started))
		}, func(context.Context) (uuid.UUID, error) { return r.TurnID, nil }), nil
	}
	answer, err := s.whileAllowed(ctx, func() (command.Answer, error) { return run(s.Steps(&turn)) })
	return stored{answer}, err
}

// FollowTurn implements the call.
func (s Server) FollowTurn(ctx context.Context, r FollowTurnRequestObject) (FollowTurnResponseObject, error) {
	from, err := positionOf(r.Params.LastEventID, r.Params.LastEventIDQuery)
	if err != nil {
		return nil, err
	}
	if err := s.Follow.Check(ctx, r.ThreadID, r.TurnID); err != nil {
		return nil, err
	}
	return turnStream{server: s, ctx: ctx, thread: r.ThreadID, turn: &domain.Turn{ID: r.TurnID}, from: from}, nil
}

func toTurnRecord(r domain.Record) TurnRecord {
	t := TurnRecord{
		ID: r.ID, ThreadID: r.ThreadID, Status: TurnStatus(r.Status), Attempt: r.Attempt, OperationID: r.OperationID,
		BotID: r.BotID, BotVersion: toVersion(r.BotVersion), Provider: r.Provider, Model: r.Model, Usage: toTurnUsage(r),
		FirstTokenMs: r.FirstTokenMS(), FinishReason: r.FinishedBy(), UserMessageID: r.User.ID, CreatedAt: r.CreatedAt, FinishedAt: r.FinishedAt,
	}
	if r.Ended() {
		t.LatencyMs = new(r.Latency.Milliseconds())
	}
	if r.Failure != nil {
		t.Error = &TurnFailure{Code: r.Failure.Code, Message: r.Failure.Message, Details: r.Failure.Details}
	}
	if r.Answer != nil {
		t.AssistantMessageID = &r.Answer.ID
		if r.Answer.Cancelled {
			t.PartialText = &r.Answer.Content
		}
	}
	return t
}

func toVersion(n *int) *int32 {
	if n == nil {
		return nil
	}
	return new(int32(*n))
}

func toTurnUsage(r domain.Record) TurnUsage {
	return TurnUsage{InputTokens: r.InputTokens, CachedTokens: r.CachedTokens, OutputTokens: r.OutputTokens, CostMicros: r.CostMicros, Estimated: r.Estimated}
}
