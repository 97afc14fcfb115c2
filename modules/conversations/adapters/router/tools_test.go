package router_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
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

// stepOf is a step with one call, whose result has so many characters.
func stepOf(name string, result int) domain.Step {
	return domain.Step{
		Calls:   []domain.ModelCall{{ID: "1", Name: name, Arguments: json.RawMessage(`{"city":"Paris"}`)}},
		Results: []domain.ToolResult{{Text: strings.Repeat("x", result)}},
	}
}

func TestAnAnswerOfCallsAloneIsWhole(t *testing.T) {
	t.Parallel()
	b := setup(func(context.Context, ports.Prompt, func(string)) (domain.Reply, error) {
		return domain.Reply{Calls: stepOf("weather", 0).Calls, FinishReason: domain.FinishTools}, nil
	}, answers)
	reply, said, err := b.take(t, asks(both))
	require.NoError(t, err)
	require.Empty(t, said)
	require.Len(t, reply.Calls, 1)
	require.Equal(t, "openai", reply.Provider)
	require.Len(t, b.openai.asked, 1)
}

func TestToolsAndStepsCountAsTokens(t *testing.T) {
	t.Parallel()
	p := asks(`{"model":"openai/a","max_output_tokens":50}`)
	p.Limited = true
	bare := p.Tokens()
	p.Tools = []domain.OfferedTool{{Name: "weather", Description: strings.Repeat("d", 300), Schema: json.RawMessage(`{"a":"` + strings.Repeat("s", 3000) + `"}`)}}
	withTools := p.Tokens()
	require.Greater(t, withTools, bare+1100)
	p.Steps = []domain.Step{stepOf("weather", 6000)}
	require.Greater(t, p.Tokens(), withTools+2000)
	require.Less(t, p.Tokens(), withTools+2200)

	with := p
	with.History = []domain.Message{{Role: domain.RoleUser, Content: "a"}, {Role: domain.RoleAssistant, Content: "b", Steps: p.Steps}}
	require.Greater(t, with.Tokens(), p.Tokens()+2000)

	b, money := setup(answers, answers), &budget{has: 1 << 40}
	b.Table, b.Budget = priced(10, 1000), money
	_, _, err := b.take(t, p)
	require.NoError(t, err)
	require.Equal(t, []int64{int64(p.Tokens())*10 + 50*1000}, money.reserved)
}

func TestTheHistoryNeverHasACallWithoutItsResult(t *testing.T) {
	t.Parallel()
	history := []domain.Message{
		{Role: domain.RoleUser, Content: "a"}, {Role: domain.RoleAssistant, Content: "old", Steps: []domain.Step{stepOf("old", 300)}},
		{Role: domain.RoleUser, Content: "b"}, {Role: domain.RoleAssistant, Content: "large", Steps: []domain.Step{stepOf("large", 30_000), stepOf("small", 3)}},
		{Role: domain.RoleUser, Content: "c"}, {Role: domain.RoleAssistant, Steps: []domain.Step{stepOf("new", 300)}},
	}
	const others = 4000 + 2*8 + 1 // for the answer, the instruction and the message
	for window, want := range map[int][]string{
		others + 20_000: {"a", "old+1", "b", "large+2", "c", "+1"},
		others + 450:    {"a", "old+1", "b", "large", "c", "+1"},
		others + 250:    {"a", "old", "b", "large", "c", "+1"},
		others + 215:    {"b", "large", "c", "+1"},
		others + 150:    nil, // a message that has nothing but calls cannot be without them
	} {
		b := setup(answers, answers)
		b.memory.History = history
		b.Table = router.Table{"openai/a": {Window: window}}
		_, _, err := b.take(t, asks(`{"model":"openai/a"}`))
		require.NoError(t, err)
		var have []string
		for _, m := range b.openai.asked[0].History {
			text := m.Content
			if len(m.Steps) > 0 {
				text += fmt.Sprintf("+%d", len(m.Steps))
			}
			for _, s := range m.Steps {
				require.Len(t, s.Results, len(s.Calls))
			}
			have = append(have, text)
		}
		require.Equal(t, want, have, window)
	}
	require.Len(t, history[3].Steps, 2, "what is stored was changed")

	b := setup(answers, answers)
	b.memory.History = history
	b.Table = router.Table{"openai/a": {Window: others + 450}}
	p := asks(`{"model":"openai/a"}`)
	p.Tools = []domain.OfferedTool{{Name: "weather", Description: strings.Repeat("d", 300)}}
	_, _, err := b.take(t, p)
	require.NoError(t, err)
	sent := b.openai.asked[0]
	require.Empty(t, sent.History[1].Steps, "the tools take their room")
	require.LessOrEqual(t, sent.Tokens(), others+450-4000)
}

