package domain

import "time"

// ToolStatus is what became of a call of a tool.
type ToolStatus string

// The statuses.
const (
	ToolSucceeded ToolStatus = "succeeded"
	// ToolInvalid says that the arguments do not match the schema. Nothing was sent.
	ToolInvalid ToolStatus = "invalid"
	// ToolFailed says that the target has answered an error, or that the call was certainly not sent.
	ToolFailed ToolStatus = "failed"
	// ToolUnknown says that the call was sent and its answer was lost: it may have had its effect.
	ToolUnknown ToolStatus = "unknown"
)

// ToolOutcome is the result of a call of a tool.
type ToolOutcome struct {
	Status     ToolStatus
	Text       string // of the answer, or what went wrong, for the model: valid UTF-8 without U+0000, at most as long as the tool allows
	HTTPStatus int    // 0: there was no answer
	Duration   time.Duration
	Truncated  bool // the text is cut off
	// Changed is the definition that the server of the tool has instead of the pinned one; nil: that one. The call was not made.
	Changed *RemoteTool
}
