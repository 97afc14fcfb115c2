// Package guarded puts a bulkhead and a circuit breaker round a model, by its provider.
package guarded

import (
	"context"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/resilience"
)

// Model implements ports.Model.
type Model struct {
	Model ports.Model
	Group *resilience.Group
}

// Name implements ports.Model.
func (m Model) Name() (provider, model string) { return m.Model.Name() }

// Reply implements ports.Model. It is not tried twice: an answer may have been paid for already.
func (m Model) Reply(ctx context.Context, p ports.Prompt, say func(text string)) (reply domain.Reply, err error) {
	provider, _ := m.Model.Name()
	err = m.Group.Do(ctx, provider, func(ctx context.Context) error {
		reply, err = m.Model.Reply(ctx, p, say)
		return err
	})
	return reply, err
}

// Away tells for how long the model will not be asked, because it has failed too often; 0: it is asked now.
func (m Model) Away() time.Duration {
	provider, _ := m.Model.Name()
	return m.Group.Away(provider)
}
