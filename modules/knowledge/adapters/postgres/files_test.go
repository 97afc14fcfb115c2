package postgres_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/knowledge/adapters/postgres"
	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/testing/pgtest"
	"github.com/parley/parley/platform/work/jobs"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

var now = time.Now().UTC().Truncate(time.Microsecond)

func TestFilesAreOfTheirWorkspaceAndGoWithAJobForTheirBytes(t *testing.T) {
	t.Parallel()
	url := pg.URL(t)
	su, db, by := pg.Superuser(t, url), pg.Open(t, url), uuid.New()
	var me, them context.Context // them: another workspace
	for _, into := range []*context.Context{&me, &them} {
		*into = callctx.As(t.Context(), uuid.New(), by)
		_, err := su.Exec(t.Context(), "INSERT INTO workspaces VALUES ($1, 'Acme', now())", callctx.From(*into).Principal.WorkspaceID)
		require.NoError(t, err)
	}
	kinds := jobs.NewRegistry()
	require.NoError(t, jobs.Register(kinds, postgres.RemoveBytesKind, jobs.KindOptions{}, func(context.Context, jobs.Job[postgres.Deleted]) error { return nil }))
	files := postgres.Files{DB: db, Queue: jobs.NewQueue(db, kinds), Quota: &usage.Quota{DB: db, Now: time.Now}}
	name, err := domain.NewFileName("prices.pdf")
	require.NoError(t, err)
	var made []domain.File
	for i := range 3 {
		f := domain.File{
			ID: uuid.Must(uuid.NewV7()), WorkspaceID: callctx.From(me).Principal.WorkspaceID, Name: name, ContentType: "application/pdf",
			Size: int64(i + 1), SHA256: [32]byte{byte(i)}, CreatedBy: by, CreatedAt: now.Add(time.Duration(i/2) * time.Second), // two at once
		}
		require.NoError(t, db.Write(me, func(ctx context.Context) error { return files.Create(ctx, f) }))
		made = append(made, f)
	}
	got, err := files.Get(me, made[0].ID)
	require.NoError(t, err)
	require.Equal(t, made[0], got)
	var listed []domain.File
	for after := (*ports.FilePosition)(nil); ; {
		page, err := files.List(me, after, 1)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		listed = append(listed, page...)
		after = &ports.FilePosition{At: page[0].CreatedAt, ID: page[0].ID}
	}
	require.Equal(t, []domain.File{made[2], made[1], made[0]}, listed)

	_, err = files.Get(them, made[0].ID)
	require.ErrorIs(t, err, ports.ErrFileNotFound)
	ids := []uuid.UUID{made[0].ID, made[2].ID, uuid.New()}
	known, err := files.Known(them, ids)
	require.NoError(t, err)
	require.Empty(t, known)
	known, err = files.Known(me, ids)
	require.NoError(t, err)
	require.ElementsMatch(t, ids[:2], known)
	remove := func(ctx context.Context) error {
		return db.Write(ctx, func(ctx context.Context) error {
			_, err := files.Delete(ctx, made[0].ID)
			return err
		})
	}
	require.ErrorIs(t, remove(them), ports.ErrFileNotFound)
	require.NoError(t, remove(me))
	require.ErrorIs(t, remove(me), ports.ErrFileNotFound)
	var key string
	require.NoError(t, db.In(me).QueryRow(me, "SELECT key FROM job_queue WHERE kind = $1", postgres.RemoveBytesKind).Scan(&key))
	require.Equal(t, made[0].ID.String(), key)
}
