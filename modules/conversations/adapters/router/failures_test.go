package router_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/router"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/resilience"
)

type replies = func(context.Context, ports.Prompt, func(string)) (domain.Reply, error)

// refuses fails as a provider does that will refuse again.
func refuses(e *fail.Error) replies {
	return func(context.Context, ports.Prompt, func(string)) (domain.Reply, error) {
		return domain.Reply{}, resilience.Answered(e.Because(errors.New("it said no")))
	}
}

func TestTheFailureThatMattersIsTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		first, second replies
		code          string
		provider      string
		others        any
	}{
		"the bot's model, of two that refuse": {refuses(ports.ErrModelQuota), refuses(ports.ErrContentFiltered), "MODEL_QUOTA", "openai", "CONTENT_FILTERED"},
		"the second, which may pass":          {refuses(ports.ErrModelQuota), fails, "DOWNSTREAM_UNAVAILABLE", "anthropic", "MODEL_QUOTA"},
		"the first, which may pass":           {fails, refuses(ports.ErrModelQuota), "DOWNSTREAM_UNAVAILABLE", "openai", "MODEL_QUOTA"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(test.first, test.second)
			reply, _, err := b.take(t, asks(both))
			e := fail.From(err)
			require.Equal(t, []any{test.code, test.provider, test.provider}, []any{e.Code, e.Details["provider"], reply.Provider})
			others, _ := e.Details["others"].([]map[string]any)
			require.Len(t, others, 1)
			require.Equal(t, test.others, others[0]["code"])
			require.Contains(t, err.Error(), "it said no")
		})
	}
}

func TestWhatWouldBeRefusedAgainIsNotRepeatedAndTheNextIsAsked(t *testing.T) {
	t.Parallel()
	b := setup(refuses(ports.ErrModelCredentials), answers)
	for range 5 {
		reply, _, err := b.take(t, asks(both))
		require.NoError(t, err)
		require.Equal(t, "anthropic", reply.Provider)
	}
	require.Len(t, b.openai.asked, 5)
	require.Zero(t, b.Providers["openai"].Away(t.Context(), "a", false), "it opened a breaker")
}

func TestAnUnknownModelIsNamed(t *testing.T) {
	t.Parallel()
	b := setup(refuses(ports.ErrModelUnknown), answers)
	_, _, err := b.take(t, asks(`{"model":"openai/a"}`))
	require.Equal(t, []any{"MODEL_NOT_FOUND", "a"}, []any{fail.From(err).Code, fail.From(err).Details["model"]})
	require.Contains(t, fail.From(err).Message, "no model openai/a,")
	for settings, name := range map[string]string{`{"model":"gpt-4o"}`: "gpt-4o", `{"model":"x/y"}`: "x/y"} {
		_, _, err = b.take(t, asks(settings))
		e := fail.From(err)
		require.Equal(t, []any{"MODEL_NOT_FOUND", "MODEL_NOT_CONFIGURED", name}, []any{e.Code, e.Details["reason"], e.Details["model"]})
		require.Contains(t, e.Message, "the model "+name+":")
	}
	b.Providers["openai"] = router.Provider{Guarded: b.Providers["openai"].Guarded}
	_, _, err = b.take(t, asks(`{"model":"openai/a"}`))
	require.Contains(t, fail.From(err).Message, "the model openai/a:")
	require.Equal(t, 1, strings.Count(err.Error(), "MODEL_NOT_FOUND"), "what is stored says the code once: %s", err)
	require.True(t, strings.HasSuffix(err.Error(), ": openai/a"), err)
}

