package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/page"
)

// TurnViews reads and cancels turns.
type TurnViews struct {
	DB     *postgres.DB
	Limits usage.Limits // with a cancelled turn the usage may reach the warning level of these
}

func (r TurnViews) Get(ctx context.Context, thread, turn uuid.UUID) (domain.TurnView, error) {
	q, workspace := queries(ctx, r.DB)
	row, err := q.GetTurn(ctx, conversationsdb.GetTurnParams{WorkspaceID: workspace, ThreadID: thread, TurnID: turn})
	if postgres.IsMissing(err) {
		return domain.TurnView{}, ports.ErrTurnNotFound
	}
	if err != nil {
		return domain.TurnView{}, fmt.Errorf("read the turn: %w", err)
	}
	view, err := toTurnView(row)
	if err == nil {
		view.User.Attachments, err = toAttachments(row.UserAttachments)
	}
	if view.Answer != nil && err == nil {
		view.Answer.Citations, err = toCitations(row.AnswerCitations)
	}
	return view, err
}

// List returns the turns of a branch of a thread. It returns no texts except the partial answers of cancelled turns.
func (r TurnViews) List(ctx context.Context, thread uuid.UUID, branch domain.Branch, before *ports.MessagePosition, limit int) ([]domain.TurnView, error) {
	q, workspace := queries(ctx, r.DB)
	p := conversationsdb.ListTurnsParams{
		WorkspaceID: workspace, ThreadID: thread, Before: math.MaxInt64, Count: int32(limit), MaxBytes: page.MaxBytes,
		Everything: branch.All, Branch: branch.TurnID,
	}
	if before != nil {
		p.Before = before.Seq
	}
	rows, err := q.ListTurns(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("list turns: %w", err)
	}
	if len(rows) == 0 {
		return []domain.TurnView{}, r.checkBranch(ctx, thread, branch)
	}
	views := make([]domain.TurnView, len(rows))
	for i, row := range rows {
		if views[i], err = toTurnView(conversationsdb.GetTurnRow(row)); err != nil {
			return nil, err
		}
	}
	return views, nil
}

// checkBranch returns ports.ErrThreadNotFound where there is no such thread, and ports.ErrNoBranch where it has no such turn.
func (r TurnViews) checkBranch(ctx context.Context, thread uuid.UUID, branch domain.Branch) error {
	if _, err := NewThreads(r.DB).Get(ctx, thread); err != nil || branch.TurnID == nil {
		return err
	}
	_, err := r.Get(ctx, thread, *branch.TurnID)
	if errors.Is(err, ports.ErrTurnNotFound) {
		return ports.ErrNoBranch
	}
	return err
}

func (r TurnViews) OfOperation(ctx context.Context) (uuid.UUID, error) {
	q, workspace := queries(ctx, r.DB)
	c := callctx.From(ctx)
	id, err := q.FindTurnOfOperation(ctx, conversationsdb.FindTurnOfOperationParams{
		WorkspaceID: workspace, ActorID: c.Principal.UserID, OperationID: c.Operation.ID,
	})
	if postgres.IsMissing(err) {
		return uuid.Nil, nil
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("find the operation's turn: %w", err)
	}
	return id, nil
}

// Read says that the running turn of the caller's operation is read for some time from now on.
func (r TurnViews) Read(ctx context.Context, d time.Duration) error {
	c := callctx.From(ctx)
	err := r.DB.WriteOnce(ctx, func(ctx context.Context) error {
		q, workspace := queries(ctx, r.DB)
		return q.MarkTurnRead(ctx, conversationsdb.MarkTurnReadParams{
			WorkspaceID: workspace, ActorID: c.Principal.UserID, OperationID: c.Operation.ID, Seconds: d.Seconds(),
		})
	})
	if err != nil {
		return fmt.Errorf("mark the turn as read: %w", err)
	}
	return nil
}

