package turns

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	bots "github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
	conversations "github.com/parley/parley/modules/conversations/domain"
)

// blanks are texts in which nobody sees anything.
func blanks() []string {
	return []string{" ", "   ", "\n", "\t\r\n", "\u00a0", "\u200b", "\ufeff", "\u200e\u200f", "\u3164", "\u2800", "\u2060 \ufe0f"}
}

func TestBothModulesAgreeOnWhichTextsAreVisible(t *testing.T) {
	t.Parallel()
	for r := rune(1); r <= unicode.MaxRune; r++ {
		_, err := bots.NewContent(string(r), nil)
		if conversations.IsVisible(string(r)) != (err == nil) {
			t.Fatalf("%U", r)
		}
	}
}

func TestABlankMessageIsRefusedWhoeverSendsIt(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	bot := ada.NewBot(t)
	thread := ada.Thread(t, bot)
	chat := ada.NewEndpoint(t, bot)
	for _, text := range blanks() {
		a := ada.Say(t, thread, text)
		harness.RequireWrong(t, a, "content")
		require.Equal(t, "BLANK", a.Body["details"].(map[string]any)["errors"].([]any)[0].(map[string]any)["code"], a)
		a = chat.Send(t, "msg_"+uuid.NewString(), harness.InboundMessage("c", text))
		harness.RequireWrong(t, a, "data.text")
		require.Equal(t, "BLANK", a.Body["details"].(map[string]any)["errors"].([]any)[0].(map[string]any)["code"], a)
	}
	require.Empty(t, ada.Get(t, "/v1/conversations/threads/"+thread+"/messages").Items(), "a message that was refused is stored")
	require.Empty(t, ada.Get(t, "/v1/webhook-events").Items())
	require.Equal(t, http.StatusOK, ada.Say(t, thread, "👩\u200d👩\u200d👧").Status)
}

func TestAnInstructionIsEmptyOrVisible(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/bots", map[string]any{"name": "Ada", "instruction": ""}).Status)
	bot := ada.NewBot(t)
	for _, text := range blanks() {
		harness.RequireWrong(t, ada.Post(t, "/v1/bots", map[string]any{"name": "Ada", "instruction": text}), "instruction")
		harness.RequireWrong(t, ada.Post(t, "/v1/bots", map[string]any{"name": text}), "name")
		harness.RequireWrong(t, ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": text}), "instruction")
		harness.RequireWrong(t, ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": text, "settings": map[string]any{}}), "instruction")
	}
	harness.RequireWrong(t, ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": ""}), "instruction")
	require.InEpsilon(t, 1.0, ada.Get(t, "/v1/bots/"+bot).At("current_version"), 0)
}

// What an older release has stored is left out of prompts: it broke every later turn.
func TestStoredBlankTextsBreakNoTurn(t *testing.T) {
	t.Parallel()
	for _, model := range []string{"anthropic/claude", "openai/small"} {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			ada, s := withModels(t)
			super := harness.Postgres.Superuser(t, ada.Database)
			thread := ada.ThreadWith(t, map[string]any{"model": model})
			for _, content := range []string{"one", "two", "three"} {
				require.Equal(t, http.StatusOK, ada.Say(t, thread, content).Status)
			}
			for _, change := range []string{
				`UPDATE bot_versions SET instruction = ' '`,
				`UPDATE messages SET content = E'\n' WHERE seq IN (2, 3)`,
			} {
				_, err := super.Exec(t.Context(), change)
				require.NoError(t, err)
			}
			require.Equal(t, http.StatusOK, ada.Say(t, thread, "four").Status)
			call := s.Calls()[3]
			require.Equal(t, []string{"user: one", "assistant: Hello there", "user: three", "assistant: Hello there", "user: four"}, call.Messages())
			require.NotContains(t, call.Body, "system")
		})
	}
}

// A message that its provider refuses is not sent again with the next one; one that was not answered for another reason is.
func TestAMessageThatItsProviderRefusesDoesNotBreakTheThread(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	super := harness.Postgres.Superuser(t, ada.Database)
	thread := ada.ThreadWith(t, map[string]any{"model": "anthropic/claude"})
	fail := func(content, code string) {
		t.Helper()
		s.Then(modeltest.Script{Status: 401, Code: "invalid_api_key"})
		require.NotEqual(t, http.StatusOK, ada.Say(t, thread, content).Status)
		_, err := super.Exec(t.Context(), `UPDATE llm_turns t SET error_code = $1 FROM messages m WHERE m.turn_id = t.id AND m.content = $2`, code, content)
		require.NoError(t, err)
	}
	fail("unanswered", "DOWNSTREAM_UNAVAILABLE")
	for _, code := range []string{"CONTENT_FILTERED", "MODEL_REJECTED", "CONTEXT_TOO_LONG"} {
		fail("refused as "+code, code)
	}
	require.Equal(t, http.StatusOK, ada.Say(t, thread, "new").Status)
	calls := s.Calls()
	require.Equal(t, []string{"user: unanswered\n\nnew"}, calls[len(calls)-1].Messages())
	require.Equal(t, http.StatusOK, ada.Say(t, thread, "newer").Status)
	calls = s.Calls()
	require.Equal(t, []string{"user: unanswered\n\nnew", "assistant: Hello there", "user: newer"}, calls[len(calls)-1].Messages())
}

// A blank message that was stored before they were refused fails for good, and is not sent.
func TestAStoredBlankMessageIsNotSent(t *testing.T) {
	t.Parallel()
	ada, s := withModels(t)
	thread := ada.ThreadWith(t, map[string]any{"model": "openai/small"})
	op := harness.Operation(uuid.NewString())
	s.Then(modeltest.Script{Status: 401, Code: "invalid_api_key"})
	require.NotEqual(t, http.StatusOK, ada.Say(t, thread, "was blank", op).Status)
	sent := len(s.Calls())
	_, err := harness.Postgres.Superuser(t, ada.Database).Exec(t.Context(), `UPDATE messages SET content = ' '`)
	require.NoError(t, err)
	require.NotEqual(t, http.StatusOK, ada.Say(t, thread, "was blank", op).Status)
	require.Len(t, s.Calls(), sent)
	require.Equal(t, http.StatusOK, ada.Say(t, thread, strings.Repeat("x", 10)).Status)
}

// The same with what providers really answer.
func TestTheNextMessageIsAnsweredAfterOneThatWasRefused(t *testing.T) {
	t.Parallel()
	ada, s := withProvider(t)
	for name, f := range failings() {
		if !slices.Contains([]string{"CONTENT_FILTERED", "MODEL_REJECTED", "CONTEXT_TOO_LONG"}, f.code) {
			continue
		}
		for _, provider := range []string{"openai", "anthropic"} {
			thread := ada.ThreadWith(t, map[string]any{"model": provider + "/m"})
			harness.RequireCode(t, ada.Say(t, thread, "#"+name), http.StatusUnprocessableEntity, f.code)
			a := ada.Say(t, thread, "Hi")
			require.Equal(t, http.StatusOK, a.Status, "%s: %s", name, a)
			calls := s.Calls()
			sent := calls[len(calls)-1].Messages()
			require.Equal(t, "user: Hi", sent[len(sent)-1], "what was refused is sent again")
		}
	}
}
