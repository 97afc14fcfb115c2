package command

import (
	"context"

	"github.com/parley/parley/platform/call"
)

// Waiting counts the calls under this operation that are at work or wait.
func (p *Pipeline) Waiting(ctx context.Context) int {
	c := call.From(ctx)
	p.flights.mu.Lock()
	defer p.flights.mu.Unlock()
	if f := p.flights.waiting[flightKey{c.Principal.WorkspaceID, c.Principal.UserID, c.Operation.ID}]; f != nil {
		return f.calls
	}
	return 0
}
