package blob_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/blob"
)

func TestNobodyElseOnTheMachineReadsAFile(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	_, err := d.Put(t.Context(), "a/b", strings.NewReader("secret"))
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir(dir, func(p string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, "%s is %s", p, info.Mode())
		return nil
	}))
}

func TestALinkLeadsNowhere(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	elsewhere := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(elsewhere, "x"), []byte("secret"), 0o600))
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(dir, "link")))
	_, err := d.Get(t.Context(), "link/x", 0, -1)
	require.Error(t, err)
	_, err = d.Put(t.Context(), "link/y", strings.NewReader("x"))
	require.Error(t, err)
	require.Error(t, d.Delete(t.Context(), "link/x"))
	require.FileExists(t, filepath.Join(elsewhere, "x"))
	require.NoFileExists(t, filepath.Join(elsewhere, "y"))
}

func TestWhatADeadWriterLeftIsRemovedLater(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	long, now := filepath.Join(dir, ".unfinished", "long"), filepath.Join(dir, ".unfinished", "now")
	for _, name := range []string{long, now} {
		require.NoError(t, os.WriteFile(name, []byte("half"), 0o600))
	}
	dayAgo := time.Now().Add(-25 * time.Hour)
	require.NoError(t, os.Chtimes(long, dayAgo, dayAgo))
	found, err := d.List(t.Context(), "", "", 10)
	require.NoError(t, err)
	require.Empty(t, found, "half a file is none")
	require.NoError(t, d.Prepare(t.Context()))
	require.NoFileExists(t, long)
	require.FileExists(t, now, "its writer may be at it")
}

func TestAFolderThatIsNoneIsNoStore(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := blob.NewDisk(file)
	require.Error(t, err)
}
