// Package inproc serves other modules of this process.
package inproc

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/usecases"
)

var _ bots.Tools = Tools{}

// Tools are the tools that bots call.
type Tools struct {
	PinTools usecases.PinTools
	CallTool usecases.CallTool
}

// Pin returns versions of tools.
func (t Tools) Pin(ctx context.Context, refs []bots.ToolRef) ([]bots.Tool, error) {
	asked := make([]domain.ToolRef, len(refs))
	for i, ref := range refs {
		asked[i] = domain.ToolRef(ref)
	}
	versions, err := t.PinTools.Do(ctx, asked)
	if err != nil {
		return nil, err
	}
	tools := make([]bots.Tool, len(versions))
	for i, v := range versions {
		tools[i] = bots.Tool{
			ID: v.ToolID, Version: v.Number, Name: v.Name, Description: v.Definition.Description, Schema: v.Definition.Schema, Kind: string(v.Kind),
			Writes: v.Definition.Effect == domain.Writes, Repeatable: v.Definition.IdempotencyHeader != "",
			Check: func(arguments json.RawMessage) (string, error) { return t.CallTool.Check(v, arguments) },
		}
		if v.Kind != domain.ClientTool {
			tools[i].Call = func(ctx context.Context, operation uuid.UUID, arguments json.RawMessage) (bots.ToolOutcome, error) {
				outcome, err := t.CallTool.Do(ctx, v, operation, arguments)
				return bots.ToolOutcome{
					Succeeded: outcome.Status == domain.ToolSucceeded, Unknown: outcome.Status == domain.ToolUnknown, Text: outcome.Text,
				}, err
			}
		}
	}
	return tools, nil
}
