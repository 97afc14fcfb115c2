// Package modellist reads providers' lists of models. Those of OpenAI and Anthropic have the same form.
package modellist

import (
	"encoding/json"
	"errors"
	"io"
)

// maxBytes is how much of a response is read at most.
const maxBytes = 1 << 20

var errForm = errors.New("the server did not list its models as the provider does, or in more than 1 MiB")

// Read returns the names in a response; more says that the provider has other models too.
func Read(body io.Reader) (names []string, more bool, err error) {
	var list struct {
		Object string `json:"object"`
		Data   []struct {
			ID string `json:"id"`
		} `json:"data"`
		HasMore bool `json:"has_more"`
	}
	if err := json.NewDecoder(io.LimitReader(body, maxBytes)).Decode(&list); err != nil || list.Data == nil && list.Object != "list" { // Ollama without models has null
		return nil, false, errForm
	}
	for _, m := range list.Data {
		names = append(names, m.ID)
	}
	return names, list.HasMore, nil
}