// Reader returns the running turn of the caller's operation, and whether it is read.
func (r TurnViews) Reader(ctx context.Context) (ports.ReadTurn, error) {
	q, workspace := queries(ctx, r.DB)
	c := callctx.From(ctx)
	row, err := q.GetTurnReader(ctx, conversationsdb.GetTurnReaderParams{
		WorkspaceID: workspace, ActorID: c.Principal.UserID, OperationID: c.Operation.ID,
	})
	if postgres.IsMissing(err) {
		return ports.ReadTurn{}, nil
	}
	if err != nil {
		return ports.ReadTurn{}, fmt.Errorf("find the reader of a turn: %w", err)
	}
	return ports.ReadTurn{Thread: row.ThreadID, Turn: row.ID, Read: row.IsRead}, nil
}

// Attendance returns the running turn of the caller's operation where its thread expires, and who reads it.
func (r TurnViews) Attendance(ctx context.Context) (ports.Attendance, error) {
	q, workspace := queries(ctx, r.DB)
	c := callctx.From(ctx)
	row, err := q.GetTurnAttendance(ctx, conversationsdb.GetTurnAttendanceParams{
		WorkspaceID: workspace, ActorID: c.Principal.UserID, OperationID: c.Operation.ID,
	})
	if postgres.IsMissing(err) {
		return ports.Attendance{}, nil
	}
	if err != nil {
		return ports.Attendance{}, fmt.Errorf("find who reads a turn: %w", err)
	}
	return ports.Attendance{
		ReadTurn: ports.ReadTurn{Thread: row.ThreadID, Turn: row.ID, Read: row.IsRead}, Unread: time.Duration(row.UnreadSeconds * float64(time.Second)),
	}, nil
}

// Canceller returns the cancelled turn of the caller's operation and the operation that has cancelled it.
func (r TurnViews) Canceller(ctx context.Context) (turn, operation uuid.UUID, err error) {
	q, workspace := queries(ctx, r.DB)
	c := callctx.From(ctx)
	row, err := q.GetCanceller(ctx, conversationsdb.GetCancellerParams{
		WorkspaceID: workspace, ActorID: c.Principal.UserID, OperationID: c.Operation.ID,
	})
	switch {
	case postgres.IsMissing(err):
		return uuid.Nil, uuid.Nil, nil
	case err != nil:
		return uuid.Nil, uuid.Nil, fmt.Errorf("find what has cancelled a turn: %w", err)
	case row.CancelOperation != nil:
		operation = *row.CancelOperation
	}
	return row.ID, operation, nil
}

// Request asks for a turn to be cancelled in a transaction of its own, which commits before it returns.
func (r TurnViews) Request(ctx context.Context, turn uuid.UUID) error {
	operation := callctx.From(ctx).Operation.ID
	err := r.DB.WriteOnce(ctx, func(ctx context.Context) error {
		q, workspace := queries(ctx, r.DB)
		_, err := q.RequestCancel(ctx, conversationsdb.RequestCancelParams{WorkspaceID: workspace, TurnID: turn, OperationID: &operation})
		return err
	})
	if err != nil {
		return fmt.Errorf("ask for the turn to be cancelled: %w", err)
	}
	return nil
}

func (r TurnViews) Requested(ctx context.Context, turn uuid.UUID, attempt int) (bool, error) {
	q, workspace := queries(ctx, r.DB)
	wanted, err := q.GetCancelRequest(ctx, conversationsdb.GetCancelRequestParams{WorkspaceID: workspace, TurnID: turn, Attempt: int32(attempt)})
	if postgres.IsMissing(err) {
		return false, nil
	}
	return wanted, err
}

