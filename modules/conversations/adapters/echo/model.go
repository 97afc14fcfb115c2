// Package echo is a model that repeats the message. It is for development, and is the default until a real model is
// configured.
package echo

import (
	"context"
	"strings"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// Model repeats the message, word by word.
type Model struct {
	Delay time.Duration // for each word; 0: none
}

func (Model) Name() (provider, model string) { return "echo", "echo" }

// Reply sends one word at a time.
func (m Model) Reply(ctx context.Context, p ports.Prompt, say func(text string)) (domain.Reply, error) {
	content := "Echo: " + p.Content
	for word := range strings.SplitAfterSeq(content, " ") {
		if err := m.pause(ctx); err != nil {
			return domain.Reply{}, err
		}
		say(word)
	}
	return domain.Reply{Content: content, FinishReason: domain.FinishStop}, nil
}

// pause waits for the time of one word.
func (m Model) pause(ctx context.Context) error {
	if m.Delay <= 0 {
		return nil
	}
	timer := time.NewTimer(m.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
