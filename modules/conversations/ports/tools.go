package ports

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of calls of tools.
var (
	ErrTurnWaiting = fail.New(fail.Conflict, "TURN_WAITING",
		"the turn waits for calls of tools: decide them by POST /v1/tool-calls/{id}/decision, or answer them by POST /v1/tool-calls/{id}/result; it then goes on by itself")
	ErrToolLoop = fail.New(fail.Invalid, "TOOL_LOOP",
		"the model made the same failing call of a tool again and again: change the instruction of the bot or the description of the tool, then send the message as a new operation")
	ErrOutputInvalid = fail.New(fail.Invalid, "OUTPUT_INVALID",
		"the model's answers do not match the output_schema of the bot: details.problem says why; make the schema simpler or choose another model, then send the message as a new operation")
	ErrToolCallNotFound = fail.New(fail.NotFound, "NOT_FOUND", "there is no such call of a tool in this workspace")
	ErrToolCallDecided  = fail.New(fail.Conflict, "TOOL_CALL_DECIDED", "this call does not wait any more: details.status says what became of it")
	ErrNotUnknown       = fail.New(fail.Conflict, "CONFLICT", "only what became of a call with the status unknown is decided by succeeded or failed: details.status is that of this call")
	ErrNotForPeople     = fail.New(fail.Conflict, "CONFLICT", "this call waits for a result, not for a decision: POST /v1/tool-calls/{id}/result")
	ErrNotForClients    = fail.New(fail.Conflict, "CONFLICT", "only a call of a tool of the kind client is answered by a result")
)

// Tools are the tools of the caller's workspace.
type Tools interface {
	// Pin returns tools with their versions by one query, in the order of uses. Tools that are deleted are left out.
	Pin(ctx context.Context, uses []domain.ToolUse) ([]Tool, error)
}

// Tool is a version of a tool.
type Tool struct {
	domain.OfferedTool
	domain.ToolUse // with its version
	Kind           domain.ToolKind
	Writes         bool // calls may change something outside
	Repeatable     bool // the target recognizes a call that is sent again by its operation
	// Check returns what is wrong with arguments; empty: they match the schema.
	Check func(arguments json.RawMessage) (problem string, err error)
	// Call calls the tool once, under the operation of the call, and returns CallSucceeded, CallFailed or CallUnknown with the text for the
	// model. After an error nothing was sent, or the context has ended. Nil for ClientTool.
	Call func(ctx context.Context, operation uuid.UUID, arguments json.RawMessage) (domain.ToolCallStatus, string, error)
}

// ToolCalls stores the calls of tools that turns make. Methods that take a turn return ErrOvertaken where that attempt does not run any
// more, and are transactions of their own.
type ToolCalls interface {
	// AddStep stores the calls of a step, counts the usage of the model for it, and prolongs the lease of the attempt.
	AddStep(ctx context.Context, t domain.Turn, calls []domain.ToolCall, usage domain.Reply) error
	// Start stores that calls are sent.
	Start(ctx context.Context, t domain.Turn, calls []uuid.UUID, at time.Time) error
	// Finish stores the final status and the result of a call.
	Finish(ctx context.Context, t domain.Turn, c domain.ToolCall) error
	// OfTurn returns the calls of a turn in order. Those that nobody has decided in time are expired first.
	OfTurn(ctx context.Context, turn uuid.UUID, at time.Time) ([]domain.ToolCall, error)

	// Get returns ErrToolCallNotFound where there is no such call.
	Get(ctx context.Context, id uuid.UUID) (domain.ToolCall, error)
	// List returns calls, newest first.
	List(ctx context.Context, f ToolCallFilter, before *ToolCallPosition, limit int) ([]domain.ToolCall, error)
	// Decide settles a call, in the transaction of the context. ErrToolCallDecided where its status is not Current any more. The turn goes on
	// where none of its calls waits.
	Decide(ctx context.Context, d domain.Decision) (domain.ToolCall, error)
}

// ToolCallFilter narrows the list of calls; nil does not.
type ToolCallFilter struct {
	Status *domain.ToolCallStatus `json:"s,omitempty"`
	TurnID *uuid.UUID             `json:"t,omitempty"`
}

// ToolCallPosition is a place in the list of calls.
type ToolCallPosition struct {
	ID uuid.UUID `json:"i"`
}
