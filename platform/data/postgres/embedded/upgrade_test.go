package embedded

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDataThatAKilledUpgradeLeftUnderAnotherNameIsNotMadeAnew(t *testing.T) {
	t.Parallel()
	dir := madeFolder(t)
	data := filepath.Join(dir, "data")
	require.NoError(t, os.Rename(data, data+"-15"))
	_, err := Start(testContext(t), Options{Dir: dir, Unsafe: true})
	require.ErrorContains(t, err, "but in "+data+"-15: rename it")
	require.NoDirExists(t, data)
	require.NoError(t, os.Rename(data+"-15", data))
	startServer(t, Options{Dir: dir, Unsafe: true})
}

func TestFoldersChangeNames(t *testing.T) {
	t.Parallel()
	for name, swap := range map[string]func(a, b string) error{"in one step": exchange, "one after the other": exchangeByRename} {
		a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
		require.NoError(t, os.MkdirAll(filepath.Join(a, "was a"), 0o700), name)
		require.NoError(t, os.MkdirAll(filepath.Join(b, "was b"), 0o700), name)
		require.NoError(t, swap(a, b), name)
		require.DirExists(t, filepath.Join(a, "was b"), name)
		require.DirExists(t, filepath.Join(b, "was a"), name)
	}
}

func TestAnUpgradeThatFailsOnTheWayLeavesTheDataAsItWas(t *testing.T) {
	t.Parallel()
	dir := madeFolder(t)
	bin := installed(t, dir)
	work := filepath.Join(dir, "upgrade")
	who, err := serverAccount()
	require.NoError(t, err)
	dir, err = makeFolder(dir, who)
	require.NoError(t, err)
	broken := errors.New("the disk is full")
	err = fill(testContext(t), Options{Unsafe: true, MaxConnections: 10, Log: slog.New(slog.DiscardHandler)}, bin, bin, dir, work, who, func(_ context.Context, from, to string) error {
		require.Equal(t, 1, ask[int](t, connect(t, from), `SELECT 1`))
		require.Equal(t, 1, ask[int](t, connect(t, to), `SELECT 1`))
		return broken
	})
	require.ErrorIs(t, err, broken)
	startServer(t, Options{Dir: dir, Unsafe: true})
}
