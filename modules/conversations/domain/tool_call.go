package domain

import "encoding/json"

// OfferedTool is a tool that a model may call.
type OfferedTool struct {
	Name, Description string
	Schema            json.RawMessage // of the arguments, JSON Schema 2020-12
}

// ModelCall is the call of a tool that a model asks for.
type ModelCall struct {
	ID        string // the provider's, which the result refers to; it is unique in its step
	Name      string
	Arguments json.RawMessage // an object; the text that the model has sent where that is none, as a JSON string
}

// ToolResult is what a model is given of the result of a call.
type ToolResult struct {
	Text   string
	Failed bool
}

// Step is a part of an answer in which the model has called tools.
type Step struct {
	Text    string // that the model said before the calls; may be empty
	Calls   []ModelCall
	Results []ToolResult // of the calls, in their order
}

// ToolChoice is whether a model may, must or must not call tools.
type ToolChoice string

// The choices. Another value is the name of the tool that must be called.
const (
	ToolsAuto     ToolChoice = "auto" // also the empty ToolChoice
	ToolsRequired ToolChoice = "required"
	ToolsNone     ToolChoice = "none"
)
