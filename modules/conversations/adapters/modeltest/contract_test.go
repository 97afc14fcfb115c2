package modeltest_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/anthropic"
	"github.com/parley/parley/modules/conversations/adapters/echo"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
	"github.com/parley/parley/modules/conversations/adapters/openai"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

const key = "sk-operator-key"

var discard = slog.New(slog.DiscardHandler)

// remote are the adapters that ask a server, each against its own.
func remote(s *modeltest.Server) map[string]ports.Model {
	client := webhook.NewTrustedStreamClient()
	return map[string]ports.Model{
		"openai":    openai.Model{Key: key, URL: s.URL + "/v1", Client: client, Guarded: webhook.NewStreamClient(webhook.PublicTargets)},
		"anthropic": anthropic.Model{Key: key, URL: s.URL, Client: client, Guarded: webhook.NewStreamClient(webhook.PublicTargets)},
	}
}

// eachRemote runs a test with each of them, on a server that follows the scripts.
func eachRemote(t *testing.T, run func(t *testing.T, m ports.Model, s *modeltest.Server), scripts ...modeltest.Script) {
	t.Helper()
	for _, name := range []string{"openai", "anthropic"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := modeltest.New(t, scripts...)
			run(t, remote(s)[name], s)
		})
	}
}

var hi = ports.Prompt{Content: "Hi", Asked: ports.Asked{Model: "m"}}

func TestThePiecesAddUpToTheAnswerAndComeBeforeIt(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, m ports.Model, _ *modeltest.Server) {
		t.Helper()
		provider, _ := m.Name()
		require.NotEmpty(t, provider)
		var pieces []string
		returned := false
		reply, err := m.Reply(t.Context(), ports.Prompt{Content: "one two", Asked: hi.Asked}, func(text string) {
			require.False(t, returned, "said after it had returned")
			require.NotEmpty(t, text)
			pieces = append(pieces, text)
		})
		returned = true
		require.NoError(t, err)
		require.Greater(t, len(pieces), 1, "all at once")
		require.Equal(t, reply.Content, strings.Join(pieces, ""))
		require.Equal(t, domain.FinishStop, reply.FinishReason)
	}
	eachRemote(t, run, modeltest.Script{Pieces: []string{"Привет", ", \"мир\"", "\n", "🙂"}})
	t.Run("echo", func(t *testing.T) {
		t.Parallel()
		run(t, echo.Model{}, nil)
	})
}

func TestUsageAndTheReasonOfTheEndAreTold(t *testing.T) {
	t.Parallel()
	eachRemote(t, func(t *testing.T, m ports.Model, _ *modeltest.Server) {
		t.Helper()
		reply, err := m.Reply(t.Context(), hi, func(string) {})
		require.NoError(t, err)
		require.Equal(t, []int{1200, 1000, 34}, []int{*reply.InputTokens, *reply.CachedTokens, *reply.OutputTokens})
	}, modeltest.Script{Input: 1200, Cached: 1000, Output: 34})
	for reason, want := range map[string]domain.FinishReason{
		"stop": "stop", "length": "length", "content_filter": "filter", "end_turn": "stop", "max_tokens": "length", "refusal": "filter",
	} {
		s := modeltest.New(t, modeltest.Script{Finish: reason})
		name := "anthropic"
		if reason == "stop" || reason == "length" || reason == "content_filter" {
			name = "openai"
		}
		reply, err := remote(s)[name].Reply(t.Context(), hi, func(string) {})
		require.NoError(t, err)
		require.Equal(t, want, reply.FinishReason, reason)
	}
	t.Run("not told", func(t *testing.T) {
		t.Parallel()
		reply, err := remote(modeltest.New(t, modeltest.Script{Mute: true}))["openai"].Reply(t.Context(), hi, func(string) {})
		require.NoError(t, err)
		require.Nil(t, reply.InputTokens)
		require.Nil(t, reply.OutputTokens)
	})
}

