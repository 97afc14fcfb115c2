package router

import (
	"slices"
	"strings"

	"github.com/parley/parley/modules/conversations/domain"
)

// Allow is which models the operator's keys serve. The keys of workspaces serve all models of their providers.
type Allow struct {
	All      bool
	Names    []string // such as openai/gpt-4o-mini, or echo
	Patterns []string // such as openai/gpt-4o*, where * stands for any text; or echo
}

// Allows reports whether a model is allowed.
func (a Allow) Allows(m domain.ModelName) bool {
	name := m.String()
	return a.All || slices.Contains(a.Names, name) || slices.ContainsFunc(a.Patterns, func(p string) bool { return matches(p, name) })
}

// matches reports whether a name matches a pattern, in which * stands for any text, including the empty text and
// slashes.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return pattern == name
	}
	if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}
	rest := name[len(first) : len(name)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return true
}
