package modeltest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/echo"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
)

// withTools is a prompt with two tools.
func withTools() ports.Prompt {
	return ports.Prompt{
		ThreadID: uuid.MustParse("0190a1b2-0000-7000-8000-000000000001"), TurnID: uuid.MustParse("0190a1b2-0000-7000-8000-000000000002"),
		Pinned: &domain.Pinned{Instruction: "Be kind."}, Content: "call weather {\"city\": \"Paris\"}\ncall book {}", Asked: hi.Asked,
		Tools: []domain.OfferedTool{
			{Name: "weather", Description: "The weather of a city.", Schema: json.RawMessage(`{"type":"object","required":["city"],"properties":{"city":{"type":"string"},"a":{"const":12345678901234567890}}}`)},
			{Name: "book"},
		},
	}
}

// shown are calls as texts.
func shown(calls []domain.ModelCall) (all []string) {
	for _, c := range calls {
		all = append(all, fmt.Sprintf("%s %s %s", c.ID, c.Name, c.Arguments))
	}
	return all
}

func TestCallsOfToolsAreRead(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, m ports.Model, s *modeltest.Server) {
		t.Helper()
		var said strings.Builder
		begun := 0
		p := withTools()
		p.OnCall = func() { begun++ }
		reply, err := m.Reply(t.Context(), p, func(text string) { said.WriteString(text) })
		require.NoError(t, err)
		require.Equal(t, []string{`call_1 weather {"city": "Paris"}`, `call_2 book {}`}, shown(reply.Calls))
		require.Equal(t, domain.FinishTools, reply.FinishReason)
		require.Equal(t, said.String(), reply.Content)
		if s == nil {
			require.Empty(t, reply.Content)
			return
		}
		require.Equal(t, "One moment.", reply.Content)
		require.Equal(t, 1, begun)
		require.Equal(t, []int{12, 34}, []int{*reply.InputTokens, *reply.OutputTokens})
	}
	eachRemote(t, run, modeltest.Script{Pieces: []string{"One ", "moment."}, Input: 12, Output: 34, Calls: []modeltest.ScriptCall{
		{Name: "weather", Arguments: `{"city": "Paris"}`}, {Name: "book"},
	}})
	t.Run("echo", func(t *testing.T) {
		t.Parallel()
		run(t, echo.Model{}, nil)
	})
}

// steps are two steps of an answer, of which one has failed.
func steps() []domain.Step {
	return []domain.Step{
		{Text: "One moment.", Calls: []domain.ModelCall{
			{ID: "toolu_1", Name: "weather", Arguments: json.RawMessage(`{"city":"Paris"}`)}, {ID: "toolu_2", Name: "boo k", Arguments: json.RawMessage(`"{oops"`)},
		}, Results: []domain.ToolResult{{Text: "18 °C"}, {Text: "no object", Failed: true}}},
		{Calls: []domain.ModelCall{{ID: "toolu_1", Name: "book", Arguments: json.RawMessage(`{}`)}}, Results: []domain.ToolResult{{Text: "booked"}}},
	}
}

func TestTheResultsOfToolsFollowTheirCalls(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, m ports.Model, s *modeltest.Server) {
		t.Helper()
		p := withTools()
		p.History = []domain.Message{
			{ID: uuid.New(), Role: domain.RoleUser, Content: "Hi"}, {ID: uuid.New(), Role: domain.RoleAssistant, Content: "Done.", Steps: steps()},
			{ID: uuid.New(), Role: domain.RoleUser, Content: "Again"}, {ID: uuid.New(), Role: domain.RoleAssistant, Steps: steps()[1:]},
			{ID: uuid.New(), Role: domain.RoleUser, Content: "And"}, {ID: uuid.New(), Role: domain.RoleAssistant, Content: "So.", Steps: []domain.Step{{Calls: steps()[1].Calls}}},
		}
		p.Steps = steps()
		reply, err := m.Reply(t.Context(), p, func(string) {})
		require.NoError(t, err)
		require.Empty(t, reply.Calls)
		if s == nil {
			require.Equal(t, "Echo: 18 °C\nno object\nbooked", reply.Content)
			return
		}
		mark := p.ResultBoundary()
		result := func(before, text string) string {
			return fmt.Sprintf("tool: %s<result-%s>\n%s\n</result-%s>", before, mark, text, mark)
		}
		two := []string{
			`assistant: One moment. [weather {"city":"Paris"}] [boo_k {"invalid_arguments":"{oops"}]`, result("", "18 °C"), result("The call has failed:\n", "no object"),
		}
		one := []string{"assistant: [book {}]", result("", "booked")}
		var want []string
		for _, some := range [][]string{
			{"user: Hi"}, two, one, {"assistant: Done.", "user: Again"}, one, {"assistant: (There is no answer.)", "user: And"},
			one[:1], {result("The call has failed:\n", "The call was not completed: it has no result."), "assistant: So.", "user: " + p.Content}, two, one,
		} {
			want = append(want, some...)
		}
		call := s.Calls()[0]
		require.Equal(t, want, without(call.Messages(), "system: "))
		require.Equal(t, []string{"weather", "book"}, call.Tools())
		raw, err := json.Marshal(call.Body)
		require.NoError(t, err)
		require.Contains(t, string(raw), "Be kind.\\n\\n"+strings.Split(domain.ResultRules(mark), "<")[0])
		requireMatched(t, call)
		require.Equal(t, call.Calls(), sent(t, m, s, p).Calls(), "ids that change spoil the provider's cache")
		p.TurnID = uuid.New()
		require.NotEqual(t, call.Calls(), sent(t, m, s, p).Calls())
		if provider, _ := m.Name(); provider == domain.Anthropic {
			require.Contains(t, string(raw), `"is_error":true`)
			return
		}
		require.Contains(t, string(raw), `"content":null,"role":"assistant","tool_calls"`)
	}
	eachRemote(t, run)
	t.Run("echo", func(t *testing.T) {
		t.Parallel()
		run(t, echo.Model{}, nil)
	})
}

