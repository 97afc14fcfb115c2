package domain

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// Approval says which calls of a tool wait until a person has approved them.
type Approval string

// The approvals.
const (
	ApproveNever  Approval = "never"
	ApproveWrites Approval = "writes" // also the empty Approval
	ApproveAlways Approval = "always"
)

// ToolUse is a tool that a bot may call.
type ToolUse struct {
	ID       uuid.UUID `json:"id"`
	Version  *int      `json:"version"` // nil: the newest
	Approval Approval  `json:"approval,omitempty"`
}

// ToolSettings are the settings of a bot's version about tools.
type ToolSettings struct {
	Tools    []ToolUse
	Choice   ToolChoice
	MaxCalls int  // of a turn
	MaxSteps int  // of a turn
	Searches bool // the model searches the knowledge bases by SearchTool, instead of a search for each message
}

const (
	defaultToolCalls = 10
	defaultToolSteps = 8
)

// ReadTools reads the settings of a bot's version.
func ReadTools(settings json.RawMessage) (ToolSettings, error) {
	s := ToolSettings{MaxCalls: defaultToolCalls, MaxSteps: defaultToolSteps}
	if !bytes.Contains(settings, []byte(`"tools"`)) && !bytes.Contains(settings, []byte(`"knowledge_mode"`)) {
		return s, nil
	}
	var of struct {
		Tools    []ToolUse  `json:"tools"`
		Choice   ToolChoice `json:"tool_choice"`
		MaxCalls *float64   `json:"max_tool_calls"` // whole numbers; clients may write them as 7.0
		MaxSteps *float64   `json:"max_steps"`
		Mode     string     `json:"knowledge_mode"`
	}
	if err := jsonv2.Unmarshal(settings, &of); err != nil {
		return s, fmt.Errorf("the bot's settings of tools: %w", err)
	}
	s.Tools, s.Choice, s.Searches = of.Tools, of.Choice, of.Mode == "tool"
	if of.MaxCalls != nil {
		s.MaxCalls = int(*of.MaxCalls)
	}
	if of.MaxSteps != nil {
		s.MaxSteps = int(*of.MaxSteps)
	}
	return s, nil
}

// ToolKind is who calls a tool.
type ToolKind string

// The kinds that matter here. The others are called by the program.
const (
	ClientTool    ToolKind = "client"    // whoever reads the turn
	KnowledgeTool ToolKind = "knowledge" // SearchTool
	NoTool        ToolKind = "none"      // the model has named a tool that does not exist
)

// ToolCallStatus is the state of a call.
type ToolCallStatus string

// The statuses.
const (
	CallWaiting   ToolCallStatus = "waiting"  // for a person's decision, or for the result of a client
	CallApproved  ToolCallStatus = "approved" // it has not run yet
	CallDenied    ToolCallStatus = "denied"
	CallExpired   ToolCallStatus = "expired" // nobody has decided in time
	CallRunning   ToolCallStatus = "running"
	CallSucceeded ToolCallStatus = "succeeded"
	CallFailed    ToolCallStatus = "failed"
	CallUnknown   ToolCallStatus = "unknown" // it was sent, and its answer was lost
	CallCancelled ToolCallStatus = "cancelled"
)

// ToolCall is a call of a tool in a turn.
type ToolCall struct {
	ID, TurnID, ThreadID uuid.UUID
	BotID                *uuid.UUID
	Step, Place          int    // of the turn, from 1; in the step, from 0
	Said                 string // by the model before the calls of the step; of the first one only
	ModelCall
	ToolID     *uuid.UUID // nil: NoTool
	Version    *int
	Kind       ToolKind
	Writes     bool
	Repeatable bool // its target recognizes a repetition
	Status     ToolCallStatus
	Result     string
	Sent       int // how often it was sent
	DecidedBy  *uuid.UUID
	DecidedAt  *time.Time
	Reason     string
	ExpiresAt  *time.Time
	CreatedAt  time.Time
	StartedAt  *time.Time
	FinishedAt *time.Time
}

// Ended reports whether the call has a final status.
func (c ToolCall) Ended() bool {
	return c.Status != CallWaiting && c.Status != CallApproved && c.Status != CallRunning
}

// End sets a final status.
func (c *ToolCall) End(status ToolCallStatus, result string, at time.Time) {
	c.Status, c.Result, c.FinishedAt = status, result, &at
}

// MayRepeat reports whether a call that was sent may be sent again though its answer is not known.
func (c ToolCall) MayRepeat() bool { return !c.Writes || c.Repeatable }

// ForModel returns what the model is given of the result.
func (c ToolCall) ForModel() ToolResult {
	switch c.Status {
	case CallSucceeded:
		return ToolResult{Text: cmp.Or(c.Result, "The call took effect. Its answer was lost.")}
	case CallFailed:
		return ToolResult{Text: c.Result, Failed: true}
	case CallDenied:
		text := "A person has refused this call. It was not made."
		if c.Reason != "" {
			text += " The reason: " + c.Reason
		}
		return ToolResult{Text: text, Failed: true}
	case CallExpired:
		return ToolResult{Text: "Nobody has approved or answered this call in time. It was not made.", Failed: true}
	case CallUnknown:
		return ToolResult{Text: "The call was sent and its answer was lost: it may have taken effect. Do not make it again; say so.", Failed: true}
	default:
		return ToolResult{Text: "The call was cancelled.", Failed: true}
	}
}

// NotMade is the result of a call in a trial that would write.
const NotMade = "Not made: this is a trial, in which no call changes anything. Go on as if it had been made."

// StepsOf returns the steps of calls that are in order.
func StepsOf(calls []ToolCall) (steps []Step) {
	for i, c := range calls {
		if i == 0 || calls[i-1].Step != c.Step {
			steps = append(steps, Step{Text: c.Said})
		}
		s := &steps[len(steps)-1]
		s.Calls, s.Results = append(s.Calls, c.ModelCall), append(s.Results, c.ForModel())
	}
	return steps
}

// maxSameFailures is how often the same call may fail in a turn.
const maxSameFailures = 3

// Loops reports whether the same call has failed so often that the model seems not to notice.
func Loops(calls []ToolCall) bool {
	failures := map[string]int{}
	for _, c := range calls {
		if c.Status != CallFailed {
			continue
		}
		same := c.Name + " " + string(c.Arguments)
		if failures[same]++; failures[same] >= maxSameFailures {
			return true
		}
	}
	return false
}

// Decision is a person's decision about a call, or the result of a client.
type Decision struct {
	Call      uuid.UUID
	Current   ToolCallStatus  // of the call: CallWaiting or CallUnknown
	Status    ToolCallStatus  // CallApproved, CallDenied, CallSucceeded or CallFailed
	Arguments json.RawMessage // nil: those of the model
	Reason    string
	Result    string
	By        uuid.UUID
	At        time.Time
}
