package jobs

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const maxErrorText = 2000 // characters of an error that are kept

// Failure is one entry in the error history of a job. The last 20 entries are kept.
type Failure struct {
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Error   string    `json:"error"`
}

// entry makes the history's line for a failure.
func entry(attempt int, at time.Time, cause error) (json.RawMessage, error) {
	raw, err := json.Marshal(Failure{Attempt: attempt, At: at.UTC().Truncate(time.Microsecond), Error: storable(cause.Error())})
	if err != nil {
		return nil, fmt.Errorf("encode the failure of a job: %w", err)
	}
	return raw, nil
}

// storable makes a text one that Postgres takes, and no longer than is kept.
func storable(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if utf8.RuneCountInString(text) <= maxErrorText {
		return text
	}
	return string([]rune(text)[:maxErrorText-1]) + "…"
}
