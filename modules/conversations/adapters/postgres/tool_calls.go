package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
)

var _ ports.ToolCalls = ToolCalls{}

// ToolCalls stores the calls of tools that turns make.
type ToolCalls struct {
	DB     *postgres.DB
	Limits usage.Limits // of which the steps use
}

// toolCallRow is a call as it is inserted.
type toolCallRow struct {
	ID         uuid.UUID       `json:"id"`
	Step       int             `json:"step"`
	Place      int             `json:"place"`
	Said       string          `json:"said"`
	ModelID    string          `json:"model_id"`
	Name       string          `json:"name"`
	ToolID     *uuid.UUID      `json:"tool_id"`
	Version    *int            `json:"tool_version"`
	Kind       string          `json:"kind"`
	Effect     string          `json:"effect"`
	Repeatable bool            `json:"repeatable"`
	Arguments  json.RawMessage `json:"arguments"`
	Status     string          `json:"status"`
	Result     *string         `json:"result"`
	Reason     *string         `json:"reason"`
	Attempt    int             `json:"attempt"`
	ExpiresAt  *time.Time      `json:"expires_at"`
	StartedAt  *time.Time      `json:"started_at"`
	FinishedAt *time.Time      `json:"finished_at"`
}

func toToolCallRow(c domain.ToolCall) toolCallRow {
	effect := "read"
	if c.Writes {
		effect = "write"
	}
	return toolCallRow{
		ID: c.ID, Step: c.Step, Place: c.Place, Said: domain.Storable(c.Said), ModelID: domain.Storable(c.ModelCall.ID), Name: domain.Storable(c.Name),
		ToolID: c.ToolID, Version: c.Version, Kind: string(c.Kind), Effect: effect, Repeatable: c.Repeatable, Arguments: c.Arguments,
		Status: string(c.Status), Result: known(c.Result), Attempt: c.Sent, ExpiresAt: c.ExpiresAt, StartedAt: c.StartedAt, FinishedAt: c.FinishedAt,
	}
}

// AddStep stores the calls of a step and counts the usage of the model.
func (s ToolCalls) AddStep(ctx context.Context, t domain.Turn, calls []domain.ToolCall, reply domain.Reply) error {
	rows := make([]toolCallRow, len(calls))
	for i, c := range calls {
		rows[i] = toToolCallRow(c)
	}
	encoded, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("encode the calls of tools: %w", err)
	}
	tools, err := json.Marshal(t.Tools)
	if err != nil {
		return fmt.Errorf("encode the tools of the turn: %w", err)
	}
	return s.write(ctx, "store the calls of tools", func(ctx context.Context) error {
		q, workspace := queries(ctx, s.DB)
		return q.AddToolStep(ctx, conversationsdb.AddToolStepParams{
			WorkspaceID: workspace, TurnID: t.ID, Attempt: int32(t.Attempt), Tools: tools, Calls: encoded, Limits: s.Limits.JSON(),
			LeaseUntil: t.LeaseUntil, Moment: calls[0].CreatedAt, Provider: known(reply.Provider), Model: known(reply.Model),
			InputTokens: toInt64(reply.InputTokens), OutputTokens: toInt64(reply.OutputTokens), CachedTokens: toInt64(reply.CachedTokens),
			CostMicros: reply.CostMicros, ChargedMicros: reply.ChargedMicros,
		})
	})
}