func TestTheServerIsAskedWhatThePromptSays(t *testing.T) {
	t.Parallel()
	warm, most := 1.5, 77
	p := ports.Prompt{
		Pinned: &domain.Pinned{Instruction: "Be kind."}, Content: "And now?",
		Asked: ports.Asked{Model: "big/model", Temperature: &warm, MaxOutputTokens: &most, History: []domain.Message{
			{Role: domain.RoleUser, Content: "Hi"}, {Role: domain.RoleAssistant, Content: "Hello"},
		}},
	}
	eachRemote(t, func(t *testing.T, m ports.Model, s *modeltest.Server) {
		t.Helper()
		_, err := m.Reply(t.Context(), p, func(string) {})
		require.NoError(t, err)
		require.Len(t, s.Calls(), 1)
		call := s.Calls()[0]
		require.Equal(t, "big/model", call.Body["model"])
		require.Equal(t, true, call.Body["stream"])
		require.InEpsilon(t, 77.0, call.Body["max_tokens"], 0)
		said := []string{"user: Hi", "assistant: Hello", "user: And now?"}
		if name, _ := m.Name(); name == "openai" {
			require.Equal(t, "/v1/chat/completions", call.Path)
			require.Equal(t, "Bearer "+key, call.Header.Get("Authorization"))
			require.Equal(t, map[string]any{"include_usage": true}, call.Body["stream_options"])
			require.Equal(t, append([]string{"system: Be kind."}, said...), call.Messages())
			require.InEpsilon(t, 1.5, call.Body["temperature"], 0)
			return
		}
		require.Equal(t, "/v1/messages", call.Path)
		require.Equal(t, key, call.Header.Get("X-Api-Key"))
		require.Equal(t, []any{map[string]any{"type": "text", "text": "Be kind."}}, call.Body["system"])
		require.Equal(t, said, call.Messages())
		require.InEpsilon(t, 1.0, call.Body["temperature"], 0, "it knows no hotter")
	})
	eachRemote(t, func(t *testing.T, m ports.Model, s *modeltest.Server) {
		t.Helper()
		_, err := m.Reply(t.Context(), hi, func(string) {})
		require.NoError(t, err)
		require.NotContains(t, s.Calls()[0].Body, "temperature")
		require.NotContains(t, s.Calls()[0].Body, "system")
		require.Equal(t, []string{"user: Hi"}, s.Calls()[0].Messages())
	})
}

func TestAWorkspacesOwnKeyAndAddressTakeThePlaceOfTheOperators(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"openai", "anthropic"} {
		operator, own := modeltest.New(t), modeltest.New(t)
		p := hi
		p.Access = &ports.Access{Key: "sk-own-key", BaseURL: own.URL}
		_, err := remote(operator)[name].Reply(t.Context(), p, func(string) {})
		require.ErrorContains(t, err, "the address is not public", "a tenant reaches into our network")
		require.Empty(t, own.Calls())
		client := webhook.NewStreamClient(webhook.AnyTargets)
		m := map[string]ports.Model{
			"openai": openai.Model{Key: key, URL: operator.URL, Guarded: client}, "anthropic": anthropic.Model{Key: key, URL: operator.URL, Guarded: client},
		}[name]
		_, err = m.Reply(t.Context(), p, func(string) {})
		require.NoError(t, err)
		require.Empty(t, operator.Calls())
		require.Contains(t, own.Calls()[0].Header.Get("Authorization")+own.Calls()[0].Header.Get("X-Api-Key"), "sk-own-key")
	}
}

func TestWhatIsNoWholeAnswerIsAFailureThatKeepsSecretsToItself(t *testing.T) {
	t.Parallel()
	half := []string{"Hel"}
	for name, script := range map[string]modeltest.Script{
		"breaks off":            {Pieces: half, Breaks: true},
		"ends in the middle":    {Pieces: half, Ends: true},
		"no JSON":               {Pieces: half, Malformed: true},
		"an error in it":        {Pieces: half, Fails: true},
		"an error from the off": {Pieces: []string{}, Fails: true},
		"401":                   {Status: 401, Code: "invalid_api_key"},
		"429":                   {Status: 429, Code: "rate_limit_exceeded"},
		"500":                   {Status: 500, Code: "SECRET words of the prompt"},
		"302":                   {Status: 302},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachRemote(t, func(t *testing.T, m ports.Model, s *modeltest.Server) {
				t.Helper()
				p := hi
				p.Content = "the secret prompt"
				_, err := m.Reply(t.Context(), p, func(string) {})
				require.Error(t, err)
				for _, secret := range []string{key, "secret", "SECRET", "127.0.0.1"} {
					require.NotContains(t, err.Error(), secret)
				}
				require.Len(t, s.Calls(), 1, "the library tries again by itself")
			}, script)
		})
	}
}

func TestARefusalIsCountedAsWhatItIs(t *testing.T) {
	t.Parallel()
	for status, opens := range map[int]bool{400: false, 401: false, 403: false, 404: false, 408: false, 422: false, 429: false, 500: true, 503: true} {
		eachRemote(t, func(t *testing.T, m ports.Model, _ *modeltest.Server) {
			t.Helper()
			group := resilience.NewGroup("model", resilience.Policy{Timeout: time.Minute, Concurrency: 1, Failures: 1, OpenFor: time.Hour}, discard)
			err := group.Do(t.Context(), "x", func(ctx context.Context) error {
				_, err := m.Reply(ctx, hi, func(string) {})
				return err
			})
			require.ErrorContains(t, err, "answered ")
			require.Equal(t, opens, group.Away("x") > 0, "%d", status)
		}, modeltest.Script{Status: status, Code: "x"})
	}
	eachRemote(t, func(t *testing.T, m ports.Model, _ *modeltest.Server) {
		t.Helper()
		_, err := m.Reply(t.Context(), hi, func(string) {})
		require.Equal(t, 20*time.Second, fail.From(err).RetryAfter)
	}, modeltest.Script{Status: 429, Code: "rate_limit_exceeded", RetryAfter: "20"})
}

