package main

import (
	"bytes"
	"encoding/json"
	"strings"
)

// answer is what came back.
type answer struct {
	status   int
	replayed string // the header
	raw      []byte
}

// text gives a value of the answer by its path: a string as it is, all else as JSON, what is not there as "".
func (a answer) text(path string) string {
	var value any
	if json.Unmarshal(a.raw, &value) != nil {
		return ""
	}
	switch value = at(value, strings.Split(path, ".")); value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	default:
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if encoder.Encode(value) != nil {
			return ""
		}
		return strings.TrimSpace(text.String())
	}
}

// at follows names through objects; a list gives the list of what its items have.
func at(value any, names []string) any {
	if len(names) == 0 {
		return value
	}
	switch value := value.(type) {
	case object:
		return at(value[names[0]], names[1:])
	case []any:
		found := make([]any, len(value))
		for i, item := range value {
			found[i] = at(item, names)
		}
		return found
	default:
		return nil
	}
}

func clip(text string, most int) string {
	letters := []rune(text)
	if len(letters) <= most {
		return text
	}
	return string(letters[:most]) + "…"
}
