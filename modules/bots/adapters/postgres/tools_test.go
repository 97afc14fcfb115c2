package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/bots/adapters/postgres"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/testing/filltest"
)

func TestPinnedToolsAreThoseThatWereAskedForInTheirOrder(t *testing.T) {
	t.Parallel()
	s := setup(t)
	tools := postgres.Tools{DB: s.db, Quota: &usage.Quota{DB: s.db}}
	var made []domain.ToolVersion
	for _, name := range []string{"a", "b", "gone"} {
		first := filltest.Fill[domain.ToolVersion](t)
		first.ToolID, first.Number, first.Kind, first.Name, first.CreatedAt = uuid.Must(uuid.NewV7()), 1, domain.HTTPTool, name, now
		first.Credentials = nil
		first.Definition.Effect, first.Definition.Timeout = domain.Writes, 7*time.Second
		tool := domain.Tool{ID: first.ToolID, Kind: first.Kind, Name: name, CurrentVersion: 1, CreatedBy: s.by, CreatedAt: now, UpdatedAt: now}
		second := first
		second.Number, second.Definition.Description = 2, "the second"
		require.NoError(t, s.db.Write(s.me, func(ctx context.Context) error {
			if err := tools.Create(ctx, tool, first); err != nil {
				return err
			}
			tool.CurrentVersion = 2
			return tools.Save(ctx, tool, second)
		}))
		made = append(made, first, second)
	}
	a, newB, gone := made[0], made[3], made[4]
	require.NoError(t, s.db.Write(s.me, func(ctx context.Context) error { return tools.Delete(ctx, gone.ToolID) }))
	refs := []domain.ToolRef{{ID: newB.ToolID}, {ID: gone.ToolID}, {ID: a.ToolID, Version: new(1)}, {ID: uuid.New()}}
	pinned, err := tools.Pin(s.me, refs)
	require.NoError(t, err)
	require.Equal(t, []domain.ToolVersion{newB, a}, utc(pinned))
	pinned, err = tools.Pin(s.them, refs)
	require.NoError(t, err)
	require.Empty(t, pinned)
}

func TestCredentialsOpenForTheirToolAlone(t *testing.T) {
	t.Parallel()
	s := setup(t)
	tools := postgres.Tools{DB: s.db, Quota: &usage.Quota{DB: s.db}}
	master, err := secret.NewMaster("a secret key of the test that is long")
	require.NoError(t, err)
	store := postgres.ToolCredentials{DB: s.db, Box: secret.NewRing(master).Box("tool credentials")}
	secrets := filltest.Fill[domain.Credentials](t)
	set := domain.SetCredentials{Type: domain.BearerCredentials, Origin: "https://example.com:443", At: now}
	tool := domain.Tool{ID: uuid.Must(uuid.NewV7()), Kind: domain.HTTPTool, Name: "a", CurrentVersion: 1, CreatedBy: s.by, CreatedAt: now, UpdatedAt: now}
	first := domain.ToolVersion{ToolID: tool.ID, Number: 1, CreatedBy: s.by, CreatedAt: now, Definition: domain.ToolDefinition{Effect: domain.Reads, Timeout: time.Second, MaxOutputBytes: 1}}
	require.NoError(t, s.db.Write(s.me, func(ctx context.Context) error {
		return errors.Join(tools.Create(ctx, tool, first), store.Put(ctx, tool.ID, set, secrets, s.by))
	}))
	pinned, err := tools.Pin(s.me, []domain.ToolRef{{ID: tool.ID}})
	require.NoError(t, err)
	opened, err := store.Open(s.me, tool.ID, pinned[0].Credentials.Sealed)
	require.NoError(t, err)
	require.Equal(t, secrets, opened)
	_, err = store.Open(s.me, uuid.New(), pinned[0].Credentials.Sealed)
	require.Error(t, err, "another tool")
	_, err = store.Open(s.them, tool.ID, pinned[0].Credentials.Sealed)
	require.Error(t, err, "another workspace")
}

func utc(list []domain.ToolVersion) []domain.ToolVersion {
	for i := range list {
		list[i].CreatedAt = list[i].CreatedAt.UTC()
	}
	return list
}
