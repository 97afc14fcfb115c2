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
