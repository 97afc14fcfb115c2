// Package echo is the model that repeats what it hears: enough to build against, and what runs until a real one is set.
package echo

import (
	"context"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// Model implements ports.Model.
type Model struct{}

// Name implements ports.Model.
func (Model) Name() (provider, model string) { return "echo", "echo" }

// Reply implements ports.Model.
func (Model) Reply(_ context.Context, p ports.Prompt) (domain.Reply, error) {
	return domain.Reply{Content: "Echo: " + p.Content}, nil
}
