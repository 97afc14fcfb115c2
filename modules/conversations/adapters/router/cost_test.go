package router_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/router"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
)

// budget remembers what was reserved, and has so much.
type budget struct {
	has      int64
	reserved []int64
}

func (b *budget) Reserve(_ context.Context, _ uuid.UUID, _ int, micros int64) error {
	b.reserved = append(b.reserved, micros)
	if micros > b.has {
		return fail.ErrLimitReached
	}
	return nil
}

// breaks says something and ends then, having told what it has used; nil: it has not.
func breaks(said string, used domain.Usage) func(context.Context, ports.Prompt, func(string)) (domain.Reply, error) {
	return func(_ context.Context, _ ports.Prompt, say func(string)) (domain.Reply, error) {
		if said != "" {
			say(said)
		}
		return domain.Reply{Usage: used, Begun: true}, errBroken
	}
}

// priced is a table in which a token costs so many millionths.
func priced(input, output int64) router.Table {
	input, output = input*1_000_000, output*1_000_000
	return router.Table{"*": {Input: &input, Output: &output}}
}

func TestWhatAFailedCallHasUsedIsPaidFor(t *testing.T) {
	t.Parallel()
	tokens := func(in, out int) domain.Usage { return domain.Usage{InputTokens: &in, OutputTokens: &out} }
	for name, test := range map[string]struct {
		model     func(context.Context, ports.Prompt, func(string)) (domain.Reply, error)
		in, out   int
		estimated bool
	}{
		"as its provider has told":          {breaks("", tokens(100, 7)), 100, 7, false},
		"with more text than was told":      {breaks(strings.Repeat("x", 30), tokens(100, 1)), 100, 10, true},
		"without a word of the provider's":  {breaks(strings.Repeat("x", 30), domain.Usage{}), 1 + 8, 10, true},
		"of which nothing came":             {breaks("", domain.Usage{}), 1 + 8, 0, true},
		"with numbers that cannot be":       {breaks("", tokens(-1, -1)), 1 + 8, 0, true},
		"with the output alone not told of": {breaks("", domain.Usage{InputTokens: new(5)}), 5, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(test.model, answers)
			b.Table = priced(10, 1000)
			p := asks(`{"model":"openai/a"}`)
			p.Pinned = &domain.Pinned{Settings: p.Pinned.Settings}
			p.Content = "Hi"
			reply, said, err := b.take(t, p)
			require.ErrorIs(t, err, errBroken)
			tries := len(b.openai.asked)
			require.Equal(t, map[bool]int{true: 2, false: 1}[said == ""], tries)
			in := test.in
			if in == 1+8 {
				in += 8 // the instruction, which is empty
			}
			require.Equal(t, []int{tries * in, tries * test.out}, []int{*reply.InputTokens, *reply.OutputTokens})
			require.Equal(t, test.estimated, reply.Estimated)
			require.EqualValues(t, tries*(in*10+test.out*1000), *reply.CostMicros)
			require.Equal(t, *reply.CostMicros, *reply.ChargedMicros)
			require.Equal(t, []string{"openai", "a"}, []string{reply.Provider, reply.Model})
		})
	}
}

func TestWhatWasNeverAtWorkIsFree(t *testing.T) {
	t.Parallel()
	b := setup(fails, fails)
	b.Table = priced(1, 1)
	reply, _, err := b.take(t, asks(both))
	require.ErrorIs(t, err, errBroken)
	require.Nil(t, reply.InputTokens)
	require.Nil(t, reply.CostMicros)
	require.Zero(t, *reply.ChargedMicros)
	require.False(t, reply.Estimated)
}

func TestAnAnswerCostsWhatTheModelsBeforeItHaveUsedToo(t *testing.T) {
	t.Parallel()
	used := domain.Usage{InputTokens: new(100), OutputTokens: new(0)}
	b := setup(breaks("", used), answers)
	b.Table = priced(1, 1)
	reply, _, err := b.take(t, asks(both))
	require.NoError(t, err)
	require.Equal(t, "anthropic", reply.Provider)
	require.Equal(t, []int{2*100 + 1_000_000, 500_000}, []int{*reply.InputTokens, *reply.OutputTokens})
	require.EqualValues(t, 2*100+1_500_000, *reply.CostMicros)
}

