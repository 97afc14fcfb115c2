package command

import (
	"context"

	"github.com/parley/parley/platform/request/callctx"
)

// Waiting counts the calls under this operation that are at work or wait.
func (p *Pipeline) Waiting(ctx context.Context) int {
	c := callctx.From(ctx)
	p.inFlight.mu.Lock()
	defer p.inFlight.mu.Unlock()
	if f := p.inFlight.waiting[flightKey{c.Principal.WorkspaceID, c.Principal.UserID, c.Operation.ID}]; f != nil {
		return f.calls
	}
	return 0
}
