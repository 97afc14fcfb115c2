// Package echo is the model that repeats what it hears: enough to build against, and what runs until a real one is set.
package echo

import (
	"context"
	"strings"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// Model implements ports.Model.
type Model struct{}

// Name implements ports.Model.
func (Model) Name() (provider, model string) { return "echo", "echo" }

// Reply implements ports.Model, a word at a time.
func (Model) Reply(_ context.Context, p ports.Prompt, say func(text string)) (domain.Reply, error) {
	content := "Echo: " + p.Content
	for word := range strings.SplitAfterSeq(content, " ") {
		say(word)
	}
	return domain.Reply{Content: content, FinishReason: domain.FinishStop}, nil
}