func (r TurnViews) Cancel(ctx context.Context, t domain.Turn, partial domain.Message, reply domain.Reply) error {
	q, workspace := queries(ctx, r.DB)
	at := partial.CreatedAt
	end := ended(ctx, t, domain.TurnCancelled, at, reply, r.Limits.JSON())
	if !t.StartedAt.IsZero() { // zero where the turn was resumed: the start of its attempt is not known here
		end.LatencyMs = new(int32(at.Sub(t.StartedAt).Milliseconds()))
	}
	end.Answered, end.FinishReason = partial.Content != "", nil
	err := errors.Join(q.FinishTurn(ctx, end), r.DB.Flush(ctx))
	if postgres.IsMissing(err) {
		return fmt.Errorf("%w: %w", ports.ErrOvertaken, err)
	}
	if err != nil {
		return fmt.Errorf("cancel the turn: %w", err)
	}
	if partial.Content != "" {
		citations, err := citationsRow(partial.Citations)
		if err != nil {
			return err
		}
		err = q.CreateCancelledMessage(ctx, conversationsdb.CreateCancelledMessageParams{
			WorkspaceID: workspace, ID: partial.ID, ThreadID: t.ThreadID, TurnID: &t.ID, Seq: partial.Seq,
			Content: partial.Content, OperationID: partial.OperationID, CreatedAt: at, Citations: citations,
		})
		if err != nil {
			return fmt.Errorf("store the answer that broke off: %w", err)
		}
	}
	return q.TellOfTurn(ctx, t.ID.String())
}

func toTurnView(row conversationsdb.GetTurnRow) (domain.TurnView, error) {
	variables, err := toVariables(row.Variables)
	r := domain.TurnView{
		ID: row.ID, ThreadID: row.ThreadID, ActorID: row.ActorID, OperationID: row.OperationID, ParentID: row.ParentID, BotID: row.BotID,
		BotVersion: toInt(row.BotVersion), Status: domain.TurnStatus(row.Status), Attempt: int(row.Attempt),
		Reply: domain.Reply{
			Provider: row.Provider, Model: row.Model, Latency: milliseconds(row.LatencyMs), FirstToken: milliseconds(row.FirstTokenMs),
			Usage: domain.Usage{
				InputTokens: toInt(row.InputTokens), OutputTokens: toInt(row.OutputTokens), CachedTokens: toInt(row.CachedTokens),
				CostMicros: row.CostMicros, Estimated: row.UsageEstimated,
			},
		},
		User: domain.Message{
			ID: row.UserID, ThreadID: row.ThreadID, TurnID: &row.ID, Seq: row.UserSeq, Role: domain.RoleUser, Content: row.UserContent,
			OperationID: &row.OperationID, CreatedAt: row.UserCreatedAt,
		},
		CreatedAt: row.CreatedAt, FinishedAt: row.FinishedAt, Variables: variables,
	}
	if row.FinishReason != nil {
		r.FinishReason = domain.FinishReason(*row.FinishReason)
	}
	if row.CancelOperation != nil {
		r.CancelledBy = *row.CancelOperation
	}
	if r.Status == domain.TurnFailed {
		r.Failure = &domain.Failure{Code: errAbandoned.Code, Message: errAbandoned.Message}
		if row.ErrorCode != nil && row.ErrorMessage != nil {
			r.Failure = &domain.Failure{Code: *row.ErrorCode, Message: *row.ErrorMessage, Details: toDetails(row.ErrorDetails)}
		}
	}
	if row.AnswerID != nil {
		r.Answer = &domain.Message{
			ID: *row.AnswerID, ThreadID: row.ThreadID, TurnID: &row.ID, Seq: row.UserSeq + 1, Role: domain.RoleAssistant,
			OperationID: &row.OperationID, CreatedAt: *row.AnswerCreatedAt, Cancelled: *row.AnswerStatus == string(domain.TurnCancelled),
			Structured: row.AnswerStructured,
		}
		if row.AnswerContent != nil {
			r.Answer.Content = *row.AnswerContent
		}
	}
	return r, err
}

// toDetails reads the details of a failure, which only Fail writes.
func toDetails(raw []byte) (details map[string]any) {
	if len(raw) == 0 || json.Unmarshal(raw, &details) != nil {
		return nil
	}
	return details
}

func milliseconds(n *int32) time.Duration {
	if n == nil {
		return 0
	}
	return time.Duration(*n) * time.Millisecond
}

func toInt(n *int32) *int {
	if n == nil {
		return nil
	}
	v := int(*n)
	return &v
}
