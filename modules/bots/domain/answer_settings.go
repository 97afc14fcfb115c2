package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

const maxOutputSchema = 32 << 10 // bytes of JSON without spaces

// OutputSchema returns the schema that the settings declare for answers; nil: none.
func (c Content) OutputSchema() (json.RawMessage, error) {
	var settings map[string]json.RawMessage
	if json.Unmarshal(c.settings, &settings) != nil || settings["output_schema"] == nil {
		return nil, nil //nolint:nilerr // the settings declare none
	}
	var compact bytes.Buffer
	if json.Compact(&compact, settings["output_schema"]) != nil || compact.Len() > maxOutputSchema {
		return nil, &RuleError{Field: "settings.output_schema", Rule: "must have at most 32768 bytes of JSON without spaces"}
	}
	return compact.Bytes(), nil
}

// CheckVariables returns a *RuleError where the settings declare a variable twice.
func (c Content) CheckVariables() error {
	var settings map[string]json.RawMessage
	var variables []struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(c.settings, &settings) != nil || json.Unmarshal(settings["variables"], &variables) != nil {
		return nil //nolint:nilerr // the settings declare none
	}
	var names []string
	for i, v := range variables {
		if slices.Contains(names, v.Name) {
			return &RuleError{Field: fmt.Sprintf("settings.variables.%d.name", i), Rule: "must be declared once"}
		}
		names = append(names, v.Name)
	}
	return nil
}
