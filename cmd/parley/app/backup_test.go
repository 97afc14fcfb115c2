package app_test

import (
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/ops/backup"
	"github.com/parley/parley/platform/ops/config"
)

// What is uploaded, and removed, while a backup is made leaves no row in it whose bytes are missing.
func TestABackupHasTheBytesOfEachRowWhateverHappensMeanwhile(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	early := ada.Upload(t, "early.txt", harness.SavedText)
	require.Equal(t, http.StatusCreated, early.Status)
	cfg, err := config.Load(p.Settings)
	require.NoError(t, err)
	dir, m := filepath.Join(t.TempDir(), "backup"), backup.Manifest{}
	w, err := backup.Create(dir)
	require.NoError(t, err)
	require.NoError(t, app.BackUp(t.Context(), cfg, p.Database, w, &m, sync.OnceFunc(func() {
		require.Equal(t, http.StatusCreated, ada.Upload(t, "late.txt", harness.SavedText).Status)
	})))
	_, err = w.Finish(m)
	require.NoError(t, err)
	require.NoError(t, w.Close())

	target, data := harness.Postgres.EmptyURL(t), t.TempDir()
	code, stdout, stderr := harness.Tool(t, []string{"DATABASE_URL=" + target, "DATA_DIR=" + data, "SECRET_KEY=" + harness.SecretKey}, "restore", dir)
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	back := harness.StartOn(t, target, "DATA_DIR="+data).Anonymous()
	a := back.Post(t, "/v1/auth/login", map[string]any{"email": ada.Email, "password": harness.Password})
	require.Equal(t, http.StatusOK, a.Status, a)
	back.Take(a)
	files := back.Get(t, "/v1/files").Items()
	require.Len(t, files, 2)
	for _, f := range files {
		require.Equal(t, http.StatusOK, back.Get(t, "/v1/files/"+f["id"].(string)+"/content").Status)
	}
}
