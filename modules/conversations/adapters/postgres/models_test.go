package postgres_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/ops/secret"
)

func models(s *bundle, key byte) postgres.Models {
	return postgres.Models{DB: s.db, Box: secret.NewBox(secret.Keys{{Bytes: bytes.Repeat([]byte{key}, 32)}})}
}

func TestAModelIsRemindedOfTheNewestMessagesOfItsThreadAlone(t *testing.T) {
	t.Parallel()
	s := setup(t)
	thread, other := s.thread(t, s.me, nil, now), s.thread(t, s.me, nil, now)
	for _, answer := range []string{strings.Repeat("ü", 50), "two"} {
		for _, id := range []uuid.UUID{thread.ID, other.ID} {
			turn, err := s.start(s.me, id, time.Hour)
			require.NoError(t, err)
			require.NoError(t, s.complete(turn, answer))
		}
	}
	recall := func(ctx context.Context, before int64, most, size int) (said []string) {
		r, err := models(s, 1).Recall(ctx, thread.ID, before, "", most, size)
		require.NoError(t, err)
		for _, m := range r.History {
			said = append(said, string(m.Role)+" "+m.Content)
		}
		return said
	}
	all := []string{"user Hi", "assistant " + strings.Repeat("ü", 50), "user Hi", "assistant two"}
	require.Equal(t, all, recall(s.me, 5, 20, 1000))
	require.Equal(t, all[:3], recall(s.me, 4, 20, 1000), "what comes after the message")
	require.Equal(t, all[2:], recall(s.me, 5, 2, 1000))
	require.Equal(t, all[1:], recall(s.me, 5, 20, 105), "100 bytes, 2 and 3")
	require.Equal(t, all[2:], recall(s.me, 5, 20, 104))
	require.Empty(t, recall(s.me, 5, 0, 1000))
	require.Empty(t, recall(s.them, 5, 20, 1000), "another workspace's thread")
}

func TestAKeyIsSealedForItsWorkspaceAndProvider(t *testing.T) {
	t.Parallel()
	s := setup(t)
	kept := models(s, 1)
	put := func(provider string) {
		key, err := domain.NewModelKey(provider, "sk-secret-"+provider, nil)
		require.NoError(t, err)
		key.CreatedAt = now
		require.NoError(t, s.db.Write(s.me, func(ctx context.Context) error { return kept.PutKey(ctx, key) }))
	}
	put("openai")
	put("anthropic")
	own := func(m postgres.Models, ctx context.Context) (map[string]ports.Access, error) {
		r, err := m.Recall(ctx, uuid.New(), 1, "", 1, 1)
		return r.Own, err
	}
	got, err := own(kept, s.me)
	require.NoError(t, err)
	require.Equal(t, map[string]ports.Access{"openai": {Key: "sk-secret-openai"}, "anthropic": {Key: "sk-secret-anthropic"}}, got)
	got, err = own(kept, s.them)
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = own(models(s, 2), s.me)
	require.ErrorIs(t, err, secret.ErrSealed)
	require.ErrorContains(t, err, "ENCRYPTION_KEY")

	s.exec(t, "UPDATE model_keys SET sealed = (SELECT sealed FROM model_keys WHERE provider = 'openai') WHERE provider = 'anthropic'")
	_, err = own(kept, s.me)
	require.ErrorIs(t, err, secret.ErrSealed, "a key that was moved to another provider, whose server would then see it")
	require.ErrorIs(t, s.db.Write(s.them, func(ctx context.Context) error { return kept.DeleteKey(ctx, "openai") }), ports.ErrModelKeyNotFound)
}

func TestATurnKnowsTheDefaultsOfItsWorkspaceAlsoWhenItIsResumed(t *testing.T) {
	t.Parallel()
	s := setup(t)
	want := domain.ModelDefaults{Model: "openai/a", Fallbacks: []string{"echo"}}
	require.NoError(t, s.db.Write(s.me, func(ctx context.Context) error { return models(s, 1).SetDefaults(ctx, want, now) }))
	bot := s.bot(t)
	for _, bot := range []*uuid.UUID{nil, &bot} {
		turn, err := s.start(s.me, s.thread(t, s.me, bot, now).ID, time.Hour)
		require.NoError(t, err)
		require.Equal(t, want, turn.Defaults)
		require.NoError(t, s.fail(turn))
		again, err := s.resume(turn)
		require.NoError(t, err)
		require.Equal(t, want, again.Defaults)
		require.Equal(t, turn.Pinned, again.Pinned)
	}
}