// sent returns the call that a model makes for a prompt.
func sent(t *testing.T, m ports.Model, s *modeltest.Server, p ports.Prompt) modeltest.Call {
	t.Helper()
	_, err := m.Reply(t.Context(), p, func(string) {})
	require.NoError(t, err)
	return s.Calls()[len(s.Calls())-1]
}

// requireMatched checks that each call of a prompt has a result with its id, which is one that every provider accepts.
func requireMatched(t *testing.T, call modeltest.Call) {
	t.Helper()
	results := call.Results()
	require.Len(t, results, len(call.Calls()), "an id is used twice, or there is a result too many")
	for _, made := range call.Calls() {
		require.Regexp(t, `^[a-zA-Z0-9]{9}$`, made.ID)
		require.Contains(t, results, made.ID)
		require.Regexp(t, `^[a-zA-Z0-9_-]{1,64}$`, made.Name)
	}
}

func without(texts []string, prefix string) (rest []string) {
	for _, text := range texts {
		if !strings.HasPrefix(text, prefix) {
			rest = append(rest, text)
		}
	}
	return rest
}

func TestToolsAreOfferedAsTheAPIWantsThem(t *testing.T) {
	t.Parallel()
	eachRemote(t, func(t *testing.T, m ports.Model, s *modeltest.Server) {
		t.Helper()
		provider, _ := m.Name()
		for choice, want := range map[domain.ToolChoice][2]string{
			"":                   {"null", "null"},
			domain.ToolsAuto:     {"null", "null"},
			domain.ToolsRequired: {`"required"`, `{"type":"any"}`},
			domain.ToolsNone:     {`"none"`, `{"type":"none"}`},
			"book":               {`{"function":{"name":"book"},"type":"function"}`, `{"name":"book","type":"tool"}`},
		} {
			p := withTools()
			p.ToolChoice = choice
			call := sent(t, m, s, p)
			chosen, err := json.Marshal(call.Body["tool_choice"])
			require.NoError(t, err)
			require.Equal(t, want[map[string]int{domain.OpenAI: 0, domain.Anthropic: 1}[provider]], string(chosen))
			p.Steps = steps()
			if choice != domain.ToolsNone {
				require.NotContains(t, sent(t, m, s, p).Body, "tool_choice", "a model that must call a tool in every step never answers")
			}
		}
		p := withTools()
		raw, err := json.Marshal(sent(t, m, s, p).Body["tools"])
		require.NoError(t, err)
		weather := `"required":["city"],"type":"object"}`
		require.Contains(t, string(raw), weather)
		require.Contains(t, string(raw), `{"properties":{},"type":"object"}`, "a tool without a schema")
		p.Tools = nil
		require.NotContains(t, sent(t, m, s, p).Body, "tools")
		p.Steps = steps()
		call := sent(t, m, s, p)
		if provider == domain.OpenAI {
			require.NotContains(t, call.Body, "tools")
			return
		}
		require.Equal(t, []string{"weather", "boo_k", "book"}, call.Tools(), "the provider refuses calls of tools that it does not have")
		require.Equal(t, map[string]any{"type": "none"}, call.Body["tool_choice"])
	})
}

func TestCallsThatNobodyHasOfferedAreNone(t *testing.T) {
	t.Parallel()
	script := modeltest.Script{Calls: []modeltest.ScriptCall{{Name: "weather"}}}
	eachRemote(t, func(t *testing.T, m ports.Model, _ *modeltest.Server) {
		t.Helper()
		_, err := m.Reply(t.Context(), hi, func(string) {})
		require.ErrorIs(t, err, ports.ErrEmptyAnswer)
		p := withTools()
		p.ToolChoice = domain.ToolsNone
		_, err = m.Reply(t.Context(), p, func(string) {})
		require.ErrorIs(t, err, ports.ErrEmptyAnswer)
	}, script, script)
}

