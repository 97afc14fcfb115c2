package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/bots/domain"
)

func TestValuesOfRedactedPropertiesAreLeftOut(t *testing.T) {
	t.Parallel()
	names := []string{"card", "api.key"}
	for text, want := range map[string]string{
		`{"card":"4111","name":"Ada"}`:                       `{"card":"[redacted]","name":"Ada"}`,
		`[{"a":{"CARD" : 4111}},{"card":null}]`:              `[{"a":{"CARD" : "[redacted]"}},{"card":"[redacted]"}]`,
		`{"card":{"n":"}","x":[1,"\"]"]},"b":1}`:             `{"card":"[redacted]","b":1}`,
		`{"card":["a","b"],"api.key":"k\"x","apiXkey":"ok"}`: `{"card":"[redacted]","api.key":"[redacted]","apiXkey":"ok"}`,
		`The tool has answered 400. {"card":"41`:             `The tool has answered 400. {"card":"[redacted]"`,
		`{"card":{"n":"41`:                                   `{"card":"[redacted]"`,
		`{"card":`:                                           `{"card":"[redacted]"`,
		`{"card":12, "b":2}`:                                 `{"card":"[redacted]", "b":2}`,
		"a card: 4111":                                       "a card: 4111",
		"":                                                   "",
	} {
		require.Equal(t, want, domain.Redact(text, names))
	}
	require.Equal(t, `{"card":1}`, domain.Redact(`{"card":1}`, nil))
}
