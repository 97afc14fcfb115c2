package echo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// callsOf returns the calls that the lines of the message ask for; nil: none, or they have been made. Text that is no object is
// passed on as other models do it.
func callsOf(p ports.Prompt) []domain.ModelCall {
	if len(p.Steps) > 0 || p.ToolChoice == domain.ToolsNone {
		return nil
	}
	var calls []domain.ModelCall
	for line := range strings.Lines(p.Content) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "call ")
		name, arguments, _ := strings.Cut(strings.TrimSpace(rest), " ")
		offered := slices.ContainsFunc(p.Tools, func(t domain.OfferedTool) bool { return t.Name == name })
		if !ok || !offered || len(calls) == domain.MaxCalls {
			continue
		}
		calls = append(calls, domain.ModelCall{ID: fmt.Sprintf("call_%d", len(calls)+1), Name: name, Arguments: domain.ArgumentsOf(arguments)})
	}
	return calls
}

// results returns the texts of all results, in order, without those of searches that have found sources.
func results(p ports.Prompt) string {
	var texts []string
	for _, step := range p.Steps {
		for i, r := range step.Results {
			if len(p.Found.Searched) == 0 || step.Calls[i].Name != domain.SearchToolName {
				texts = append(texts, r.Text)
			}
		}
	}
	return strings.Join(texts, "\n")
}
