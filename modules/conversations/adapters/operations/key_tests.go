package operations

import (
	"context"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
)

var _ ports.KeyTests = KeyTests{}

// KeyTests records tests of keys in the command pipeline.
type KeyTests struct {
	Pipeline *command.Pipeline
	Encode   func(domain.KeyTest) command.Encoder // the stored form of answers
}

// Find returns the stored answer of the caller's operation, if there is one.
func (k KeyTests) Find(ctx context.Context) (answer ports.Answer, found bool, err error) {
	a, found, err := k.Pipeline.Seen(ctx)
	return ports.Answer{Body: a.Body, Replayed: a.Replayed}, found, err
}

// Record stores a result, with an audit row of the whole workspace, because its keys have no ids.
func (k KeyTests) Record(ctx context.Context, provider, model string, result domain.KeyTest) (ports.Answer, error) {
	a, err := k.Pipeline.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		return command.Outcome{Answer: k.Encode(result), Audit: audit.Entry{
			Action: "model_key.test", Resource: "workspace", ResourceID: callctx.From(ctx).Principal.WorkspaceID,
			Changes: map[string]any{"provider": provider, "model": model, "ok": result.OK(), "code": result.Code},
		}}, nil
	})
	return ports.Answer{Body: a.Body, Replayed: a.Replayed}, err
}
