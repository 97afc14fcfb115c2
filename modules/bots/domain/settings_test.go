package domain_test

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/parley/parley/modules/bots/domain"
)

func TestTheKnownSettingsAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../../api/openapi.yaml")
	require.NoError(t, err)
	var document struct {
		Components struct {
			Schemas struct {
				NewSettings struct{ Properties map[string]any }
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(raw, &document))
	var keys []string
	for key := range document.Components.Schemas.NewSettings.Properties {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	require.Equal(t, keys, domain.KnownSettings())
}

func TestTheModelsOfSettingsAreNamedWithTheirFields(t *testing.T) {
	t.Parallel()
	for settings, models := range map[string][]domain.NamedModel{
		`{}`:                    nil,
		`{"Model": "openai/a"}`: nil, // a key of the client's own
		`{"model": "openai/a", "fallbacks": ["echo", "x"]}`: {
			{Field: "settings.model", Name: "openai/a"}, {Field: "settings.fallbacks.0", Name: "echo"}, {Field: "settings.fallbacks.1", Name: "x"},
		},
		`{"model": 7, "fallbacks": "echo"}`: nil,
	} {
		c, err := domain.NewContent("", []byte(settings))
		require.NoError(t, err)
		require.Equal(t, models, c.Models(), settings)
	}
}

func TestAWarningNamesTheSettingThatWasMeant(t *testing.T) {
	t.Parallel()
	for key, meant := range map[string]string{
		"temprature": "temperature", "maxOutputTokens": "max_output_tokens", "historyLimit": "history_limit", "Max-Output-Token": "max_output_tokens",
		"max_tokens": "max_output_tokens", "maxTokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens",
		"piiMasking": "", "top_p": "", "tokens": "",
	} {
		c, err := domain.NewContent("", []byte(`{"`+key+`": 1}`))
		require.NoError(t, err)
		require.Len(t, c.Warnings(), 1, key)
		if meant == "" {
			require.Contains(t, c.Warnings()[0].Message, "Parley has no such setting", key)
			continue
		}
		require.Contains(t, c.Warnings()[0].Message, "did you mean "+meant+"?", key)
	}
}