func TestANameWithoutAProviderKeepsNoOtherModelFromAnswering(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{`{"model":"openai/a","fallbacks":["gpt-4o"]}`, `{"model":"gpt-4o","fallbacks":["openai/a"]}`} {
		reply, _, err := setup(answers, answers).take(t, asks(settings))
		require.NoError(t, err, settings)
		require.Equal(t, []string{"openai", "a"}, []string{reply.Provider, reply.Model}, settings)
	}
	b := setup(refuses(ports.ErrModelCredentials), answers)
	_, _, err := b.take(t, asks(`{"model":"gpt-4o","fallbacks":["openai/a"]}`))
	e := fail.From(err)
	require.Equal(t, []any{"MODEL_CREDENTIALS", "a"}, []any{e.Code, e.Details["model"]})
	require.Equal(t, []map[string]any{{"provider": "unknown", "model": "gpt-4o", "code": "MODEL_NOT_FOUND"}}, e.Details["others"])
	b.Providers["openai"] = router.Provider{Guarded: b.Providers["openai"].Guarded}
	_, _, err = b.take(t, asks(`{"model":"gpt-4o","fallbacks":["openai/a"]}`))
	e = fail.From(err)
	require.Equal(t, []any{"MODEL_NOT_FOUND", "gpt-4o", nil}, []any{e.Code, e.Details["model"], e.Details["provider"]})
	require.Contains(t, e.Message, "the model gpt-4o:")
}

func TestAnAnswerWithoutTextIsAFailureWithWhatItHasUsed(t *testing.T) {
	t.Parallel()
	for finish, code := range map[domain.FinishReason]string{domain.FinishLength: "EMPTY_ANSWER", domain.FinishStop: "EMPTY_ANSWER", domain.FinishFilter: "CONTENT_FILTERED"} {
		b := setup(func(context.Context, ports.Prompt, func(string)) (domain.Reply, error) {
			return domain.Reply{Content: " \n", FinishReason: finish, Usage: domain.Usage{InputTokens: new(9), OutputTokens: new(7)}, Begun: true}, nil
		}, answers)
		reply, _, err := b.take(t, asks(`{"model":"openai/a"}`))
		require.Equal(t, code, fail.From(err).Code)
		require.Equal(t, []int{9, 7}, []int{*reply.InputTokens, *reply.OutputTokens})
		require.Len(t, b.openai.asked, 1)
	}
}

func TestWhatIsOfATenantAlertsNoOperator(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		model  replies
		own    bool
		tenant bool
	}{
		"the operator's key is refused": {refuses(ports.ErrModelCredentials), false, false},
		"the tenant's key is refused":   {refuses(ports.ErrModelCredentials), true, true},
		"the shared server fails":       {fails, false, false},
		"the operator's address":        {refuses(ports.ErrModelUnknown.With(ports.HintDetail, "check it")), false, false},
		"the tenant's server fails":     {fails, true, true},
		"what the tenant asks for":      {refuses(ports.ErrModelRejected), false, true},
	} {
		b := setup(test.model, answers)
		if test.own {
			b.memory.Own = map[string]ports.Access{"openai": {Key: "k", BaseURL: "https://own.example"}}
		}
		reply, _, err := b.take(t, asks(`{"model":"openai/a"}`))
		require.Equal(t, test.tenant, fail.IsOfTenant(err), name)
		require.Equal(t, test.own, reply.Own, name)
	}
}

// holds refuses prompts of more tokens than its window, and names that where it is to.
func holds(window int, named bool) replies {
	return func(_ context.Context, p ports.Prompt, say func(string)) (domain.Reply, error) {
		if p.Tokens() <= window {
			return answers(context.Background(), p, say)
		}
		e := ports.ErrContextTooLong
		if named {
			e = e.With("window", window)
		}
		return domain.Reply{Usage: domain.Usage{InputTokens: new(1)}}, resilience.Answered(e)
	}
}

// chat is a history of so many messages, each of 108 tokens.
func chat(messages int) (history []domain.Message) {
	for i := range messages {
		role := domain.RoleUser
		if i%2 == 1 {
			role = domain.RoleAssistant
		}
		history = append(history, domain.Message{Role: role, Content: strings.Repeat("abc", 100)})
	}
	return history
}