// write runs a change of a running attempt in a transaction of its own.
func (s ToolCalls) write(ctx context.Context, doing string, change func(ctx context.Context) error) error {
	err := s.DB.Write(ctx, change)
	if postgres.IsMissing(err) {
		return ports.ErrOvertaken
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// Start stores that calls are sent.
func (s ToolCalls) Start(ctx context.Context, t domain.Turn, calls []uuid.UUID, at time.Time) error {
	return s.write(ctx, "start calls of tools", func(ctx context.Context) error {
		q, workspace := queries(ctx, s.DB)
		return q.StartToolCalls(ctx, conversationsdb.StartToolCallsParams{
			WorkspaceID: workspace, TurnID: t.ID, Attempt: int32(t.Attempt), Ids: calls, Moment: at,
		})
	})
}

// Finish stores the final status of a call.
func (s ToolCalls) Finish(ctx context.Context, t domain.Turn, c domain.ToolCall) error {
	return s.write(ctx, "finish the call of a tool", func(ctx context.Context) error {
		q, workspace := queries(ctx, s.DB)
		return q.FinishToolCall(ctx, conversationsdb.FinishToolCallParams{
			WorkspaceID: workspace, TurnID: t.ID, Attempt: int32(t.Attempt), ID: c.ID, Status: string(c.Status), Result: known(c.Result), Moment: *c.FinishedAt,
		})
	})
}

// OfTurn returns the calls of a turn; those that nobody has decided in time are expired first.
func (s ToolCalls) OfTurn(ctx context.Context, turn uuid.UUID, at time.Time) (calls []domain.ToolCall, err error) {
	err = s.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := queries(ctx, s.DB)
		if err := q.ExpireToolCalls(ctx, conversationsdb.ExpireToolCallsParams{WorkspaceID: workspace, TurnID: turn, Moment: at}); err != nil {
			return err
		}
		rows, err := q.ToolCallsOfTurn(ctx, conversationsdb.ToolCallsOfTurnParams{WorkspaceID: workspace, TurnID: turn})
		for _, row := range rows {
			calls = append(calls, toToolCall(row))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the calls of tools: %w", err)
	}
	return calls, nil
}

// Get returns ports.ErrToolCallNotFound where there is no such call.
func (s ToolCalls) Get(ctx context.Context, id uuid.UUID) (domain.ToolCall, error) {
	q, workspace := queries(ctx, s.DB)
	row, err := q.GetToolCall(ctx, conversationsdb.GetToolCallParams{WorkspaceID: workspace, ID: id})
	if postgres.IsMissing(err) {
		return domain.ToolCall{}, ports.ErrToolCallNotFound
	}
	if err != nil {
		return domain.ToolCall{}, fmt.Errorf("read the call of a tool: %w", err)
	}
	c := toToolCall(row.ToolCall)
	c.BotID = row.BotID
	return c, nil
}

// List returns calls, newest first.
func (s ToolCalls) List(ctx context.Context, f ports.ToolCallFilter, before *ports.ToolCallPosition, limit int) ([]domain.ToolCall, error) {
	q, workspace := queries(ctx, s.DB)
	p := conversationsdb.ListToolCallsParams{WorkspaceID: workspace, TurnID: f.TurnID, Most: int32(limit)}
	if f.Status != nil {
		p.Status = new(string(*f.Status))
	}
	if before != nil {
		p.Before = &before.ID
	}
	rows, err := q.ListToolCalls(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("list the calls of tools: %w", err)
	}
	calls := make([]domain.ToolCall, len(rows))
	for i, row := range rows {
		calls[i] = toToolCall(row.ToolCall)
		calls[i].BotID = row.BotID
	}
	return calls, nil
}

// Decide settles a call that waits, or whose outcome is unknown, in the transaction of the context.
func (s ToolCalls) Decide(ctx context.Context, d domain.Decision) (domain.ToolCall, error) {
	q, workspace := queries(ctx, s.DB)
	_, err := q.LockTurnOfToolCall(ctx, conversationsdb.LockTurnOfToolCallParams{WorkspaceID: workspace, ID: d.Call}) // before the call, as all others do
	if postgres.IsMissing(err) {
		return domain.ToolCall{}, ports.ErrToolCallNotFound
	}
	if err != nil {
		return domain.ToolCall{}, fmt.Errorf("lock the turn of a call: %w", err)
	}
	_, err = q.DecideToolCall(ctx, conversationsdb.DecideToolCallParams{
		WorkspaceID: workspace, ID: d.Call, Current: string(d.Current), Status: string(d.Status), DecidedBy: &d.By, Moment: d.At, Reason: known(d.Reason), Result: known(d.Result), Arguments: d.Arguments,
	})
	if err != nil && !postgres.IsMissing(err) {
		return domain.ToolCall{}, fmt.Errorf("decide the call of a tool: %w", err)
	}
	decided := err == nil
	c, err := s.Get(ctx, d.Call)
	if err == nil && !decided {
		err = ports.ErrToolCallDecided.With("status", c.Status)
	}
	return c, err
}

func toToolCall(row conversationsdb.ToolCall) domain.ToolCall {
	c := domain.ToolCall{
		ID: row.ID, TurnID: row.TurnID, ThreadID: row.ThreadID, Step: int(row.Step), Place: int(row.Place), Said: row.Said,
		ModelCall: domain.ModelCall{ID: row.ModelID, Name: row.Name, Arguments: row.Arguments},
		ToolID:    row.ToolID, Kind: domain.ToolKind(row.Kind), Writes: row.Effect == "write", Repeatable: row.Repeatable,
		Status: domain.ToolCallStatus(row.Status), Sent: int(row.Attempt), DecidedBy: row.DecidedBy, DecidedAt: row.DecidedAt,
		ExpiresAt: row.ExpiresAt, CreatedAt: row.CreatedAt, StartedAt: row.StartedAt, FinishedAt: row.FinishedAt,
	}
	if row.ToolVersion != nil {
		c.Version = new(int(*row.ToolVersion))
	}
	c.Result, c.Reason = valueOf(row.Result), valueOf(row.Reason)
	return c
}

// Wait ends the attempt of a turn whose calls wait. The turn is locked first: a decision is seen here, or finds the turn waiting.
func (s *Turns) Wait(ctx context.Context, t domain.Turn) (waiting []domain.ToolCall, err error) {
	q, workspace := queries(ctx, s.db)
	if err := q.LockTurn(ctx, conversationsdb.LockTurnParams{WorkspaceID: workspace, TurnID: t.ID}); err != nil {
		return nil, fmt.Errorf("lock the turn: %w", err)
	}
	rows, err := q.ToolCallsOfTurn(ctx, conversationsdb.ToolCallsOfTurnParams{WorkspaceID: workspace, TurnID: t.ID})
	if err != nil {
		return nil, fmt.Errorf("read the calls of tools: %w", err)
	}
	for _, row := range rows {
		if c := toToolCall(row); c.Status == domain.CallWaiting {
			waiting = append(waiting, c)
		}
	}
	err = q.WaitTurn(ctx, conversationsdb.WaitTurnParams{WorkspaceID: workspace, TurnID: t.ID, Attempt: int32(t.Attempt)})
	if err != nil {
		return nil, fmt.Errorf("let the turn wait: %w", err)
	}
	return waiting, nil
}

// waiting returns the error of a turn that waits, with its calls.
func (s *Turns) waiting(ctx context.Context, turn uuid.UUID) error {
	q, workspace := queries(ctx, s.db)
	rows, err := q.ToolCallsOfTurn(ctx, conversationsdb.ToolCallsOfTurnParams{WorkspaceID: workspace, TurnID: turn})
	if err != nil {
		return fmt.Errorf("read the calls of tools: %w", err)
	}
	var ids []uuid.UUID
	for _, row := range rows {
		if row.Status == string(domain.CallWaiting) {
			ids = append(ids, row.ID)
		}
	}
	return ports.ErrTurnWaiting.With("turn_id", turn).With("tool_calls", ids)
}
