package embedded

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCrashInInitdbLeavesNothingHalf(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	bin := installed(t, dir)
	failing := filepath.Join(newFolder(t), "bin")
	writeScript(t, filepath.Join(failing, "initdb"), "echo 15 > PG_VERSION; echo the disk is full >&2; exit 1")
	require.NoError(t, os.Symlink(filepath.Join(bin.dir, "postgres"), filepath.Join(failing, "postgres")))

	_, err := Start(testContext(t), Options{Dir: dir, BinDir: failing})
	require.ErrorContains(t, err, "the disk is full")
	require.NoDirExists(t, filepath.Join(dir, "data"))

	// As if the whole machine had ended in the middle of it.
	half := filepath.Join(dir, "data.tmp")
	require.NoError(t, os.MkdirAll(filepath.Join(half, "base"), 0o700))
	startServer(t, Options{Dir: dir, Unsafe: true})
	require.NoDirExists(t, half)
}

func TestStrangersFilesAreNotTakenForData(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	file := filepath.Join(dir, "data", "thesis.txt")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.WriteFile(file, []byte("dear"), 0o600))
	_, err := Start(testContext(t), Options{Dir: dir})
	require.ErrorContains(t, err, "not PostgreSQL's")
	require.FileExists(t, file)
}

func TestRootIsToldOfAFolderThatTheServerCannotReach(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root drops to another user")
	}
	dir := filepath.Join(t.TempDir(), "deep", "pg") // t.TempDir is under a folder with mode 0700
	_, err := Start(testContext(t), Options{Dir: dir})
	require.ErrorContains(t, err, "cannot reach "+dir)
	require.ErrorContains(t, err, "choose a DATA_DIR that it can reach, such as /var/lib/parley")
	require.NoDirExists(t, filepath.Join(dir, "data.tmp"), "initdb was tried")
}

func TestRootGivesTheDataToTheServersUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root drops to another user")
	}
	dir := madeFolder(t)
	outside := filepath.Join(filepath.Dir(dir), "outside")
	require.NoError(t, os.WriteFile(outside, nil, 0o600))
	data := filepath.Join(dir, "data")
	require.NoError(t, os.Symlink(outside, filepath.Join(data, "link")))
	require.NoError(t, filepath.Walk(data, func(path string, _ os.FileInfo, err error) error {
		require.NoError(t, err)
		return os.Lchown(path, 12345, 12345)
	}))
	startServer(t, Options{Dir: dir, Unsafe: true})
	info, err := os.Stat(outside)
	require.NoError(t, err)
	require.Zero(t, ownerOf(info), "a file outside the data was given away")
}

func TestPrivateFolderIsNotTakenFromAStranger(t *testing.T) {
	t.Parallel()
	who := account{name: "me", uid: os.Geteuid(), gid: os.Getegid()}
	base := t.TempDir()

	link := filepath.Join(base, "link")
	require.NoError(t, os.Symlink(t.TempDir(), link))
	require.ErrorContains(t, makePrivate(link, who), "not a private folder")

	open := filepath.Join(base, "open")
	require.NoError(t, os.Mkdir(open, 0o755))
	require.ErrorContains(t, makePrivate(open, who), "not a private folder")

	mine := filepath.Join(base, "mine")
	require.NoError(t, makePrivate(mine, who))
	require.NoError(t, makePrivate(mine, who), "its own folder is refused the second time")

	if os.Geteuid() == 0 {
		require.NoError(t, os.Lchown(mine, 12345, 12345))
		require.ErrorContains(t, makePrivate(mine, who), "owner 12345")
	}
}

func writeScript(t *testing.T, path, body string) {
	t.Helper()
	for _, dir := range []string{filepath.Dir(filepath.Dir(path)), filepath.Dir(path)} {
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755))
}
