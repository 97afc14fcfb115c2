// Package bots is the public interface of the bots module for other modules.
package bots

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
)

// Tools are the tools that bots call, in the workspace of the call in the context.
type Tools interface {
	// Pin returns versions of tools by one query, in the order of refs. Tools that are deleted are left out.
	Pin(ctx context.Context, refs []ToolRef) ([]Tool, error)
}

// ToolRef names a version of a tool.
type ToolRef struct {
	ID      uuid.UUID
	Version *int // nil: the newest
}

// Tool is a version of a tool.
type Tool struct {
	ID          uuid.UUID
	Version     int
	Name        string
	Description string
	Schema      json.RawMessage // of the arguments: JSON Schema
	Kind        string          // http, mcp, or client for a tool that whoever reads the turn answers
	Writes      bool            // calls may change something
	Repeatable  bool            // its target recognizes a call that is sent again under the same operation
	// Check returns what is wrong with arguments; empty: they match the schema.
	Check func(arguments json.RawMessage) (problem string, err error)
	// Call calls the tool once, outside of a transaction; nil for the kind client. After an error nothing was sent.
	Call func(ctx context.Context, operation uuid.UUID, arguments json.RawMessage) (ToolOutcome, error)
}

// ToolOutcome is the result of a call.
type ToolOutcome struct {
	Succeeded bool
	Unknown   bool   // it was sent and its answer was lost
	Text      string // of the answer, or what went wrong
}
