// Package echo is a model that repeats the message. It is for development, and is the default until a real model is
// configured.
package echo

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// Model repeats the message, word by word. Of the first source that the turn has found it quotes and cites the sentence that is
// closest to the message. A line of the message such as
//
//	call get_weather {"city": "Paris"}
//
// calls the tool, if the prompt has it; several lines are calls of one step. The answer then repeats the results, and quotes the first
// source where a call has searched. Where the bot declares a schema for its answers, the answer is the message as it is; else it names
// the files that are attached.
type Model struct {
	Delay time.Duration // for each word; 0: none
}

func (Model) Name() (provider, model string) { return "echo", "echo" }

// Reply sends one word at a time.
func (m Model) Reply(ctx context.Context, p ports.Prompt, say func(text string)) (domain.Reply, error) {
	if calls := callsOf(p); calls != nil {
		if err := m.pause(ctx); err != nil {
			return domain.Reply{}, err
		}
		return domain.Reply{Calls: calls, FinishReason: domain.FinishTools}, nil
	}
	content := "Echo: " + p.Content
	switch {
	case p.OutputSchema != nil:
		content = p.Content
	case len(p.Steps) > 0:
		content = "Echo: " + cmp.Or(results(p), p.Content)
	case len(p.Found.Sources) > 0:
		content += quote(p.Found.Sources[0], p)
	}
	if len(p.Found.Searched) > 0 {
		content += quote(p.Found.Searched[0], p)
	}
	content += received(p.Attached)
	for word := range strings.SplitAfterSeq(content, " ") {
		if err := m.pause(ctx); err != nil {
			return domain.Reply{}, err
		}
		say(word)
	}
	return domain.Reply{Content: content, FinishReason: domain.FinishStop}, nil
}

// shownText is how many characters of a document's text the answer repeats.
const shownText = 80

// received says which files are attached to the message, with the first words of documents.
func received(attached []domain.Attachment) string {
	var b strings.Builder
	for _, a := range attached {
		fmt.Fprintf(&b, "\n\nAttached: %s (%s, %d bytes)", a.Name, a.MediaType, a.Size)
		words := []rune(strings.Join(strings.Fields(a.Text), " "))
		if len(words) > shownText {
			words = append(words[:shownText:shownText], '…')
		}
		if len(words) > 0 {
			fmt.Fprintf(&b, ": %s", string(words))
		}
	}
	return b.String()
}

// quote returns the sentence of a source that is closest to the message, with its marker.
func quote(source domain.Source, p ports.Prompt) string {
	sentence, ok := source.Closest(p.Content)
	if !ok {
		return fmt.Sprintf("\n\n[%d]", source.Number)
	}
	if p.Found.Locate != nil {
		p.Found.Locate(source.Number, sentence.Start, sentence.End)
	}
	return fmt.Sprintf("\n\n%s [%d]", strings.TrimSpace(sentence.Text), source.Number)
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