// A call that one provider has made goes on at the other one, which is sent ids that it accepts.
func TestAStepGoesOnAtAnotherProvider(t *testing.T) {
	t.Parallel()
	s := modeltest.New(t, modeltest.Script{Calls: []modeltest.ScriptCall{{ID: "call_of_openai|1", Name: "weather", Arguments: `{"city":"Paris"}`}, {ID: "call_of_openai|1", Name: "weather"}}},
		modeltest.Script{Status: http.StatusInternalServerError}, modeltest.Script{Pieces: []string{"18 °C"}})
	group := resilience.NewGroup("model", resilience.Policy{Timeout: time.Minute, Failures: 5, OpenFor: time.Hour}, slog.New(slog.DiscardHandler))
	r := router.Router{
		Providers: map[string]router.Provider{
			"openai":    {Guarded: guarded.Model{Model: openai.Model{URL: s.URL, Client: http.DefaultClient}, Group: group}, Shared: true},
			"anthropic": {Guarded: guarded.Model{Model: anthropic.Model{URL: s.URL, Client: http.DefaultClient}, Group: group}, Shared: true},
		},
		Recall: &memory{}, Allow: router.Allow{All: true},
	}
	p := asks(both)
	p.TurnID, p.Tools = uuid.New(), []domain.OfferedTool{{Name: "weather"}}
	reply, err := r.Reply(t.Context(), p, func(string) {})
	require.NoError(t, err)
	require.Len(t, reply.Calls, 2)
	require.NotEqual(t, reply.Calls[0].ID, reply.Calls[1].ID, "results could not be told apart")

	p.Steps = []domain.Step{{Calls: reply.Calls, Results: []domain.ToolResult{{Text: "18"}, {Text: "19"}}}}
	reply, err = r.Reply(t.Context(), p, func(string) {})
	require.NoError(t, err)
	require.Equal(t, []string{"anthropic", "18 °C"}, []string{reply.Provider, reply.Content})
	sent := s.Calls()
	require.Len(t, sent, 3)
	require.Equal(t, sent[1].Calls(), sent[2].Calls())
	require.Len(t, sent[2].Results(), 2)
	for _, made := range sent[2].Calls() {
		require.Regexp(t, `^[a-zA-Z0-9]{9}$`, made.ID)
	}
}

func TestACallThatTakesLongIsNoHangingModel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(func(ctx context.Context, p ports.Prompt, _ func(string)) (domain.Reply, error) {
			p.OnCall()
			select {
			case <-ctx.Done():
				return domain.Reply{}, context.Cause(ctx)
			case <-time.After(p.FirstTextTimeout + time.Second): // the arguments are long
			}
			return domain.Reply{Calls: stepOf("weather", 0).Calls, FinishReason: domain.FinishTools}, nil
		}, answers)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		reply, err := b.Reply(ctx, asks(both), func(string) {})
		require.NoError(t, err)
		require.Equal(t, "openai", reply.Provider, "a call was cut off as if nothing came")
	})
}

func TestAFailureWithinACallIsTriedAgain(t *testing.T) {
	t.Parallel()
	errCut := errors.New("cut")
	b := setup(nil, answers)
	b.openai.reply = func(_ context.Context, p ports.Prompt, _ func(string)) (domain.Reply, error) {
		if p.OnCall != nil {
			p.OnCall()
		}
		if len(b.openai.asked) == 1 {
			return domain.Reply{Begun: true, Usage: domain.Usage{OutputTokens: new(7), Estimated: true}}, errCut
		}
		return domain.Reply{Calls: stepOf("weather", 0).Calls, Usage: domain.Usage{InputTokens: new(100), OutputTokens: new(20)}}, nil
	}
	p := asks(`{"model":"openai/a"}`)
	reply, _, err := b.take(t, p)
	require.NoError(t, err)
	require.Len(t, b.openai.asked, 2, "nothing was passed on, so that it may be tried again")
	require.Equal(t, []int{100 + p.Tokens(), 27}, []int{*reply.InputTokens, *reply.OutputTokens}, "what the first attempt has used is paid for")
	require.True(t, reply.Estimated)
}
