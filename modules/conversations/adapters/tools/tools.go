// Package tools calls the tools of the bots module for conversations.
package tools

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

var _ ports.Tools = Tools{}

// Tools are the tools of the caller's workspace.
type Tools struct{ Face bots.Tools }

// Pin returns tools with their versions.
func (t Tools) Pin(ctx context.Context, uses []domain.ToolUse) ([]ports.Tool, error) {
	refs, approvals := make([]bots.ToolRef, len(uses)), map[uuid.UUID]domain.Approval{}
	for i, use := range uses {
		refs[i], approvals[use.ID] = bots.ToolRef{ID: use.ID, Version: use.Version}, use.Approval
	}
	found, err := t.Face.Pin(ctx, refs)
	if err != nil {
		return nil, err
	}
	pinned := make([]ports.Tool, len(found))
	for i, tool := range found {
		pinned[i] = ports.Tool{
			OfferedTool: domain.OfferedTool{Name: tool.Name, Description: tool.Description, Schema: tool.Schema},
			ToolUse:     domain.ToolUse{ID: tool.ID, Version: &tool.Version, Approval: approvals[tool.ID]},
			Kind:        domain.ToolKind(tool.Kind), Writes: tool.Writes, Repeatable: tool.Repeatable, Check: tool.Check, Call: caller(tool),
		}
	}
	return pinned, nil
}

func caller(tool bots.Tool) func(context.Context, uuid.UUID, json.RawMessage) (domain.ToolCallStatus, string, error) {
	if tool.Call == nil {
		return nil
	}
	return func(ctx context.Context, operation uuid.UUID, arguments json.RawMessage) (domain.ToolCallStatus, string, error) {
		outcome, err := tool.Call(ctx, operation, arguments)
		switch {
		case err != nil:
			return "", "", err
		case outcome.Unknown:
			return domain.CallUnknown, outcome.Text, nil
		case !outcome.Succeeded:
			return domain.CallFailed, outcome.Text, nil
		}
		return domain.CallSucceeded, outcome.Text, nil
	}
}
