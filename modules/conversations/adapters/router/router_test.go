package router_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/echo"
	"github.com/parley/parley/modules/conversations/adapters/guarded"
	"github.com/parley/parley/modules/conversations/adapters/router"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/resilience"
)

var errBroken = errors.New("broken")

// model answers as it is told to, and remembers what it was asked.
type model struct {
	name  string
	reply func(ctx context.Context, p ports.Prompt, say func(string)) (domain.Reply, error)
	asked []ports.Prompt
}

func (m *model) Name() (provider, model string) { return m.name, "" }
func (m *model) Reply(ctx context.Context, p ports.Prompt, say func(string)) (domain.Reply, error) {
	m.asked = append(m.asked, p)
	return m.reply(ctx, p, say)
}

func answers(_ context.Context, p ports.Prompt, say func(string)) (domain.Reply, error) {
	say("from " + p.Model)
	in, out := 1_000_000, 500_000
	return domain.Reply{Content: "from " + p.Model, Usage: domain.Usage{InputTokens: &in, OutputTokens: &out}, FinishReason: domain.FinishStop}, nil
}

func fails(context.Context, ports.Prompt, func(string)) (domain.Reply, error) {
	return domain.Reply{}, errBroken
}

func breaksOff(_ context.Context, _ ports.Prompt, say func(string)) (domain.Reply, error) {
	say("Hel")
	return domain.Reply{}, errBroken
}

func hangs(ctx context.Context, _ ports.Prompt, _ func(string)) (domain.Reply, error) {
	<-ctx.Done()
	return domain.Reply{}, context.Cause(ctx)
}

// memory is what is recalled, and how often it was.
type memory struct {
	ports.Recalled
	err          error
	times        atomic.Int32
	limit, bytes int
}

func (m *memory) Recall(_ context.Context, _ uuid.UUID, _ int64, _ domain.Path, limit, bytes int) (ports.Recalled, error) {
	m.times.Add(1)
	m.limit, m.bytes = limit, bytes
	return m.Recalled, m.err
}

// bundle is a router over openai and anthropic as they are told to be, and echo.
type bundle struct {
	router.Router
	openai, anthropic *model
	memory            *memory
}

func setup(openai, anthropic func(context.Context, ports.Prompt, func(string)) (domain.Reply, error)) *bundle {
	b := &bundle{openai: &model{name: "openai", reply: openai}, anthropic: &model{name: "anthropic", reply: anthropic}, memory: &memory{}}
	group := resilience.NewGroup("model", resilience.Policy{
		Timeout: time.Minute, Concurrency: 8, Retries: 1, Failures: 2, OpenFor: time.Hour,
	}, slog.New(slog.DiscardHandler))
	b.Router = router.Router{
		Providers: map[string]router.Provider{
			"echo":      {Guarded: guarded.Model{Model: echo.Model{}, Group: group}, Shared: true, Forgets: true},
			"openai":    {Guarded: guarded.Model{Model: b.openai, Group: group}, Shared: true},
			"anthropic": {Guarded: guarded.Model{Model: b.anthropic, Group: group}, Shared: true},
		},
		Default: domain.ModelName{Provider: "echo", Name: "echo"},
		Recall:  b.memory,
		Allow:   router.Allow{All: true},
	}
	return b
}

func asks(settings string) ports.Prompt {
	return ports.Prompt{Pinned: &domain.Pinned{Settings: []byte(settings)}, Content: "Hi"}
}

const both = `{"model":"openai/a","fallbacks":["anthropic/b"]}`

// take has the router answer, and gives what was said meanwhile.
func (b *bundle) take(t *testing.T, p ports.Prompt) (reply domain.Reply, said string, err error) {
	t.Helper()
	reply, err = b.Reply(t.Context(), p, func(text string) { said += text })
	return reply, said, err
}

func TestNothingIsReadForAModelThatNeedsNothing(t *testing.T) {
	t.Parallel()
	b := setup(fails, fails)
	for _, p := range []ports.Prompt{{Content: "Hi"}, asks(`{}`), asks(`{"model":"echo","fallbacks":["openai/a"]}`)} {
		reply, said, err := b.take(t, p)
		require.NoError(t, err)
		require.Equal(t, "Echo: Hi", said)
		require.Equal(t, []string{"echo", "echo"}, []string{reply.Provider, reply.Model})
	}
	require.Zero(t, b.memory.times.Load())
}

func TestAModelThatFailsBeforeItsFirstWordIsFollowedByTheNext(t *testing.T) {
	t.Parallel()
	b := setup(fails, answers)
	reply, said, err := b.take(t, asks(both))
	require.NoError(t, err)
	require.Equal(t, "from b", said)
	require.Equal(t, []string{"anthropic", "b"}, []string{reply.Provider, reply.Model})
	require.Len(t, b.openai.asked, 2, "it is tried again once, as the policy has it")
	require.EqualValues(t, 1, b.memory.times.Load(), "the thread is read once for all of them")
}

