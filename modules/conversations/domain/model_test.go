package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
)

func TestAModelIsNamedByItsProviderAndItsName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]domain.ModelName{
		"echo":                             {Provider: "echo", Name: "echo"},
		"openai/gpt-4o-mini":               {Provider: "openai", Name: "gpt-4o-mini"},
		"openai/meta-llama/Llama-3.1-8B":   {Provider: "openai", Name: "meta-llama/Llama-3.1-8B"},
		"openai/gpt://folder/yandexgpt/rc": {Provider: "openai", Name: "gpt://folder/yandexgpt/rc"},
		"anthropic/claude-sonnet-4-5":      {Provider: "anthropic", Name: "claude-sonnet-4-5"},
	} {
		m, err := domain.ParseModel(text)
		require.NoError(t, err, text)
		require.Equal(t, want, m)
		require.Equal(t, text, m.String())
	}
	for _, text := range []string{"", "openai", "openai/", "openai/ ", "/gpt", "gpt-4o", "OpenAI/gpt", "mistral/large"} {
		_, err := domain.ParseModel(text)
		require.ErrorIs(t, err, domain.ErrModelName, text)
	}
}

func TestTheBotChoosesThenItsWorkspaceThenTheOperator(t *testing.T) {
	t.Parallel()
	last := domain.ModelName{Provider: "echo", Name: "echo"}
	own := domain.ModelDefaults{Model: "openai/a", Fallbacks: []string{"anthropic/b"}}
	for name, test := range map[string]struct {
		settings string
		defaults domain.ModelDefaults
		want     []string
	}{
		"the operator":                    {``, domain.ModelDefaults{}, []string{"echo"}},
		"the workspace":                   {`{"temperature":1}`, own, []string{"openai/a", "anthropic/b"}},
		"the bot, with the workspace's":   {`{"model":"openai/c"}`, own, []string{"openai/c", "anthropic/b"}},
		"the bot, with its own fallbacks": {`{"model":"openai/c","fallbacks":["openai/d","openai/c"]}`, own, []string{"openai/c", "openai/d"}},
		"the bot, with none":              {`{"fallbacks":[]}`, own, []string{"openai/a"}},
		"a fallback without a provider":   {`{"model":"openai/c","fallbacks":["gpt-4o"]}`, own, []string{"openai/c", "gpt-4o"}},
		"a model without a provider":      {`{"model":"gpt-4o","fallbacks":["openai/c"]}`, own, []string{"gpt-4o", "openai/c"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := domain.Choose([]byte(test.settings), test.defaults, last)
			require.NoError(t, err)
			var got []string
			for _, m := range c.Models {
				got = append(got, m.String())
			}
			require.Equal(t, test.want, got)
			require.Equal(t, 20, c.HistoryLimit)
		})
	}
	c, err := domain.Choose([]byte(`{"temperature":0,"max_output_tokens":7.0,"history_limit":0e1,"metadata":{}}`), own, last)
	require.NoError(t, err)
	require.Equal(t, []any{0.0, 7, 0}, []any{*c.Temperature, *c.MaxOutputTokens, c.HistoryLimit})
	for _, wrong := range []string{`{"model":"gpt-4o","fallbacks":[]}`, `{"model":"x/y","fallbacks":["z"]}`, `{"fallbacks":"echo"}`} {
		_, err := domain.Choose([]byte(wrong), own, last)
		require.Error(t, err, wrong)
	}
}

func TestTheKeyOfAWorkspaceCannotBeInvalidAndShowsItsEndAlone(t *testing.T) {
	t.Parallel()
	k, err := domain.NewModelKey("openai", "sk-12345678abcd", nil)
	require.NoError(t, err)
	require.Equal(t, "abcd", k.LastFour())
	for name, wrong := range map[string][2]string{
		"a provider without keys": {"echo", "sk-12345678"},
		"no provider":             {"", "sk-12345678"},
		"too short to hide":       {"openai", "sk-1234"},
		"what no header can hold": {"openai", "sk-12345678\n"},
		"a space":                 {"openai", "sk 12345678"},
	} {
		_, err := domain.NewModelKey(wrong[0], wrong[1], nil)
		require.Error(t, err, name)
	}
}