func TestWhatATurnMayCostIsReservedBeforeItsModelIsAsked(t *testing.T) {
	t.Parallel()
	ask := asks(`{"model":"openai/a","fallbacks":["anthropic/b"],"max_output_tokens":50}`)
	ask.Limited = true
	estimate := int64((1+8)+8)*10 + 50*1000

	b, money := setup(breaks("", domain.Usage{InputTokens: new(100), OutputTokens: new(0)}), answers), &budget{has: 1 << 40}
	b.Table, b.Budget = priced(10, 1000), money
	_, _, err := b.take(t, ask)
	require.NoError(t, err)
	require.Equal(t, []int64{estimate, 2*100*10 + estimate}, money.reserved, "the next model's beside what is spent")

	rewritten := ask
	rewritten.ChargedMicros = 777
	b, money = setup(breaks("", domain.Usage{InputTokens: new(100), OutputTokens: new(0)}), answers), &budget{has: 1 << 40}
	b.Table, b.Budget = priced(10, 1000), money
	_, _, err = b.take(t, rewritten)
	require.NoError(t, err)
	require.Equal(t, []int64{777 + estimate, 777 + 2*100*10 + estimate}, money.reserved, "beside what the attempt was charged before")

	b, money = setup(answers, answers), &budget{has: estimate - 1}
	b.Table, b.Budget = priced(10, 1000), money
	_, _, err = b.take(t, ask)
	require.ErrorIs(t, err, fail.ErrLimitReached)
	require.Empty(t, b.openai.asked)
	require.Empty(t, b.anthropic.asked)

	b.Table = router.Table{"openai/a": b.Table["*"]} // the fallback has no price
	reply, _, err := b.take(t, ask)
	require.NoError(t, err, "what has no price needs no room")
	require.Equal(t, "anthropic", reply.Provider)

	b.Table, money.reserved = priced(10, 1000), nil
	b.memory.Own = map[string]ports.Access{"openai": {Key: "sk-own"}}
	reply, _, err = b.take(t, ask)
	require.NoError(t, err, "a workspace's own key is its own affair")
	require.Empty(t, money.reserved)
	require.Positive(t, *reply.CostMicros)
	require.Zero(t, *reply.ChargedMicros)

	ask.Limited, b.memory.Own = false, nil
	_, _, err = b.take(t, ask)
	require.NoError(t, err)
	require.Empty(t, money.reserved, "a round trip without need")
}

func TestTheOperatorsKeysServeTheModelsThatAreAllowed(t *testing.T) {
	t.Parallel()
	b := setup(answers, answers)
	b.Allow = router.Allow{Patterns: []string{"openai/a*", "anthropic/*-b"}, Names: []string{"openai/exact"}}
	for name, ok := range map[string]bool{
		"openai/a": true, "openai/a/b": true, "openai/ab": true, "openai/exact": true, "openai/exact2": false, "openai/b": false,
		"anthropic/x-b": true, "anthropic/-b": true, "anthropic/b": false, "anthropic/a": false, "echo": false, "openai/A": false,
	} {
		_, said, err := b.take(t, asks(`{"model":"`+name+`"}`))
		if ok {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, ports.ErrModelNotAllowed, name)
		require.Equal(t, name, fail.From(err).Details["model"])
		require.Empty(t, said)
		require.Zero(t, b.Away(t.Context(), asks(`{"model":"`+name+`"}`), nil), "waiting would not help")
	}
	_, said, err := b.take(t, asks(`{"model":"openai/b","fallbacks":["openai/a"]}`))
	require.NoError(t, err)
	require.Equal(t, "from a", said, "the fallback that is allowed")
	b.memory.Own = map[string]ports.Access{"openai": {Key: "sk-own"}}
	_, said, err = b.take(t, asks(`{"model":"openai/b"}`))
	require.NoError(t, err)
	require.Equal(t, "from b", said, "with a key of its own")
}

func TestAPatternStandsForAnyText(t *testing.T) {
	t.Parallel()
	for pattern, names := range map[string]map[string]bool{
		"openai/*":        {"openai/": true, "openai/a/b": true, "anthropic/a": false},
		"openai/a*b*c":    {"openai/abc": true, "openai/axbxc": true, "openai/ac": false, "openai/abcd": false, "openai/a-b-b-c": true},
		"openai/*-8b-*":   {"openai/x-8b-": true, "openai/-8b-q": true, "openai/x-8b": false},
		"openai/aa*aa":    {"openai/aaa": false, "openai/aaaa": true},
		"echo":            {"echo": true, "openai/echo": false},
		"openai/gpt-4o**": {"openai/gpt-4o": true, "openai/gpt-4": false},
	} {
		for name, ok := range names {
			m, err := domain.ParseModel(name)
			if err != nil {
				provider, rest, _ := strings.Cut(name, "/")
				m = domain.ModelName{Provider: provider, Name: rest}
			}
			require.Equal(t, ok, router.Allow{Patterns: []string{pattern}}.Allows(m), "%s %s", pattern, name)
		}
	}
}
