package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
)

// Turns stores turns.
type Turns struct {
	db      *postgres.DB
	last    domain.ModelName // the model where no settings name one
	events  ports.Events
	limits  json.RawMessage
	maxCost int64 // the maximum costs of a workspace's turns in a month; 0: no limit

	process *uuid.UUID // the process that runs the turns; nil: their leases only end by time
}

// NewTurns makes Turns. Last is the model where neither bot nor workspace names one. Events publishes the turns that
// are given up. The limits apply to turns, messages, tokens and costs: Start returns fail.ErrLimitReached.
func NewTurns(db *postgres.DB, last domain.ModelName, events ports.Events, limits usage.Limits) *Turns {
	return &Turns{db: db, last: last, events: events, limits: limits.JSON(), maxCost: limits[usage.Cost]}
}

// In sets the process that runs the turns that begin here: the ID of a Process.
func (s *Turns) In(process uuid.UUID) { s.process = &process }

func (s *Turns) Start(ctx context.Context, t *domain.Turn) error {
	request, err := requestRow(t.Request)
	if err != nil {
		return err
	}
	variables, err := variablesRow(t.Given)
	if err != nil {
		return err
	}
	q, workspace := queries(ctx, s.db)
	if err := countTurn(ctx, q, t.StartedAt); err != nil {
		return err
	}
	if len(t.User.Attachments) > 0 {
		if err := findAttached(ctx, q, workspace, t.User.Attachments); err != nil {
			return err
		}
	}
	start := conversationsdb.StartTurnParams{
		WorkspaceID: workspace,
		ThreadID:    t.ThreadID,
		TurnID:      t.ID,
		ActorID:     t.ActorID,
		OperationID: t.OperationID,
		LastModel:   s.last.String(),
		LeaseUntil:  t.LeaseUntil,
		ProcessID:   s.process,
		CreatedAt:   t.StartedAt,
		MessageID:   t.User.ID,
		Content:     t.User.Content,
		Limits:      s.limits,
		Version:     toInt32(t.Version),
		Request:     request,
		MaxPieces:   domain.MaxPathPieces,
		Variables:   variables,
		Attached:    len(t.User.Attachments) > 0,
	}
	if t.Follows != nil {
		start.Fork, start.Parent = true, t.Follows.TurnID
	}
	row, err := q.StartTurn(ctx, start)
	switch {
	case postgres.IsMissing(err):
		return ports.ErrThreadNotFound
	case strings.HasPrefix(postgres.RefusedFor(err), ofVariable):
		return ports.UnknownVariable(strings.TrimPrefix(postgres.RefusedFor(err), ofVariable))
	case postgres.RefusedFor(err) != "":
		return refused(err)
	case postgres.Violates(err, "llm_turns_one_running"):
		return ports.ErrThreadBusy
	case postgres.Violates(err, "llm_turns_operation_key"): // the operation's record has expired, but the turn still exists
		return command.ErrExpired
	case err != nil:
		return fmt.Errorf("start the turn: %w", err)
	}
	t.CostLimited = s.maxCost > 0 || row.Limited
	t.ParentID, t.Path, t.Trial = row.ParentID, domain.Path(row.Path), row.Trial
	t.User.Seq, t.Channel = row.UserSeq, toChannel(row.EndpointID, row.ConversationID)
	t.Defaults, t.Asked = toDefaults(row.DefaultModel, row.Fallbacks), domain.ModelName{Provider: row.Provider, Name: row.Model}
	if row.BotID != nil {
		t.Pinned = &domain.Pinned{
			BotID: *row.BotID, Version: int(*row.Version), Instruction: *row.Instruction, Settings: row.Settings,
		}
	}
	if len(t.User.Attachments) > 0 {
		if err := addAttached(ctx, q, workspace, t); err != nil {
			return err
		}
	}
	t.Variables, err = toVariables(row.Variables)
	return err
}

// ofVariable begins the reason for which StartTurn refuses a variable.
const ofVariable = "variable "

// countTurn queues the count of a turn for an API key or an end user with limits. The next statement returns fail.ErrTooMany where they
// allow no more.
func countTurn(ctx context.Context, q *conversationsdb.Queries, now time.Time) error {
	p := callctx.From(ctx).Principal
	if p.KeyID != uuid.Nil && p.Limits != nil && p.Limits.Turns != nil {
		return q.BeginTurnOfKey(ctx, conversationsdb.BeginTurnOfKeyParams{WorkspaceID: p.WorkspaceID, KeyID: p.KeyID, Limits: p.Limits.Turns, Moment: now})
	}
	if p.EndUser == nil || p.EndUser.Turns == (callctx.TurnLimits{}) {
		return nil
	}
	limits, err := json.Marshal(p.EndUser.Turns)
	if err != nil {
		return fmt.Errorf("encode the limits of a token: %w", err)
	}
	return q.CountTurnOfCaller(ctx, conversationsdb.CountTurnOfCallerParams{WorkspaceID: p.WorkspaceID, CallerID: p.UserID, Limits: limits, Moment: now})
}