func TestACallThatIsNotWholeIsNotMade(t *testing.T) {
	t.Parallel()
	call := modeltest.Script{Calls: []modeltest.ScriptCall{{Name: "book"}, {Name: "weather", Arguments: `{"city": "Paris"}`}}, Mute: true}
	for name, change := range map[string]func(s *modeltest.Script){
		"breaks off":         func(s *modeltest.Script) { s.Breaks = true },
		"ends in the middle": func(s *modeltest.Script) { s.Ends = true },
		"an error in it":     func(s *modeltest.Script) { s.Fails = true },
		"stalls":             func(s *modeltest.Script) { s.Stalls = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := call
			change(&script)
			eachRemote(t, func(t *testing.T, m ports.Model, _ *modeltest.Server) {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				reply, err := m.Reply(ctx, withTools(), func(string) { t.Error("text") })
				require.Error(t, err)
				require.False(t, ports.PermanentModelFailure(err))
				require.Empty(t, reply.Calls)
				require.Empty(t, reply.FinishReason)
				require.True(t, reply.Begun)
				require.GreaterOrEqual(t, *reply.OutputTokens, 5, "what has come of the calls is paid for")
				require.True(t, reply.Estimated)
			}, script)
		})
	}
	for _, finish := range []string{"length", "max_tokens"} {
		cut := call
		cut.Finish, cut.Calls = finish, []modeltest.ScriptCall{{Name: "weather", Arguments: `{"city": "Par`}}
		eachRemote(t, func(t *testing.T, m ports.Model, _ *modeltest.Server) {
			t.Helper()
			reply, err := m.Reply(t.Context(), withTools(), func(string) {})
			require.ErrorIs(t, err, ports.ErrToolCallCut)
			require.True(t, ports.PermanentModelFailure(err))
			require.Equal(t, "MODEL_REJECTED", fail.From(err).Code)
			require.Equal(t, "TOOL_CALL_CUT", fail.From(err).Details["reason"])
			require.Empty(t, reply.Calls)
			reply, err = m.Reply(t.Context(), withTools(), func(string) {})
			require.NoError(t, err, "the limit was reached after the call")
			require.Len(t, reply.Calls, 1)
			require.Equal(t, domain.FinishTools, reply.FinishReason)
		}, cut, modeltest.Script{Finish: finish, Calls: []modeltest.ScriptCall{{Name: "book"}}})
	}
}

func TestCallsAreBounded(t *testing.T) {
	t.Parallel()
	many := make([]modeltest.ScriptCall, domain.MaxCalls+1)
	for i := range many {
		many[i].Name = "book"
	}
	long := func(n int) []modeltest.ScriptCall {
		return []modeltest.ScriptCall{{Name: "weather", Arguments: `{"city":"` + strings.Repeat("x", n-len(`{"city":""}`)) + `"}`}}
	}
	for reason, calls := range map[string][2][]modeltest.ScriptCall{
		"TOO_MANY_TOOL_CALLS": {many[1:], many}, "TOOL_CALL_TOO_LONG": {long(domain.MaxArguments), long(domain.MaxArguments + 1)},
	} {
		eachRemote(t, func(t *testing.T, m ports.Model, _ *modeltest.Server) {
			t.Helper()
			reply, err := m.Reply(t.Context(), withTools(), func(string) {})
			require.NoError(t, err)
			require.Len(t, reply.Calls, len(calls[0]))
			reply, err = m.Reply(t.Context(), withTools(), func(string) {})
			require.ErrorIs(t, err, ports.ErrToolCall)
			require.Equal(t, reason, fail.From(err).Details["reason"])
			require.Empty(t, reply.Calls)
		}, modeltest.Script{Calls: calls[0]}, modeltest.Script{Calls: calls[1]})
	}
}

func TestACallerWhoGoesInTheMidstOfArgumentsEndsTheCall(t *testing.T) {
	t.Parallel()
	eachRemote(t, func(t *testing.T, m ports.Model, s *modeltest.Server) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		p := withTools()
		p.OnCall = func() {
			<-s.Asked() // the server has sent a part of the arguments
			cancel()
		}
		reply, err := m.Reply(ctx, p, func(string) {})
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, reply.Calls)
		require.True(t, reply.Begun)
		select {
		case <-s.Gone():
		case <-time.After(time.Minute):
			t.Fatal("the server still believes that somebody listens")
		}
	}, modeltest.Script{Calls: []modeltest.ScriptCall{{Name: "weather", Arguments: `{"city": "Paris"}`}}, Stalls: true})
}
