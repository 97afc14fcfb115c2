package router_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/anthropic"
	"github.com/parley/parley/modules/conversations/adapters/guarded"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
	"github.com/parley/parley/modules/conversations/adapters/openai"
	"github.com/parley/parley/modules/conversations/adapters/router"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/work/resilience"
)

// With the calls that the real adapters make: what is stored makes no prompt that a provider refuses.
func TestWhateverIsStoredTheProvidersAreSentAValidPrompt(t *testing.T) {
	t.Parallel()
	said := func(texts ...string) (list []domain.Message) {
		for _, text := range texts {
			role, content, _ := strings.Cut(text, ": ")
			list = append(list, domain.Message{Role: domain.Role(role), Content: content})
		}
		return list
	}
	for name, test := range map[string]struct {
		instruction string
		history     []domain.Message
		sent        []string
	}{
		"as it should be":     {"Be kind.", said("user: a", "assistant: b"), []string{"system: Be kind.", "user: a", "assistant: b", "user: Hi"}},
		"a blank instruction": {" \u200b", said("user: a", "assistant: b"), []string{"user: a", "assistant: b", "user: Hi"}},
		"blank messages":      {"", said("user:  ", "assistant: \n", "user: c", "assistant: \u2800"), []string{"user: c\n\nHi"}},
		"an answer first":     {"", said("assistant: b", "user: c", "assistant: d"), []string{"user: c", "assistant: d", "user: Hi"}},
		"roles do not alternate": {"", said("user: a", "user: c", "assistant: d", "assistant: e", "user: f"), []string{
			"user: a\n\nc", "assistant: d\n\ne", "user: f\n\nHi",
		}},
		"results of tools": {"", said("user: a", "tool: 7", "assistant: b", "system: x"), []string{"user: a", "assistant: b", "user: Hi"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := modeltest.New(t)
			group := resilience.NewGroup("model", resilience.Policy{Timeout: time.Minute, Failures: 2, OpenFor: time.Hour}, slog.New(slog.DiscardHandler))
			r := router.Router{
				Providers: map[string]router.Provider{
					"openai":    {Guarded: guarded.Model{Model: openai.Model{URL: s.URL, Client: http.DefaultClient}, Group: group}, Shared: true},
					"anthropic": {Guarded: guarded.Model{Model: anthropic.Model{URL: s.URL, Client: http.DefaultClient}, Group: group}, Shared: true},
				},
				Recall: &memory{Recalled: ports.Recalled{History: test.history}}, Allow: router.Allow{All: true},
			}
			for n, model := range []string{"openai/a", "anthropic/b"} {
				p := ports.Prompt{Pinned: &domain.Pinned{Instruction: test.instruction, Settings: []byte(`{"model":"` + model + `"}`)}, Content: "Hi"}
				_, err := r.Reply(t.Context(), p, func(string) {})
				require.NoError(t, err)
				sent := s.Calls()[n].Messages()
				if system, ok := s.Calls()[n].Body["system"].([]any); ok { // Anthropic has it beside the messages
					sent = append([]string{"system: " + system[0].(map[string]any)["text"].(string)}, sent...)
				}
				require.Equal(t, test.sent, sent, model)
				require.Equal(t, test.instruction, p.Pinned.Instruction, "what is pinned was changed")
				p.Content = " \u200b"
				_, err = r.Reply(t.Context(), p, func(string) {})
				require.ErrorIs(t, err, ports.ErrModelRejected, "a blank message that was stored before")
			}
			require.Len(t, s.Calls(), 2, "a blank message was sent")
		})
	}
}

func TestSourcesThatDoNotFitAreLeftOutBeforeTheMessageIs(t *testing.T) {
	t.Parallel()
	s := modeltest.New(t)
	group := resilience.NewGroup("model", resilience.Policy{Timeout: time.Minute, Failures: 2, OpenFor: time.Hour}, slog.New(slog.DiscardHandler))
	r := router.Router{
		Providers: map[string]router.Provider{"openai": {Guarded: guarded.Model{Model: openai.Model{URL: s.URL, Client: http.DefaultClient}, Group: group}, Shared: true}},
		Recall:    &memory{Recalled: ports.Recalled{History: []domain.Message{{Role: domain.RoleUser, Content: "earlier"}, {Role: domain.RoleAssistant, Content: "yes"}}}},
		Allow:     router.Allow{All: true}, Table: router.Table{"*": {Window: 6000}},
	}
	p := ports.Prompt{Pinned: &domain.Pinned{Settings: []byte(`{"model":"openai/a","max_output_tokens":1000}`)}, Content: "Hi", Found: ports.Found{Boundary: "B"}}
	for n := 1; n <= 8; n++ {
		p.Found.Sources = append(p.Found.Sources, domain.Source{Number: n, Title: "T", Text: strings.Repeat("word ", 900)})
	}
	_, err := r.Reply(t.Context(), p, func(string) {})
	require.NoError(t, err)
	sent := s.Calls()[0].Messages()
	last := sent[len(sent)-1]
	require.Equal(t, 3, strings.Count(last, "<source-B "), "three of 1,500 tokens fit into 5,000 with the rules")
	require.True(t, strings.HasSuffix(last, "</sources-B>\n\nHi"))
	require.Len(t, p.Found.Sources, 8, "the caller's prompt was changed")
}
