package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/bots/adapters/postgres"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/modules/bots/usecases"
)

// noKnowledge is a workspace without knowledge bases.
type noKnowledge struct{}

func (noKnowledge) Check(context.Context, []domain.UsedBase) error { return nil }

func (noKnowledge) Hold(context.Context, uuid.UUID) error { return nil }

func later() time.Time { return now.Add(time.Hour) }

func TestEveryMoveOfAPointerIsKept(t *testing.T) {
	t.Parallel()
	s := setup(t)
	bot := s.create(t, s.me, "Ada", now).ID
	_, err := s.update(s.me, usecases.NewInstruction{BotID: bot, By: s.by, Instruction: "two", Note: "why", Hold: true})
	require.NoError(t, err)
	by := uuid.New()
	require.NoError(t, s.db.Write(s.me, func(ctx context.Context) error {
		_, before, err := usecases.PublishBot{Bots: s.bots, Reader: s.bots, Knowledge: noKnowledge{}, Tools: postgres.Tools{DB: s.db}, Events: silent{}, Now: later}.Do(ctx, bot, by, 2)
		require.Equal(t, 1, before)
		return err
	}))
	require.NoError(t, s.db.Write(s.me, func(ctx context.Context) error {
		_, err := usecases.RollBackBot{Bots: s.bots, Reader: s.bots, Knowledge: noKnowledge{}, Tools: postgres.Tools{DB: s.db}, Events: silent{}, Now: later}.Do(ctx, usecases.OldVersion{BotID: bot, By: by, Version: 1})
		return err
	}))
	want := []domain.PointerChange{
		{Number: 6, Pointer: domain.Published, From: 2, To: 3, Cause: domain.Rollback, By: by, At: later()},
		{Number: 5, Pointer: domain.Current, From: 2, To: 3, Cause: domain.Rollback, By: by, At: later()},
		{Number: 4, Pointer: domain.Published, From: 1, To: 2, Cause: domain.Publish, By: by, At: later()},
		{Number: 3, Pointer: domain.Current, From: 1, To: 2, Cause: domain.Edit, By: s.by, At: later()},
		{Number: 2, Pointer: domain.Published, To: 1, Cause: domain.Create, By: s.by, At: now},
		{Number: 1, Pointer: domain.Current, To: 1, Cause: domain.Create, By: s.by, At: now},
	}
	moves, err := s.bots.PointerChanges(s.me, bot, nil, 10)
	require.NoError(t, err)
	for i := range moves {
		moves[i].At = moves[i].At.UTC()
	}
	require.Equal(t, want, moves)
	moves, err = s.bots.PointerChanges(s.me, bot, &ports.PointerChangePosition{Number: 3}, 1)
	require.NoError(t, err)
	require.Len(t, moves, 1)
	require.Equal(t, 2, moves[0].Number)

	old, back, err := s.bots.Pair(s.me, bot, 1, 3)
	require.NoError(t, err)
	require.Equal(t, []any{"one", "one", "", "back to version 1"}, []any{old.Content.Instruction(), back.Content.Instruction(), old.Note, back.Note})
	_, _, err = s.bots.Pair(s.me, bot, 1, 4)
	require.ErrorIs(t, err, ports.ErrVersionNotFound)
	got, err := s.bots.Get(s.me, bot)
	require.NoError(t, err)
	require.Equal(t, []int{3, 3}, []int{got.CurrentVersion, got.PublishedVersion})
}

func TestAVersionWrittenForAnotherIsRefused(t *testing.T) {
	t.Parallel()
	s := setup(t)
	bot := s.create(t, s.me, "Ada", now).ID
	_, err := s.update(s.me, usecases.NewInstruction{BotID: bot, By: s.by, Instruction: "two", Expected: 1})
	require.NoError(t, err)
	_, err = s.update(s.me, usecases.NewInstruction{BotID: bot, By: s.by, Instruction: "three", Expected: 1})
	require.ErrorIs(t, err, ports.ErrVersionConflict)
	got, err := s.bots.Get(s.me, bot)
	require.NoError(t, err)
	require.Equal(t, "two", got.Content.Instruction())
}

// What was written before a rule was there can still be gone back to.
func TestAnOldVersionThatNoNewOneMayBeIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var bot domain.Bot
	require.NoError(t, s.db.Write(s.me, func(ctx context.Context) (err error) {
		bot, err = usecases.CreateBot{Bots: s.bots, Now: later}.Do(ctx, usecases.NewBot{By: s.by, Attributes: domain.Attributes{Name: "Ada"}, Settings: []byte(`{"mood":"good"}`)})
		return err
	}))
	_, err := s.update(s.me, usecases.NewInstruction{BotID: bot.ID, By: s.by, Instruction: "two", Settings: []byte("{}")})
	require.NoError(t, err)
	require.NoError(t, s.db.Write(s.me, func(ctx context.Context) (err error) {
		_, err = usecases.RollBackBot{Bots: s.bots, Reader: s.bots, Knowledge: noKnowledge{}, Tools: postgres.Tools{DB: s.db}, Events: silent{}, Now: later}.Do(ctx, usecases.OldVersion{BotID: bot.ID, By: s.by, Version: 1})
		return err
	}))
	got, err := s.bots.Get(s.me, bot.ID)
	require.NoError(t, err)
	require.Empty(t, got.Content.Instruction())
	require.JSONEq(t, `{"mood":"good"}`, string(got.Content.Settings()))
}

func TestTheListOfBotsIsNarrowedByNameAndStatus(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for i, name := range []string{"Support 100%", "support_RU", "Sales", "ÜBERSETZER"} {
		s.create(t, s.me, name, now.Add(time.Duration(i)*time.Second))
	}
	list := func(f ports.BotFilter) (names []string) {
		bots, err := s.bots.List(s.me, f, nil, 10)
		require.NoError(t, err)
		for _, b := range bots {
			names = append(names, b.Name)
		}
		return names
	}
	part := func(text string) ports.BotFilter { return ports.BotFilter{NamePart: &text} }
	require.Equal(t, []string{"support_RU", "Support 100%"}, list(part("SUPPORT")))
	require.Equal(t, []string{"Support 100%"}, list(part("%")), "no wildcard")
	require.Equal(t, []string{"support_RU"}, list(part("_")), "no wildcard")
	require.Equal(t, []string{"ÜBERSETZER"}, list(part("über")))
	require.Empty(t, list(part("nobody")))
	draft, archived := domain.Draft, domain.Archived
	require.Len(t, list(ports.BotFilter{Status: &draft}), 4)
	require.Empty(t, list(ports.BotFilter{Status: &archived}))
}
