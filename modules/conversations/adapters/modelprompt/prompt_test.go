package modelprompt_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/modelprompt"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

func TestAPromptWithoutToolsIsItsHistoryAndTheMessage(t *testing.T) {
	t.Parallel()
	p := ports.Prompt{Asked: ports.Asked{History: []domain.Message{{Role: domain.RoleUser, Content: "a"}, {Role: domain.RoleAssistant, Content: "b"}}}}
	messages, question := modelprompt.Messages(p, "c")
	require.Equal(t, []modelprompt.Message{{Role: domain.RoleUser, Text: "a"}, {Role: domain.RoleAssistant, Text: "b"}, {Role: domain.RoleUser, Text: "c"}}, messages)
	require.Equal(t, 2, question)
	require.Empty(t, p.Instruction("rules"), "rules for results that there are not")
}

func TestTheRulesForResultsAreWhereToolsAre(t *testing.T) {
	t.Parallel()
	step := []domain.Step{{Calls: []domain.ModelCall{{Name: "a"}}}}
	for name, p := range map[string]ports.Prompt{
		"tools":   {Tools: []domain.OfferedTool{{Name: "a"}}},
		"steps":   {Steps: step},
		"history": {Asked: ports.Asked{History: []domain.Message{{Role: domain.RoleAssistant, Steps: step}}}},
	} {
		require.Equal(t, domain.ResultRules(p.ResultBoundary()), p.Instruction("rules"), name)
		p.Pinned = &domain.Pinned{Instruction: "Be kind."}
		p.Found = ports.Found{Sources: []domain.Source{{Number: 1}}}
		require.Equal(t, "Be kind.\n\nrules\n\n"+domain.ResultRules(p.ResultBoundary()), p.Instruction("rules"), name)
	}
	first, second := ports.Prompt{Pinned: &domain.Pinned{Instruction: "a"}}, ports.Prompt{Pinned: &domain.Pinned{Instruction: "b"}}
	require.NotEqual(t, first.ResultBoundary(), second.ResultBoundary())
	require.Regexp(t, `^[A-Z2-7]{26}$`, first.ResultBoundary())
}

func TestIdsOfCallsAreNeverTheSame(t *testing.T) {
	t.Parallel()
	steps := []domain.Step{{Calls: make([]domain.ModelCall, 3)}, {Calls: make([]domain.ModelCall, 2)}}
	p := ports.Prompt{Steps: steps, Asked: ports.Asked{History: []domain.Message{ // without ids of their own
		{Role: domain.RoleUser, Content: "a"}, {Role: domain.RoleAssistant, Content: "b", Steps: steps},
		{Role: domain.RoleUser, Content: "c"}, {Role: domain.RoleAssistant, Content: "d", Steps: steps},
	}}}
	messages, _ := modelprompt.Messages(p, "e")
	seen := map[string]bool{}
	for i, m := range messages {
		for n, c := range m.Calls {
			require.False(t, seen[c.ID])
			seen[c.ID] = true
			require.Equal(t, c.ID, messages[i+1].Results[n].CallID)
			require.True(t, messages[i+1].Results[n].Failed, "a result that there is not")
			require.Equal(t, "unnamed", c.Name)
			require.JSONEq(t, `{"invalid_arguments":""}`, string(c.Arguments))
		}
	}
	require.Len(t, seen, 15)
}

func TestToolsHaveSchemasThatProvidersAccept(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		"":     `{"type":"object","properties":{}}`,
		"null": `{"type":"object","properties":{}}`,
		"true": `{"type":"object","properties":{}}`,
		`{"type":"object","properties":{"b":{"const":12345678901234567890},"a":{}}}`:                            `{"type":"object","properties":{"b":{"const":12345678901234567890},"a":{}}}`,
		`{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"x","type":"object","required":["a"]}`: `{"properties":{},"required":["a"],"type":"object"}`,
		`{"properties":{"a":{}}}`: `{"properties":{"a":{}},"type":"object"}`,
	} {
		tools := modelprompt.Tools(ports.Prompt{Tools: []domain.OfferedTool{{Name: "a", Schema: json.RawMessage(schema)}}})
		require.Equal(t, want, strings.ReplaceAll(string(tools[0].Schema), `{"properties":{},"type":"object"}`, `{"type":"object","properties":{}}`), schema)
	}
}