// refused returns the error for an archived thread or bot, and for a branch that a turn cannot begin.
func refused(err error) error {
	switch postgres.RefusedFor(err) {
	case "bot":
		return ports.ErrBotArchived
	case "parent":
		return ports.ErrNoParent
	case "branches":
		return ports.ErrBranches
	}
	return ports.ErrThreadArchived
}

// Resume returns command.ErrInProgress while the turn may still be running.
func (s *Turns) Resume(ctx context.Context, actor, operation uuid.UUID, lease time.Time) (*domain.Turn, error) {
	q, workspace := queries(ctx, s.db)
	err := q.LockThreadOfOperation(ctx, conversationsdb.LockThreadOfOperationParams{
		WorkspaceID: workspace, ActorID: actor, OperationID: operation,
	})
	if err != nil {
		return nil, fmt.Errorf("lock the turn's thread: %w", err)
	}
	row, err := q.ResumeTurn(ctx, conversationsdb.ResumeTurnParams{
		WorkspaceID: workspace, ActorID: actor, OperationID: operation, LeaseUntil: lease, ProcessID: s.process,
	})
	switch {
	case postgres.IsMissing(err):
		return s.whyNot(ctx, workspace, actor, operation)
	case postgres.RefusedFor(err) != "":
		return nil, refused(err)
	case postgres.Violates(err, "llm_turns_one_running"):
		return nil, ports.ErrThreadBusy
	case err != nil:
		return nil, fmt.Errorf("resume the turn: %w", err)
	}
	t := &domain.Turn{
		ID:          row.ID,
		ThreadID:    row.ThreadID,
		ActorID:     actor,
		OperationID: operation,
		Place:       domain.Place{ParentID: row.ParentID, Path: domain.Path(row.Path)},
		Trial:       row.Trial,
		User: domain.Message{
			ID: row.MessageID, ThreadID: row.ThreadID, TurnID: &row.ID, Seq: row.UserSeq, Role: domain.RoleUser, Content: row.Content,
			OperationID: &operation, CreatedAt: row.CreatedAt,
		},
		Channel:     toChannel(row.EndpointID, row.ConversationID),
		Asked:       domain.ModelName{Provider: row.Provider, Name: row.Model},
		Attempt:     int(row.Attempt),
		LeaseUntil:  lease,
		CostLimited: true, // assumed: the query does not read it
	}
	if row.Attached {
		all, err := Attachments{DB: s.db}.List(ctx, []uuid.UUID{t.ID}, math.MaxInt32)
		if err != nil {
			return nil, err
		}
		t.User.Attachments = all[t.ID]
	}
	pinned, err := q.GetPinnedVersion(ctx, conversationsdb.GetPinnedVersionParams{WorkspaceID: workspace, TurnID: t.ID})
	if err != nil {
		return nil, fmt.Errorf("read the pinned version: %w", err)
	}
	t.Defaults = toDefaults(pinned.DefaultModel, pinned.Fallbacks)
	if t.Request, err = toRequest(pinned.Request); err != nil {
		return nil, err
	}
	if t.Variables, err = toVariables(pinned.Variables); err != nil {
		return nil, err
	}
	t.ToolSteps = int(pinned.ToolSteps)
	if pinned.Tools != nil {
		if err := json.Unmarshal(pinned.Tools, &t.Tools); err != nil {
			return nil, fmt.Errorf("read the tools of the turn: %w", err)
		}
	}
	if row.BotID != nil {
		t.Pinned = &domain.Pinned{
			BotID: *row.BotID, Version: int(*row.BotVersion), Instruction: *pinned.Instruction, Settings: pinned.Settings,
		}
	}
	return t, nil
}

// whyNot returns why a turn cannot be resumed: it is running, it was cancelled, or the thread has newer turns. A turn
// that another operation has completed in the meantime is returned with its answer.
func (s *Turns) whyNot(ctx context.Context, workspace, actor, operation uuid.UUID) (*domain.Turn, error) {
	q, _ := queries(ctx, s.db)
	state, err := q.GetTurnState(ctx, conversationsdb.GetTurnStateParams{
		WorkspaceID: workspace, ActorID: actor, OperationID: operation,
	})
	switch {
	case postgres.IsMissing(err):
		return nil, command.ErrInProgress
	case err != nil:
		return nil, fmt.Errorf("read the turn: %w", err)
	case state.Status == string(domain.TurnFailed):
		return nil, ports.ErrTurnMovedOn.With("turn_id", state.ID)
	case state.Status == string(domain.TurnWaiting):
		return nil, s.waiting(ctx, state.ID)
	case state.Status == string(domain.TurnCancelled):
		return nil, ports.ErrTurnCancelled.With("turn_id", state.ID).Because(ports.ErrCancel)
	case state.Status == string(domain.TurnCompleted):
		return s.broughtBy(ctx, state.ID, state.ThreadID)
	default:
		return nil, command.ErrInProgress
	}
}

