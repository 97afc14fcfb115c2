package router

import (
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// Entry has the data of a model: prices in millionths of a currency for a million tokens, nil where unknown, and the
// context window in tokens, 0 where unknown.
type Entry struct {
	Input, Output, Cached *int64 // Cached nil: cached input has the price of other input
	Window                int
}

// Table has the entries by name, such as openai/gpt-4o-mini. The entry of * is for models that are not in the table.
type Table map[string]Entry

const (
	usualWindow = 32_000 // tokens, of a model without data
	usualAnswer = 4_000  // tokens that are reserved for an answer without a limit
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

// hasWindow reports whether the operator has configured the context window of a model.
func (t Table) hasWindow(m domain.ModelName) bool {
	e, ok := t[m.String()]
	if !ok {
		e = t["*"]
	}
	return e.Window > 0
}

// maxBytes returns how much of a thread is read at most, for the largest context window of the models.
func (t Table) maxBytes(models []domain.ModelName) int {
	widest := 0
	for _, m := range models {
		widest = max(widest, t.entry(m).Window)
	}
	return domain.BytesOf(widest)
}

// cut returns the newest messages that fit into a prompt with the instruction and the message. The first of them is a
// user's.
func cut(room int, p ports.Prompt, history []domain.Message) []domain.Message {
	left := room - ports.TokensOf(p.Content) - p.FileTokens()
	if p.Pinned != nil {
		left -= ports.TokensOf(p.Pinned.Instruction)
	}
	return newest(history, left-p.Found.Tokens()-p.ToolTokens())
}

// longestAnswer returns the expected maximum of tokens of the answer to a prompt.
func longestAnswer(p ports.Prompt) int {
	if p.MaxOutputTokens != nil {
		return *p.MaxOutputTokens
	}
	return usualAnswer
}

// maxCost returns an estimate of the maximum cost of the answer to a prompt, in millionths of the currency; 0 where a
// price is unknown.
func (t Table) maxCost(m domain.ModelName, p ports.Prompt) int64 {
	cost := t.cost(m, domain.Usage{InputTokens: new(p.Tokens()), OutputTokens: new(longestAnswer(p))})
	if cost == nil {
		return 0
	}
	return *cost
}

const million = 1_000_000

// cost returns the cost of a usage in millionths of the currency, rounded up; nil where a price or a count is unknown.
func (t Table) cost(m domain.ModelName, r domain.Usage) *int64 {
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