func TestAModelThatHasSaidSomethingIsFollowedByNone(t *testing.T) {
	t.Parallel()
	b := setup(breaksOff, answers)
	_, said, err := b.take(t, asks(both))
	require.ErrorIs(t, err, errBroken)
	require.Equal(t, "Hel", said)
	require.Len(t, b.openai.asked, 1, "asked again after it had said something")
	require.Empty(t, b.anthropic.asked)
	for range 5 {
		_, _, err = b.take(t, asks(both))
		require.ErrorIs(t, err, errBroken)
	}
	require.Zero(t, b.Providers["openai"].Away(t.Context(), "a", false), "which says nothing of whether it works")
}

func TestAModelThatHangsLeavesTimeForTheNextAndOpensItsBreaker(t *testing.T) {
	t.Parallel()
	b := setup(hangs, answers)
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		reply, err := b.Reply(ctx, asks(both), func(string) {})
		require.NoError(t, err)
		require.Equal(t, "anthropic", reply.Provider)
	}
	require.Len(t, b.openai.asked, 2, "the deadline left no time for a second attempt")
	require.Positive(t, b.Providers["openai"].Away(t.Context(), "a", false))
}

func TestAnOpenBreakerIsPassedBy(t *testing.T) {
	t.Parallel()
	b := setup(fails, answers)
	_, _, err := b.take(t, asks(both)) // twice, which opens it
	require.NoError(t, err)
	require.Zero(t, b.Away(t.Context(), asks(both), nil), "the other one is asked")
	require.InDelta(t, time.Hour, b.Away(t.Context(), asks(`{"model":"openai/a"}`), nil), float64(time.Minute))
	require.Zero(t, b.Away(t.Context(), asks(`{"model":"echo"}`), nil))
	asked := len(b.openai.asked)
	reply, _, err := b.take(t, asks(both))
	require.NoError(t, err)
	require.Equal(t, "anthropic", reply.Provider)
	require.Len(t, b.openai.asked, asked, "it was asked all the same")

	_, _, err = b.take(t, asks(`{"model":"openai/a"}`))
	_, refused := resilience.IsRefused(err)
	require.True(t, refused, "whoever takes turns for others can tell that nobody was asked")
	_, _, err = b.take(t, asks(`{"model":"openai/a","fallbacks":["anthropic/b"]}`))
	require.NoError(t, err)
	b.anthropic.reply = fails
	_, _, err = b.take(t, asks(`{"model":"anthropic/b","fallbacks":["openai/a"]}`))
	require.ErrorIs(t, err, errBroken)
	_, refused = resilience.IsRefused(err)
	require.False(t, refused, "one was asked, and failed")
}

func TestAWorkspacesOwnKeyIsUsedAndItsTroubleIsNobodyElses(t *testing.T) {
	t.Parallel()
	b := setup(fails, answers)
	b.memory.Own = map[string]ports.Access{"openai": {Key: "sk-own", BaseURL: "https://own.example"}}
	ada := callctx.For(t.Context(), uuid.New(), uuid.New(), uuid.New())
	_, err := b.Reply(ada, asks(`{"model":"openai/a"}`), func(string) {})
	require.ErrorIs(t, err, errBroken)
	require.Equal(t, &ports.Access{Key: "sk-own", BaseURL: "https://own.example"}, b.openai.asked[0].Access)
	require.Positive(t, b.Away(ada, asks(`{"model":"openai/a"}`), []string{"openai"}))
	bob := callctx.For(t.Context(), uuid.New(), uuid.New(), uuid.New())
	require.Zero(t, b.Away(bob, asks(`{"model":"openai/a"}`), []string{"openai"}))
	require.Zero(t, b.Away(bob, asks(`{"model":"openai/a"}`), nil))
}

func TestAModelThatNobodyHasConfiguredIsToldAsSuch(t *testing.T) {
	t.Parallel()
	b := setup(answers, answers)
	b.Providers["openai"] = router.Provider{Guarded: b.Providers["openai"].Guarded}
	for _, settings := range []string{`{"model":"openai/a"}`, `{"model":"gpt-4o"}`, `{"fallbacks":7}`} {
		_, _, err := b.take(t, asks(settings))
		require.ErrorIs(t, err, ports.ErrModelNotConfigured, settings)
	}
	require.Zero(t, b.Away(t.Context(), asks(`{"model":"openai/a"}`), nil), "waiting would not help")
	require.Empty(t, b.openai.asked)
	b.memory.Own = map[string]ports.Access{"openai": {Key: "sk-own"}}
	_, said, err := b.take(t, asks(`{"model":"openai/a"}`))
	require.NoError(t, err, "with a key of its own")
	require.Equal(t, "from a", said)
}

