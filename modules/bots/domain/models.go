package domain

import (
	"encoding/json"
	"fmt"
)

// NamedModel is the name of a model in settings, and the field that has it.
type NamedModel struct{ Field, Name string }

// Models returns the models that the settings name, in the order in which they are asked.
func (c Content) Models() []NamedModel {
	var settings map[string]json.RawMessage
	if json.Unmarshal(c.settings, &settings) != nil {
		return nil
	}
	var models []NamedModel
	var model string
	if json.Unmarshal(settings["model"], &model) == nil && model != "" {
		models = append(models, NamedModel{Field: "settings.model", Name: model})
	}
	var fallbacks []string
	if json.Unmarshal(settings["fallbacks"], &fallbacks) == nil {
		for i, name := range fallbacks {
			models = append(models, NamedModel{Field: fmt.Sprintf("settings.fallbacks.%d", i), Name: name})
		}
	}
	return models
}
