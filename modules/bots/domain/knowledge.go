package domain

import (
	"encoding/json"

	"github.com/google/uuid"
)

// UsedBase is a knowledge base in settings, with the filter of its documents.
type UsedBase struct {
	ID     uuid.UUID       `json:"id"`
	Filter json.RawMessage `json:"filter"`
}

// Knowledge returns the knowledge bases that the settings name, in their order.
func (c Content) Knowledge() []UsedBase {
	var settings map[string]json.RawMessage
	var bases []UsedBase
	if json.Unmarshal(c.settings, &settings) != nil || json.Unmarshal(settings["knowledge"], &bases) != nil {
		return nil
	}
	return bases
}