// An answer that is cut off costs what its provider has told of it, and a provider that has begun to work is paid.
func TestWhatAnAnswerHasUsedThatIsNotWholeIsTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script modeltest.Script
		begun  bool
	}{
		"stalls":             {modeltest.Script{Pieces: []string{"Hel"}, Stalls: true}, true},
		"hangs":              {modeltest.Script{Hangs: true}, true},
		"breaks off":         {modeltest.Script{Pieces: []string{"Hel"}, Breaks: true}, true},
		"ends in the middle": {modeltest.Script{Pieces: []string{"Hel"}, Ends: true}, true},
		"an error in it":     {modeltest.Script{Pieces: []string{"Hel"}, Fails: true}, true},
		"is refused":         {modeltest.Script{Status: 401, Code: "x"}, false},
		"500":                {modeltest.Script{Status: 500, Code: "x"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.script.Input, test.script.Cached = 1200, 1000
			eachRemote(t, func(t *testing.T, m ports.Model, _ *modeltest.Server) {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				defer cancel()
				reply, err := m.Reply(ctx, hi, func(string) {})
				require.Error(t, err)
				require.Equal(t, test.begun, reply.Begun)
				if provider, _ := m.Name(); provider == "openai" || !test.begun || test.script.Hangs {
					require.Nil(t, reply.InputTokens)
					return
				}
				require.Equal(t, []int{1200, 1000, 1}, []int{*reply.InputTokens, *reply.CachedTokens, *reply.OutputTokens})
			}, test.script)
		})
	}
	t.Run("nobody is there", func(t *testing.T) {
		t.Parallel()
		s := modeltest.New(t)
		s.URL = "http://127.0.0.1:1"
		for _, m := range remote(s) {
			reply, err := m.Reply(t.Context(), hi, func(string) {})
			require.Error(t, err)
			require.False(t, reply.Begun)
		}
	})
}

// A turn that takes long is the tenant's wish, one that a server does not even begin to answer is the server's trouble.
func TestATimeOutCountsWhereTheServerHasNotBegunToAnswer(t *testing.T) {
	t.Parallel()
	for name, opens := range map[string]bool{"hangs": true, "stalls": false} {
		script := modeltest.Script{Pieces: []string{}, Stalls: true, Hangs: opens}
		eachRemote(t, func(t *testing.T, m ports.Model, _ *modeltest.Server) {
			t.Helper()
			group := resilience.NewGroup("model", resilience.Policy{Timeout: 300 * time.Millisecond, Failures: 1, OpenFor: time.Hour}, discard)
			err := group.Do(t.Context(), "x", func(ctx context.Context) error {
				_, err := m.Reply(ctx, hi, func(string) {})
				return err
			})
			require.ErrorContains(t, err, "did not answer")
			require.Equal(t, opens, group.Away("x") > 0, name)
		}, script)
	}
}

func TestACallerWhoGoesEndsTheCall(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"cancel": context.WithCancel,
		"deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 300*time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachRemote(t, func(t *testing.T, m ports.Model, s *modeltest.Server) {
				t.Helper()
				ctx, cancel := limit(t.Context())
				defer cancel()
				said := 0
				_, err := m.Reply(ctx, hi, func(string) {
					said++
					if name == "cancel" {
						cancel()
					}
				})
				require.ErrorIs(t, err, ctx.Err())
				require.Equal(t, 1, said)
				select {
				case <-s.Gone():
				case <-time.After(10 * time.Second):
					t.Fatal("the server still believes that somebody listens")
				}
			}, modeltest.Script{Pieces: []string{"Hel"}, Stalls: true})
		})
	}
}

func TestAnAnswerWithoutEndIsCut(t *testing.T) {
	t.Parallel()
	pieces := make([]string, 40)
	for i := range pieces {
		pieces[i] = strings.Repeat("x", 64<<10)
	}
	eachRemote(t, func(t *testing.T, m ports.Model, _ *modeltest.Server) {
		t.Helper()
		reply, err := m.Reply(t.Context(), hi, func(string) {})
		require.NoError(t, err)
		require.Equal(t, domain.FinishLength, reply.FinishReason)
		require.Less(t, len(reply.Content), 2<<20)
	}, modeltest.Script{Pieces: pieces, Stalls: true})
}
