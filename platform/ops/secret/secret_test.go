package secret_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/secret"
)

func TestEachPurposeHasAKeyOfItsOwnThatStaysTheSame(t *testing.T) {
	t.Parallel()
	one, err := secret.NewMaster(strings.Repeat("a", 32))
	require.NoError(t, err)
	other, err := secret.NewMaster(strings.Repeat("b", 32))
	require.NoError(t, err)
	require.Len(t, one.Key("cursors"), 32)
	first, again := one.Key("cursors"), one.Key("cursors")
	require.Equal(t, first, again)
	require.NotEqual(t, one.Key("cursors"), one.Key("fingerprints"))
	require.NotEqual(t, one.Key("cursors"), other.Key("cursors"))
	require.NotEqual(t, []byte(strings.Repeat("a", 32)), one.Key(""))
}

func TestAShortMasterIsRefused(t *testing.T) {
	t.Parallel()
	_, err := secret.NewMaster(strings.Repeat("a", 31))
	require.ErrorContains(t, err, "at least 32 bytes")
}

func TestAKeptSecretIsMadeOnceAndPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jwt")
	made, err := secret.Keep(path)
	require.NoError(t, err)
	require.Len(t, made, 64)
	again, err := secret.Keep(path)
	require.NoError(t, err)
	require.Equal(t, made, again)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	other, err := secret.Keep(filepath.Join(t.TempDir(), "jwt"))
	require.NoError(t, err)
	require.NotEqual(t, made, other)
}

func TestManyWhoMakeTheSecretAtOnceEndUpWithTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	got := make([]string, 32)
	for i := range got {
		wg.Go(func() {
			var err error
			got[i], err = secret.Keep(filepath.Join(dir, "jwt"))
			require.NoError(t, err)
		})
	}
	wg.Wait()
	for _, s := range got {
		require.Equal(t, got[0], s)
	}
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1, "something is left lying about")
}

func TestADamagedSecretIsToldAndNotReplaced(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"empty": "", "cut": strings.Repeat("a", 31)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "jwt")
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			_, err := secret.Keep(path)
			require.ErrorContains(t, err, path+" is damaged")
			kept, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, content, string(kept))
		})
	}
}

func TestAFolderThatIsNotThereIsTold(t *testing.T) {
	t.Parallel()
	_, err := secret.Keep(filepath.Join(t.TempDir(), "no", "jwt"))
	require.ErrorContains(t, err, "make a secret")
}
