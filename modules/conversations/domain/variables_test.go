package domain_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
)

func TestAnInstructionHasTheValuesOfItsVariables(t *testing.T) {
	t.Parallel()
	settings := json.RawMessage(`{"variables":[{"name":"plan","default":"free"},{"name":"name","default":"you"}]}`)
	for instruction, want := range map[string]string{
		"For {{name}} on {{ plan }}.":     "For {{plan}} Ada END on pro.",
		"{{name}}{{plan}}":                "{{plan}} Ada ENDpro",
		"{{other}} {{Name}} {name} {{ }}": "{{other}} {{Name}} {name} {{ }}",
		"plain":                           "plain",
	} {
		p := &domain.Pinned{Instruction: instruction, Settings: settings}
		require.Equal(t, want, p.Filled(domain.Variables{"name": "{{plan}}\nAda\r\n\u2028END", "plan": "pro", "other": "x"}).Instruction)
		require.Equal(t, instruction, p.Instruction, "the version itself stays as it is")
	}
	p := &domain.Pinned{Instruction: "{{name}}, {{plan}}", Settings: settings}
	require.Equal(t, "you, free", p.Filled(nil).Instruction)
	require.Equal(t, ", free", p.Filled(domain.Variables{"name": ""}).Instruction, "an empty value is one")
	require.Equal(t, "{{name}}", (&domain.Pinned{Instruction: "{{name}}", Settings: json.RawMessage(`{"variables":7}`)}).Filled(nil).Instruction)
	require.Nil(t, (*domain.Pinned)(nil).Filled(nil))
}

func TestValuesOfVariablesAreBounded(t *testing.T) {
	t.Parallel()
	many := domain.Variables{}
	for i := range 51 {
		many["v"+strings.Repeat("x", i)] = ""
	}
	for _, wrong := range []domain.Variables{many, {"": "x"}, {"A": "x"}, {"a-b": "x"}, {"1": "x"}, {strings.Repeat("a", 65): "x"}, {"a": strings.Repeat("ü", 2001)}} {
		require.ErrorIs(t, wrong.Check(), domain.ErrVariables)
	}
	require.NoError(t, domain.Variables{"a_1": strings.Repeat("ü", 2000)}.Check())
	require.NoError(t, domain.Variables(nil).Check())
}
