package harness

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/telemetry"
)

func NewScrubber(t *testing.T) *telemetry.Scrubber {
	t.Helper()
	cfg, err := config.Load([]string{"DATABASE_URL=postgres://parley:the-password-of-it@db/parley", "SECRET_KEY=a-secret-key-that-is-configured-by-hand"})
	require.NoError(t, err)
	scrubber, err := telemetry.NewScrubber(cfg.Hide, app.SecretFormats()...)
	require.NoError(t, err)
	return scrubber
}

// KeptSecret is what a workspace has under a SECRET_KEY: something of every kind.
type KeptSecret struct {
	*Caller
	Endpoint Endpoint
	sub      subscription
	Target   *Receiver
	Op       Header
	Invited  Answer // under op, with the token
	Cursor   string
	Bot      string
}

func (c *Caller) KeepSecrets(t *testing.T) *KeptSecret {
	t.Helper()
	k := &KeptSecret{Caller: c, Bot: c.NewBot(t), Target: NewReceiver(t), Op: Operation(uuid.NewString())}
	c.NewBot(t)
	k.Endpoint = c.NewEndpoint(t, k.Bot)
	k.sub = c.Subscribe(t, k.Target.URL, "bot.updated")
	require.Equal(t, http.StatusOK, c.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-12345678"}).Status)
	require.Equal(t, http.StatusOK, c.Put(t, "/v1/model-keys/embedding", map[string]any{"api_key": "sk-12345678", "model": "m"}).Status)
	k.Invited = c.Post(t, "/v1/invitations", map[string]any{"email": uuid.NewString() + "@example.com", "role": "viewer"}, k.Op)
	require.Equal(t, http.StatusCreated, k.Invited.Status, k.Invited)
	k.Cursor = c.Get(t, "/v1/bots?limit=1").Text("next_cursor")
	require.NotEmpty(t, k.Cursor)
	return k
}

// On is the same workspace, asked by way of another process.
func (k *KeptSecret) On(p *Program) *KeptSecret {
	moved := *k
	who := *k.Caller
	who.Program = p
	moved.Caller, moved.Endpoint.Program = &who, p
	return &moved
}

func Tooled(t *testing.T, environ []string, args ...string) int {
	t.Helper()
	code, stdout, stderr := Tool(t, environ, args...)
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	return code
}

// Secrets are what the calls of a test have sent and got that no log may hold: passwords, tokens, secrets shown once, and
// what people and bots write. Every program of the suite is held to it.
type Secrets struct {
	mu    sync.Mutex
	texts map[string]string // to the field that it was in
	made  map[string]string // of texts those that the program has made
}

// secretFields are those of requests and answers whose texts are secret.
func secretFields() []string {
	return []string{"password", "new_password", "current_password", "access_token", "refresh_token", "secret", "content", "instruction", "text", "comment", "api_key", "token", "device_token", "ticket", "recovery_codes"}
}

const shortest = 12 // characters: less may be in a log by chance

// madeFields are those of answers whose texts are secrets that the program has made.
func madeFields() []string {
	return []string{"access_token", "refresh_token", "device_token", "secret", "api_key", "token", "ticket", "recovery_codes"}
}

// hearAnswer notes what an answer has shown.
func (s *Secrets) hearAnswer(body []byte) {
	if s == nil {
		return
	}
	s.Hear("", body)
	answer := &Secrets{texts: map[string]string{}}
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

// Hear notes what passed by.
func (s *Secrets) Hear(authorization string, bodies ...[]byte) {
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

func (s *Secrets) note(field string, value any) {
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
func (s *Secrets) requireUnlogged(t *testing.T, log *LogBuffer) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for text, field := range s.Found(log.String()) {
		t.Errorf("the %s %q was logged", field, text)
	}
	scrubber := NewScrubber(t)
	for text, field := range s.made {
		if left := scrubber.Scrub("before " + text + " after"); left != "before [removed] after" {
			t.Errorf("of the %s %q the scrubber leaves %q: add its format to SecretFormats", field, text, left)
		}
	}
}

func (s *Secrets) Found(log string) map[string]string {
	found := map[string]string{}
	for text, field := range s.texts {
		if strings.HasPrefix(text, "set_") {
			continue // of the set-up link, which the log is there to show
		}
		quoted, err := json.Marshal(text)
		if strings.Contains(log, text) || err == nil && strings.Contains(log, string(quoted[1:len(quoted)-1])) {
			found[text] = field
		}
	}
	return found
}
