package router

import (
	"slices"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// Entry is what is known of a model: prices in millionths of a currency for a million tokens, nil where they are not
// known, and the tokens that fit into its window, 0 where that is not known.
type Entry struct {
	Input, Output, Cached *int64 // Cached nil: cached input costs what other input costs
	Window                int
}

// Table has the entries, by names such as openai/gpt-4o-mini; that of * is for models that are not in it.
type Table map[string]Entry

const (
	usualWindow   = 32_000 // tokens, of a model that nothing is known of
	usualAnswer   = 4_000  // tokens that are kept free for an answer of which nothing is said
	bytesPerToken = 3      // see tokens
	perMessage    = 8      // tokens that go round each message
)

func (t Table) entry(m domain.ModelName) Entry {
	e, ok := t[m.String()]
	if !ok {
		e = t["*"]
	}
	if e.Window <= 0 {
		e.Window = usualWindow
	}
	return e
}

// tokens is a careful guess at how many tokens a text is. Providers do not agree on that, and most do not say how they
// count: English has about four bytes a token, Russian and Chinese three to six, code and numbers about three.
func tokens(text string) int { return len(text)/bytesPerToken + perMessage }

// mostBytes bounds what is read of a thread, for the widest window of the models.
func (t Table) mostBytes(models []domain.ModelName) int {
	widest := 0
	for _, m := range models {
		widest = max(widest, t.entry(m).Window)
	}
	return widest * bytesPerToken
}

// cut gives the newest messages that fit into a model's window beside the instruction, the message and the answer. It
// begins with what a user said: some models want that.
func (t Table) cut(m domain.ModelName, p ports.Prompt, history []domain.Message) []domain.Message {
	left := t.entry(m).Window - tokens(p.Content)
	if p.Pinned != nil {
		left -= tokens(p.Pinned.Instruction)
	}
	if p.MaxOutputTokens != nil {
		left -= *p.MaxOutputTokens
	} else {
		left -= usualAnswer
	}
	first := len(history)
	for first > 0 && tokens(history[first-1].Content) <= left {
		first--
		left -= tokens(history[first].Content)
	}
	said := slices.IndexFunc(history[first:], func(m domain.Message) bool { return m.Role == domain.RoleUser })
	if said < 0 {
		return nil
	}
	return history[first+said:]
}

const million = 1_000_000

// cost is what an answer costs in millionths of the currency, rounded up; nil where a price or a count is not known.
func (t Table) cost(m domain.ModelName, r domain.Reply) *int64 {
	e := t.entry(m)
	if e.Input == nil || e.Output == nil || r.InputTokens == nil || r.OutputTokens == nil {
		return nil
	}
	input, cached, output := int64(*r.InputTokens), int64(0), int64(*r.OutputTokens)
	if e.Cached != nil && r.CachedTokens != nil {
		cached = min(int64(*r.CachedTokens), input)
	}
	sum := (input-cached)**e.Input + output**e.Output
	if cached > 0 {
		sum += cached * *e.Cached
	}
	micros := (sum + million - 1) / million
	return &micros
}
