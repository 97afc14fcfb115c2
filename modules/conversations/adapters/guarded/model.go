// Package guarded puts a bulkhead, a circuit breaker and repetition round a model, by its provider.
package guarded

import (
	"context"
	"errors"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/resilience"
)

// Model implements ports.Model.
type Model struct {
	Model ports.Model
	Group *resilience.Group
}

// Name implements ports.Model.
func (m Model) Name() (provider, model string) { return m.Model.Name() }

var errNothingYet = errors.New("the model had said nothing yet when there was no more patience")

// Reply implements ports.Model. A failure before the first piece of text is tried again, as the group has it; after that
// never: what was said is said.
func (m Model) Reply(ctx context.Context, p ports.Prompt, say func(text string)) (reply domain.Reply, err error) {
	err = m.Group.DoSafe(ctx, m.target(ctx, p.Access != nil), func(ctx context.Context) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		first := func() bool { return true }
		if p.Patience > 0 {
			first = time.AfterFunc(p.Patience, func() { cancel(errNothingYet) }).Stop
			defer first()
		}
		said := false
		reply, err = m.Model.Reply(ctx, p, func(text string) {
			first()
			said = true
			say(text)
		})
		if err != nil && (said || errors.Is(context.Cause(ctx), errNothingYet)) {
			return resilience.Final(err)
		}
		return err
	})
	return reply, err
}

// Away tells for how long the model will not be asked, because it has failed too often; 0: it is asked now. Own is
// whether the workspace of the context asks with a key of its own.
func (m Model) Away(ctx context.Context, own bool) time.Duration {
	return m.Group.Away(m.target(ctx, own))
}

// target is a workspace's own where the key is: what is refused there says nothing of what others are answered.
func (m Model) target(ctx context.Context, own bool) string {
	provider, _ := m.Model.Name()
	if own {
		return provider + " of " + call.From(ctx).Principal.WorkspaceID.String()
	}
	return provider
}