func TestWhatCannotBeRecalledIsNotMadeUp(t *testing.T) {
	t.Parallel()
	b := setup(answers, answers)
	b.memory.err = errBroken
	_, _, err := b.take(t, asks(both))
	require.ErrorIs(t, err, errBroken)
	require.Empty(t, b.openai.asked, "asked without what it should know")
}

func TestTheModelIsToldWhatFitsIntoItsWindow(t *testing.T) {
	t.Parallel()
	say := func(role domain.Role, size int) domain.Message {
		return domain.Message{Role: role, Content: strings.Repeat("x", size)}
	}
	history := []domain.Message{
		say("user", 3000), say("assistant", 3), say("user", 300), say("assistant", 300), say("user", 30), say("assistant", 30),
	}
	for name, test := range map[string]struct {
		window int
		kept   int // of the newest
	}{
		"all of it":                         {1000 + 4000 + 1000 + 1000, 6},
		"the oldest goes first, with":       {4000 + 300 + 2*8 + 2*(100+8+10+8) + 20, 4}, // its answer would come first
		"not half a pair":                   {4000 + 300 + 2*8 + 2*(10+8) + 108, 2},
		"none":                              {4000, 0},
		"window smaller than what is asked": {10, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(answers, answers)
			b.memory.History = history
			b.Table = router.Table{"openai/a": {Window: test.window}}
			p := asks(`{"model":"openai/a","history_limit":6}`)
			p.Pinned.Instruction = strings.Repeat("i", 900)
			_, _, err := b.take(t, p)
			require.NoError(t, err)
			require.Equal(t, append([]domain.Message(nil), history[len(history)-test.kept:]...), b.openai.asked[0].History)
			require.Equal(t, p.Pinned.Instruction, b.openai.asked[0].Pinned.Instruction, "the instruction is never cut")
			require.Equal(t, []int{6, 3 * test.window}, []int{b.memory.limit, b.memory.bytes})
		})
	}
}

func TestAnAnswerCostsWhatTheTableSays(t *testing.T) {
	t.Parallel()
	price := func(n int64) *int64 { return &n }
	for name, test := range map[string]struct {
		table router.Table
		want  *int64
	}{
		"nothing is known":    {nil, nil},
		"by name":             {router.Table{"openai/a": {Input: price(150_000), Output: price(600_000)}}, price(450_000)},
		"as any other":        {router.Table{"*": {Input: price(2), Output: price(4)}, "openai/b": {}}, price(4)},
		"free":                {router.Table{"*": {Input: price(0), Output: price(0)}}, price(0)},
		"half a price is not": {router.Table{"*": {Input: price(2)}}, nil},
	} {
		b := setup(answers, answers)
		b.Table = test.table
		reply, _, err := b.take(t, asks(`{"model":"openai/a"}`))
		require.NoError(t, err)
		require.Equal(t, test.want, reply.CostMicros, name)
	}
	b := setup(func(context.Context, ports.Prompt, func(string)) (domain.Reply, error) {
		in, cached, out := 1001, 1000, 1
		return domain.Reply{Content: "x", Usage: domain.Usage{InputTokens: &in, CachedTokens: &cached, OutputTokens: &out}}, nil
	}, answers)
	b.Table = router.Table{"openai/a": {Input: price(1_000_000), Cached: price(100_000), Output: price(500_000)}}
	reply, _, err := b.take(t, asks(`{"model":"openai/a"}`))
	require.NoError(t, err)
	require.EqualValues(t, 1+100+1, *reply.CostMicros, "cached input at its price, and a fraction counts as one")
}

// Tokens count towards a workspace's limits, and a server that the workspace itself names may tell any number.
func TestNumbersThatCannotBeAreNotKnown(t *testing.T) {
	t.Parallel()
	price := int64(1)
	for name, told := range map[string]int{"gives tokens back": -1, "is beyond what can be stored": math.MaxInt32 + 1, "overflows": math.MinInt64} {
		b := setup(func(context.Context, ports.Prompt, func(string)) (domain.Reply, error) {
			in, out, cached := told, told, told
			return domain.Reply{Content: "x", Usage: domain.Usage{InputTokens: &in, OutputTokens: &out, CachedTokens: &cached}}, nil
		}, answers)
		b.Table = router.Table{"*": {Input: &price, Output: &price, Cached: &price}}
		reply, _, err := b.take(t, asks(`{"model":"openai/a"}`))
		require.NoError(t, err, name)
		require.Nil(t, reply.InputTokens, name)
		require.Nil(t, reply.OutputTokens, name)
		require.Nil(t, reply.CachedTokens, name)
		require.Nil(t, reply.CostMicros, name)
	}
}
