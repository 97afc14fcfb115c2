package usecases

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// CallTool calls a tool. It must not run in a transaction.
type CallTool struct {
	Schemas     ports.ToolSchemas
	Credentials ports.ToolCredentials
	Callers     map[domain.ToolKind]ports.ToolCaller
	Reviews     ports.ToolReviews
	Now         func() time.Time
}

// Do calls a version of a tool, which PinTools has returned, once. Where the tool has an idempotency header, calls with the same operation
// have one effect, and only then a call with the status unknown may be sent again. A changed definition of a tool of an MCP server is stored
// for a review. The error is not about the target: nothing was sent.
func (u CallTool) Do(ctx context.Context, v domain.ToolVersion, operation uuid.UUID, arguments json.RawMessage) (domain.ToolOutcome, error) {
	problem, err := u.Check(v, arguments)
	if err != nil {
		return domain.ToolOutcome{}, err
	}
	if problem != "" {
		return domain.ToolOutcome{Status: domain.ToolInvalid, Text: problem}, nil
	}
	caller, ok := u.Callers[v.Kind]
	if !ok {
		return domain.ToolOutcome{}, fmt.Errorf("the tool %s is of the kind %s, which is not called from here", v.Name, v.Kind)
	}
	call := ports.ToolCall{Version: v, Operation: operation, Arguments: arguments}
	if set := v.Credentials; set != nil {
		if set.Origin != domain.Origin(v.Definition.URL) { // of a version from before
			return domain.ToolOutcome{Status: domain.ToolFailed, Text: "The tool " + v.Name + " was not called: its credentials were given for another host."}, nil
		}
		secrets, err := u.Credentials.Open(ctx, v.ToolID, set.Sealed)
		if err != nil {
			return domain.ToolOutcome{}, err
		}
		call.Credentials = &secrets
	}
	outcome, err := caller.Call(ctx, call)
	outcome.Text = domain.Redact(outcome.Text, v.Definition.Redact)
	if err == nil && outcome.Changed != nil {
		err = u.Reviews.Found(ctx, domain.ToolReview{ToolID: v.ToolID, Status: domain.ReviewWaiting, Remote: *outcome.Changed, FoundAt: u.Now()})
	}
	return outcome, err
}

// Check returns what is wrong with arguments of a version of a tool; empty: they match its schema.
func (u CallTool) Check(v domain.ToolVersion, arguments json.RawMessage) (problem string, err error) {
	if problem, err = u.Schemas.Validate(v.Definition.Schema, arguments); err != nil {
		return "", fmt.Errorf("check the arguments of the tool %s: %w", v.Name, err)
	}
	return problem, nil
}
