package app

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// secrets are what the calls of a test have sent and got that no log may hold: passwords, tokens, secrets shown once, and
// what people and bots write. Every program of the suite is held to it.
type secrets struct {
	mu    sync.Mutex
	texts map[string]string // to the field that it was in
	made  map[string]string // of texts those that the program has made
}

// secretFields are those of requests and answers whose texts are secret.
func secretFields() []string {
	return []string{"password", "new_password", "current_password", "access_token", "refresh_token", "secret", "content", "instruction", "text", "comment", "api_key", "token", "device_token"}
}

const shortest = 12 // characters: less may be in a log by chance

// madeFields are those of answers whose texts are secrets that the program has made.
func madeFields() []string {
	return []string{"access_token", "refresh_token", "device_token", "secret", "api_key", "token"}
}

// hearAnswer notes what an answer has shown.
func (s *secrets) hearAnswer(body []byte) {
	if s == nil {
		return
	}
	s.hear("", body)
	answer := &secrets{texts: map[string]string{}}
	var value any
	if json.Unmarshal(body, &value) == nil {
		answer.note("", value)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for text, field := range answer.texts {
		if s.made == nil {
			s.made = map[string]string{}
		}
		if slices.Contains(madeFields(), field) {
			s.made[text] = field
		}
	}
}

// hear notes what passed by.
func (s *secrets) hear(authorization string, bodies ...[]byte) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts == nil {
		s.texts = map[string]string{}
	}
	if _, token, _ := strings.Cut(authorization, " "); len(token) >= shortest {
		s.texts[token] = "Authorization"
	}
	for _, body := range bodies {
		var value any
		if json.Unmarshal(body, &value) == nil {
			s.note("", value)
		}
	}
}

func (s *secrets) note(field string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			s.note(name, inner)
		}
	case []any:
		for _, inner := range v {
			s.note(field, inner)
		}
	case string:
		if len(v) >= shortest && slices.Contains(secretFields(), field) {
			s.texts[v] = field
		}
	}
}

// requireUnlogged asserts that a program has logged none of them.
func (s *secrets) requireUnlogged(t *testing.T, log *logBuffer) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for text, field := range s.found(log.String()) {
		t.Errorf("the %s %q was logged", field, text)
	}
	scrubber := newScrubber(t)
	for text, field := range s.made {
		if left := scrubber.Scrub("before " + text + " after"); left != "before [removed] after" {
			t.Errorf("of the %s %q the scrubber leaves %q: add its format to SecretFormats", field, text, left)
		}
	}
}

func (s *secrets) found(log string) map[string]string {
	found := map[string]string{}
	for text, field := range s.texts {
		quoted, err := json.Marshal(text)
		if strings.Contains(log, text) || err == nil && strings.Contains(log, string(quoted[1:len(quoted)-1])) {
			found[text] = field
		}
	}
	return found
}

func TestTheSuiteWouldSeeASecretInALog(t *testing.T) {
	t.Parallel()
	s := &secrets{}
	s.hear("Bearer the-access-token", []byte(`{"password":"correct horse","name":"a name that is none","items":[{"content":"say \"this\" to me"}]}`), nil)
	for _, leak := range []string{"the-access-token", "correct horse", `say "this" to me`, `say \"this\" to me`} {
		require.Len(t, s.found("x "+leak+" y"), 1, leak)
	}
	require.Empty(t, s.found("a name that is none"))
}