// broughtBy returns a turn that was completed by another operation than the caller's.
func (s *Turns) broughtBy(ctx context.Context, turn, thread uuid.UUID) (*domain.Turn, error) {
	q, workspace := queries(ctx, s.db)
	caller := callctx.From(ctx)
	own, err := q.HasAnswer(ctx, conversationsdb.HasAnswerParams{
		WorkspaceID: workspace, CallerID: caller.Principal.UserID, OperationID: caller.Operation.ID,
	})
	if err != nil {
		return nil, fmt.Errorf("look for the answer of the operation: %w", err)
	}
	if own {
		return nil, command.ErrInProgress // it is there to be replayed by now
	}
	r, err := TurnViews{DB: s.db}.Get(ctx, thread, turn)
	if err != nil {
		return nil, err
	}
	t := &domain.Turn{
		ID: r.ID, ThreadID: r.ThreadID, ActorID: r.ActorID, OperationID: r.OperationID, Place: domain.Place{ParentID: r.ParentID}, User: r.User, Attempt: r.Attempt,
		StartedAt: r.CreatedAt, Done: r.Answer, DoneBy: r.Reply,
	}
	if r.BotID != nil {
		t.Pinned = &domain.Pinned{BotID: *r.BotID, Version: *r.BotVersion}
	}
	return t, nil
}

func (s *Turns) Complete(ctx context.Context, t domain.Turn, answer domain.Message, reply domain.Reply) error {
	end := ended(ctx, t, domain.TurnCompleted, answer.CreatedAt, reply, s.limits)
	end.LatencyMs, end.Answered = new(int32(reply.Latency.Milliseconds())), true
	citations, err := citationsRow(answer.Citations)
	if err != nil {
		return err
	}
	q, workspace := queries(ctx, s.db)
	if err := q.FinishTurn(ctx, end); err != nil {
		return fmt.Errorf("finish the turn: %w", err)
	}
	err = q.CreateMessage(ctx, conversationsdb.CreateMessageParams{
		WorkspaceID: workspace, ID: answer.ID, ThreadID: t.ThreadID, TurnID: &t.ID, Seq: answer.Seq,
		Role: string(answer.Role), Content: answer.Content, OperationID: answer.OperationID, CreatedAt: answer.CreatedAt,
		Citations: citations, Structured: answer.Structured,
	})
	if err != nil {
		return fmt.Errorf("store the answer: %w", err)
	}
	return nil
}

func (s *Turns) Fail(ctx context.Context, t domain.Turn, reply domain.Reply, why string, failure domain.Failure, at time.Time) error {
	end := ended(ctx, t, domain.TurnFailed, at, reply, s.limits)
	end.FinishReason, end.Error, end.ErrorCode, end.ErrorMessage = nil, &why, &failure.Code, &failure.Message
	if failure.Details != nil {
		details, err := json.Marshal(failure.Details)
		if err != nil {
			return fmt.Errorf("encode why the turn failed: %w", err)
		}
		end.ErrorDetails = details
	}
	q, _ := queries(ctx, s.db)
	if err := q.FinishTurn(ctx, end); err != nil {
		return fmt.Errorf("finish the turn: %w", err)
	}
	return nil
}

func (s *Turns) Cut(ctx context.Context, t domain.Turn, reply domain.Reply, at time.Time) error {
	q, workspace := queries(ctx, s.db)
	err := q.CutTurn(ctx, conversationsdb.CutTurnParams{
		WorkspaceID: workspace, TurnID: t.ID, Attempt: int32(t.Attempt), Moment: at, Limits: s.limits,
		Provider: known(reply.Provider), Model: known(reply.Model), InputTokens: toInt64(reply.InputTokens), OutputTokens: toInt64(reply.OutputTokens),
		CostMicros: reply.CostMicros, ChargedMicros: reply.ChargedMicros,
	})
	if err != nil {
		return fmt.Errorf("give the turn's lease back: %w", err)
	}
	return nil
}

// ended returns the columns that every end of an attempt stores.
func ended(ctx context.Context, t domain.Turn, status domain.TurnStatus, at time.Time, reply domain.Reply, limits json.RawMessage) conversationsdb.FinishTurnParams {
	return conversationsdb.FinishTurnParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, TurnID: t.ID, Attempt: int32(t.Attempt), Status: string(status), FinishedAt: &at,
		LatencyMs: new(int32(0)), InputTokens: toInt32(reply.InputTokens), OutputTokens: toInt32(reply.OutputTokens),
		CachedTokens: toInt32(reply.CachedTokens), CostMicros: reply.CostMicros, ChargedMicros: reply.ChargedMicros,
		UsageEstimated: reply.Estimated, FirstTokenMs: toInt32(reply.FirstTokenMS()), FinishReason: reply.FinishedBy(),
		Provider: known(reply.Provider), Model: known(reply.Model), Limits: limits,
	}
}

func toInt32[N int | int64](n *N) *int32 {
	if n == nil {
		return nil
	}
	v := int32(*n)
	return &v
}

func toInt64(n *int) *int64 {
	if n == nil {
		return nil
	}
	return new(int64(*n))
}

// known returns nil, which is NULL in SQL, for an empty text.
func known(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// valueOf returns the text of a column; empty where it is NULL.
func valueOf(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
