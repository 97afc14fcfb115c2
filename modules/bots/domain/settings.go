package domain

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Warning describes a setting that is stored as it is and is probably a mistake.
type Warning struct{ Field, Code, Message string }

const (
	maxWarnings = 20
	maxTypos    = 2  // letters in which a key may differ from the one that was meant
	maxKeyBytes = 64 // of a key that is compared and shown
)

// KnownSettings returns the keys of settings that Parley reads, in order. Any other key is the client's own.
func KnownSettings() []string {
	return []string{
		"fallbacks", "history_limit", "knowledge", "knowledge_mode", "language", "max_output_tokens", "max_steps", "max_tool_calls", "metadata", "model", "no_knowledge",
		"no_knowledge_text", "output_schema", "request_parameters", "rewrite", "temperature", "tool_choice", "tools", "variables",
	}
}

// Warnings returns a warning for each key of the settings that Parley does not read, at most 20, in the order of the keys.
func (c Content) Warnings() []Warning {
	var settings map[string]json.RawMessage
	if json.Unmarshal(c.settings, &settings) != nil {
		return nil
	}
	known := KnownSettings()
	var warnings []Warning
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if len(warnings) == maxWarnings {
			break
		}
		if !slices.Contains(known, key) {
			warnings = append(warnings, unknownSetting(key, known))
		}
	}
	return warnings
}

func unknownSetting(key string, known []string) Warning {
	if len(key) > maxKeyBytes {
		key = string([]rune(key)[:maxKeyBytes/4]) + "…"
	}
	message := "is kept as it is and has no effect: Parley has no such setting"
	plain := plainKey(key)
	for _, k := range known {
		if levenshtein.ComputeDistance(plain, plainKey(k)) <= maxTypos {
			message = fmt.Sprintf("is kept as it is and has no effect: did you mean %s?", k)
		}
	}
	if plain == "maxtokens" || plain == "maxcompletiontokens" { // as the APIs of providers have it
		message = "is kept as it is and has no effect: did you mean max_output_tokens?"
	}
	return Warning{Field: "settings." + key, Code: "UNKNOWN_SETTING", Message: message}
}

// plainKey returns a key in a form that is the same in snake_case, kebab-case and camelCase.
func plainKey(key string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(key))
}
