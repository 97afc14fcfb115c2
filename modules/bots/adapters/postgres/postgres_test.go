package postgres_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/bots/adapters/postgres"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/modules/bots/usecases"
	platform "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/testing/pgtest"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

var now = time.Now().UTC().Truncate(time.Microsecond)

type bundle struct {
	db   *platform.DB
	bots *postgres.Bots
	me   context.Context
	them context.Context // another workspace
	by   uuid.UUID
}

// silent are events that nobody wants.
type silent struct{}

func (silent) BotUpdated(context.Context, domain.Bot) error { return nil }

func setup(t *testing.T) *bundle {
	t.Helper()
	url := pg.URL(t)
	su := pg.Superuser(t, url)
	s := &bundle{db: pg.Open(t, url), by: uuid.New()}
	s.bots = postgres.NewBots(s.db, &usage.Quota{DB: s.db})
	for _, into := range []*context.Context{&s.me, &s.them} {
		*into = callctx.As(t.Context(), uuid.New(), s.by)
		_, err := su.Exec(t.Context(), "INSERT INTO workspaces VALUES ($1, 'Acme', now())", callctx.From(*into).Principal.WorkspaceID)
		require.NoError(t, err)
	}
	return s
}

func (s *bundle) create(t *testing.T, ctx context.Context, name string, at time.Time) (bot domain.Bot) { //nolint:revive // t first
	t.Helper()
	require.NoError(t, s.db.Write(ctx, func(ctx context.Context) (err error) {
		bot, err = usecases.CreateBot{Bots: s.bots, Now: func() time.Time { return at }}.Do(ctx, usecases.NewBot{
			WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, By: s.by, Attributes: domain.Attributes{Name: name}, Instruction: "one",
		})
		return err
	}))
	return bot
}

func (s *bundle) update(ctx context.Context, in usecases.NewInstruction) (bot domain.Bot, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) (err error) {
		bot, err = usecases.UpdateInstruction{Bots: s.bots, Events: silent{}, Now: func() time.Time { return now.Add(time.Hour) }}.Do(ctx, in)
		return err
	})
	return bot, err
}

func TestABotIsKeptWithEveryVersion(t *testing.T) {
	t.Parallel()
	s := setup(t)
	bot := s.create(t, s.me, "Ada", now)
	got, err := s.bots.Get(s.me, bot.ID)
	require.NoError(t, err)
	require.Equal(t, bot, got)
	_, err = s.update(s.me, usecases.NewInstruction{BotID: bot.ID, By: s.by, Instruction: "two", Settings: []byte(`{"a": 1}`)})
	require.NoError(t, err)
	updated, err := s.update(s.me, usecases.NewInstruction{BotID: bot.ID, By: s.by, Instruction: "three"})
	require.NoError(t, err)
	require.JSONEq(t, `{"a": 1}`, string(updated.Content.Settings()), "settings that are left out stay")
	got, err = s.bots.Get(s.me, bot.ID)
	require.NoError(t, err)
	updated.Warnings = nil // which are of the call that has written them
	require.Equal(t, updated, got)
	for number, want := range map[int]string{1: "one", 2: "two", 3: "three"} {
		v, err := s.bots.Version(s.me, bot.ID, number)
		require.NoError(t, err)
		require.Equal(t, want, v.Content.Instruction())
	}
	_, err = s.bots.Version(s.me, bot.ID, 4)
	require.ErrorIs(t, err, ports.ErrVersionNotFound)
}

func TestARefusedInstructionMakesNoVersion(t *testing.T) {
	t.Parallel()
	s := setup(t)
	bot := s.create(t, s.me, "Ada", now)
	_, err := s.update(s.me, usecases.NewInstruction{BotID: bot.ID, By: s.by})
	require.ErrorIs(t, err, fail.ErrValidation)
	_, err = s.update(s.me, usecases.NewInstruction{BotID: bot.ID, By: s.by, Instruction: "x", Settings: []byte("[]")})
	require.ErrorIs(t, err, fail.ErrValidation)
	got, err := s.bots.Get(s.me, bot.ID)
	require.NoError(t, err)
	require.Equal(t, bot, got)
}

func TestUpdatesAtOnceBecomeVersionsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	s := setup(t)
	bot := s.create(t, s.me, "Ada", now)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := s.update(s.me, usecases.NewInstruction{BotID: bot.ID, By: s.by, Instruction: fmt.Sprint("at once ", i)})
			require.NoError(t, err)
		})
	}
	wg.Wait()
	versions, err := s.bots.Versions(s.me, bot.ID, nil, 100)
	require.NoError(t, err)
	require.Len(t, versions, 9)
	for i, v := range versions {
		require.Equal(t, 9-i, v.Number, "newest first, none missing")
	}
	after := &ports.VersionPosition{Number: 3}
	versions, err = s.bots.Versions(s.me, bot.ID, after, 100)
	require.NoError(t, err)
	require.Len(t, versions, 2)
	versions, err = s.bots.Versions(s.me, bot.ID, &ports.VersionPosition{Number: 1}, 100)
	require.NoError(t, err)
	require.Empty(t, versions, "behind the last")
}

// A foreign id is answered exactly like one that never was.
func TestAForeignBotIsNotThere(t *testing.T) {
	t.Parallel()
	s := setup(t)
	foreign := s.create(t, s.them, "Eve", now).ID
	for name, id := range map[string]uuid.UUID{"foreign": foreign, "never": uuid.New()} {
		_, err := s.bots.Get(s.me, id)
		require.ErrorIs(t, err, ports.ErrBotNotFound, name)
		_, err = s.update(s.me, usecases.NewInstruction{BotID: id, By: s.by, Instruction: "mine"})
		require.ErrorIs(t, err, ports.ErrBotNotFound, name)
		_, err = s.bots.Versions(s.me, id, nil, 10)
		require.ErrorIs(t, err, ports.ErrBotNotFound, name)
		_, err = s.bots.Version(s.me, id, 1)
		require.ErrorIs(t, err, ports.ErrBotNotFound, name)
		_, _, err = s.bots.Pair(s.me, id, 1, 1)
		require.ErrorIs(t, err, ports.ErrBotNotFound, name)
		_, err = s.bots.PointerChanges(s.me, id, nil, 10)
		require.ErrorIs(t, err, ports.ErrBotNotFound, name)
	}
	bots, err := s.bots.List(s.me, ports.BotFilter{}, nil, 10)
	require.NoError(t, err)
	require.Empty(t, bots)
}

func TestBotsOfTheSameMomentAreNeitherSkippedNorRepeated(t *testing.T) {
	t.Parallel()
	s := setup(t)
	want := map[uuid.UUID]bool{}
	for i := range 7 {
		want[s.create(t, s.me, fmt.Sprint("same ", i), now).ID] = true
	}
	newest := s.create(t, s.me, "newest", now.Add(time.Second))
	var after *ports.BotPosition
	var seen []domain.Bot
	for {
		page, err := s.bots.List(s.me, ports.BotFilter{}, after, 3)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		seen = append(seen, page...)
		last := page[len(page)-1]
		after = &ports.BotPosition{At: last.CreatedAt, ID: last.ID}
	}
	require.Len(t, seen, 8)
	require.Equal(t, newest.ID, seen[0].ID, "newest first")
	for _, bot := range seen[1:] {
		require.True(t, want[bot.ID], "repeated or not ours")
		delete(want, bot.ID)
	}
	require.Empty(t, want)
}
