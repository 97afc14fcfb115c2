package rest

import (
	"context"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/page"
)

// ListTurns lists the turns of a thread, newest first.
func (s Server) ListTurns(ctx context.Context, r ListTurnsRequestObject) (ListTurnsResponseObject, error) {
	branch, err := branchOf(r.Params.Branch)
	if err != nil {
		return nil, err
	}
	p, err := page.List[domain.TurnView, ports.MessagePosition]{
		Name: "turns", Filter: filterOf(r.ThreadID, branch), Size: bytesOfTurn,
		Position: func(t domain.TurnView) ports.MessagePosition { return ports.MessagePosition{Seq: t.User.Seq} },
		Read: func(ctx context.Context, before *ports.MessagePosition, limit int) ([]domain.TurnView, error) {
			return s.Views.List(ctx, r.ThreadID, branch, before, limit)
		},
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	mapped := func(t domain.TurnView) TurnRecord { return recordFor(ctx, toTurnRecord(t)) }
	return ListTurns200JSONResponse{Items: page.Map(p.Items, mapped), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// bytesOfTurn returns how many bytes of text a listed turn has: its partial answer if it was cancelled.
func bytesOfTurn(t domain.TurnView) int {
	if t.Answer == nil {
		return 0
	}
	return len(t.Answer.Content)
}

func (s Server) GetTurn(ctx context.Context, r GetTurnRequestObject) (GetTurnResponseObject, error) {
	turn, err := s.Views.Get(ctx, r.ThreadID, r.TurnID)
	return GetTurn200JSONResponse(recordFor(ctx, toTurnRecord(turn))), err
}

// FollowTurn streams the events of a turn.
func (s Server) FollowTurn(ctx context.Context, r FollowTurnRequestObject) (FollowTurnResponseObject, error) {
	from, err := positionOf(r.Params.LastEventID, r.Params.LastEventIDQuery)
	if err != nil {
		return nil, err
	}
	if err := s.Follow.Check(ctx, r.ThreadID, r.TurnID); err != nil {
		return nil, err
	}
	return s.stream(ctx, r.ThreadID, from, func(ctx context.Context, read usecases.Reader) error {
		return read(context.WithoutCancel(ctx), usecases.StreamStart{Turn: r.TurnID, Position: from.id})
	}), nil
}

func toTurnRecord(r domain.TurnView) TurnRecord {
	t := TurnRecord{
		ID: r.ID, ThreadID: r.ThreadID, ParentTurnID: r.ParentID, Status: TurnStatus(r.Status), Attempt: r.Attempt, OperationID: r.OperationID,
		BotID: r.BotID, BotVersion: toVersion(r.BotVersion), Provider: r.Provider, Model: r.Model, Usage: toTurnUsage(r),
		FirstTokenMs: r.FirstTokenMS(), FinishReason: r.FinishedBy(), UserMessageID: r.User.ID, Variables: r.Variables.OrNone(), CreatedAt: r.CreatedAt, FinishedAt: r.FinishedAt,
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

func toTurnUsage(r domain.TurnView) TurnUsage {
	return TurnUsage{InputTokens: r.InputTokens, CachedTokens: r.CachedTokens, OutputTokens: r.OutputTokens, CostMicros: r.CostMicros, Estimated: r.Estimated}
}
