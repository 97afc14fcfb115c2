package router

import (
	"slices"
	"strings"

	"github.com/parley/parley/modules/conversations/domain"
)

// maxOffered is how many of the operator's models are listed at most.
const maxOffered = 500

// Offered returns the models that the operator's keys serve: those known by name, in order, and patterns of any others.
func (r Router) Offered() (models []domain.ModelName, patterns []string) {
	names := append(r.Allow.literal(), r.Default.String())
	if shared := r.Providers[domain.Echo].Shared; shared {
		names = append(names, domain.Echo)
	}
	for name := range r.Table {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if m, err := domain.ParseModel(name); err == nil && r.Serves(m) && len(models) < maxOffered {
			models = append(models, m)
		}
	}
	return models, r.patterns()
}

// patterns returns the patterns of models that shared providers serve.
func (r Router) patterns() (patterns []string) {
	wanted := slices.DeleteFunc(slices.Clone(r.Allow.Patterns), func(p string) bool { return !strings.Contains(p, "*") })
	if r.Allow.All {
		wanted = []string{domain.OpenAI + "/*", domain.Anthropic + "/*"}
	}
	slices.Sort(wanted)
	for _, pattern := range slices.Compact(wanted) {
		provider, _, _ := strings.Cut(pattern, "/")
		if r.Providers[provider].Shared {
			patterns = append(patterns, pattern)
		}
	}
	return patterns
}

// literal returns the allowed names that contain no pattern.
func (a Allow) literal() []string {
	return append(slices.Clone(a.Names), slices.DeleteFunc(slices.Clone(a.Patterns), func(p string) bool { return strings.Contains(p, "*") })...)
}

// Serves reports whether the operator's keys serve a model.
func (r Router) Serves(m domain.ModelName) bool {
	return r.Providers[m.Provider].Shared && r.Allow.Allows(m)
}

// Facts returns the data of a model in the operator's table.
func (r Router) Facts(m domain.ModelName) domain.ModelFacts {
	e, ok := r.Table[m.String()]
	if !ok {
		e = r.Table["*"]
	}
	facts := domain.ModelFacts{Window: e.Window}
	if e.Input != nil && e.Output != nil {
		facts.Prices = &domain.ModelPrices{Input: *e.Input, Output: *e.Output, Cached: e.Cached}
	}
	return facts
}