func TestAPromptThatIsTooLongIsAskedOnceMoreWithHalfOfTheHistory(t *testing.T) {
	t.Parallel()
	b := setup(holds(1200, false), answers)
	b.memory.History = chat(20)
	reply, said, err := b.take(t, asks(`{"model":"openai/a"}`))
	require.NoError(t, err)
	require.Equal(t, "from a", said)
	require.Len(t, b.openai.asked, 2)
	require.Equal(t, []int{20, 10}, []int{len(b.openai.asked[0].History), len(b.openai.asked[1].History)})
	require.Equal(t, domain.RoleUser, b.openai.asked[1].History[0].Role)
	require.Equal(t, 1_000_001, *reply.InputTokens, "what the refusal has used is counted too")

	b = setup(holds(300, false), answers)
	b.memory.History = chat(20)
	_, _, err = b.take(t, asks(`{"model":"openai/a"}`))
	require.ErrorIs(t, err, ports.ErrContextTooLong)
	require.Len(t, b.openai.asked, 2, "once, not until it fits")

	b = setup(holds(1, false), answers)
	_, _, err = b.take(t, asks(`{"model":"openai/a"}`))
	require.ErrorIs(t, err, ports.ErrContextTooLong)
	require.Len(t, b.openai.asked, 1, "there is no history to leave out")
}

func TestAWindowIsLearnedFromARefusal(t *testing.T) {
	t.Parallel()
	for _, named := range []bool{true, false} {
		b := setup(holds(1200, named), answers)
		b.Windows = router.NewWindows()
		b.memory.History = chat(20)
		for range 3 {
			_, _, err := b.take(t, asks(`{"model":"openai/a"}`))
			require.NoError(t, err)
		}
		require.Len(t, b.openai.asked, 4, "the next prompts are cut right at once")
		require.NotEmpty(t, b.openai.asked[3].History)
		_, _, err := b.take(t, asks(`{"model":"openai/b"}`))
		require.NoError(t, err)
		require.Len(t, b.openai.asked, 6, "of another model nothing is known")
	}
	b := setup(holds(1200, true), answers)
	b.Windows, b.Table = router.NewWindows(), router.Table{"openai/a": {Window: 9000}}
	b.memory.History = chat(20)
	for range 2 {
		_, _, err := b.take(t, asks(`{"model":"openai/a"}`))
		require.NoError(t, err)
	}
	require.Len(t, b.openai.asked, 4, "what the operator says holds")
	require.Len(t, b.openai.asked[2].History, 20)
}

func TestNoWorkspaceShrinksTheWindowOfAnother(t *testing.T) {
	t.Parallel()
	ada, bob := callctx.For(t.Context(), uuid.New(), uuid.New(), uuid.New()), callctx.For(t.Context(), uuid.New(), uuid.New(), uuid.New())
	first := func(ctx context.Context, t *testing.T, b *bundle) int {
		t.Helper()
		before := len(b.openai.asked)
		_, err := b.Reply(ctx, asks(`{"model":"openai/a"}`), func(string) {})
		require.NoError(t, err)
		return len(b.openai.asked[before].History)
	}
	for name, test := range map[string]struct {
		named, own bool
		bob        int // messages that the other workspace's first prompt has
	}{
		"its own server's word":    {named: true, own: true, bob: 20},
		"its own server's refusal": {own: true, bob: 20},
		"texts that count much":    {bob: 20},
		"the shared model's word":  {named: true, bob: 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(holds(1200, test.named), answers)
			b.Windows = router.NewWindows()
			b.memory.History = chat(20)
			if test.own {
				b.memory.Own = map[string]ports.Access{"openai": {Key: "k", BaseURL: "https://own.example"}}
			}
			require.Equal(t, 20, first(ada, t, b))
			require.Less(t, first(ada, t, b), 20)
			require.Equal(t, test.bob, first(bob, t, b))
		})
	}
}
