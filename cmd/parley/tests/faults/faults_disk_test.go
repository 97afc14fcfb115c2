//go:build faults

package faults

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// The disk of Postgres is full: nothing can be written, neither rows nor the log of transactions.
func TestFaultDiskFullIs503AndNothingIsHalfWritten(t *testing.T) {
	t.Parallel()
	dir := mountSmallDisk(t, "size=192m")
	c := startClusterIn(t, dir)
	s := newSite(t, c.url())
	s.launch()
	u := s.register()
	c.ager(t)
	stopped := make(chan struct{})
	var running sync.WaitGroup
	for i := range clients {
		thread := u.thread()
		running.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stopped:
					return
				default:
				}
				if n%4 == 3 {
					_, _ = u.settle(i, u.plan(takeTurn, thread))
					continue
				}
				o := u.plan(createBot, "") // much to write, and not to be compressed away
				o.body = fmt.Sprintf(`{"name":"%s","instruction":"%s"}`, o.id, noise(40_000))
				_, _ = u.settle(i, o)
			}
		})
	}
	pause(t.Context(), 300*time.Millisecond)
	fill(t, filepath.Join(dir, "filler"))
	require.Eventually(t, func() bool { return s.seen(http.StatusServiceUnavailable) >= 60 }, faultTimeout, 20*time.Millisecond)
	read, err := u.send(t.Context(), u.token, http.MethodGet, "/v1/bots/"+u.bot, "")
	require.NoError(t, err)
	require.Contains(t, []int{http.StatusOK, http.StatusServiceUnavailable}, read.Status, read)
	require.NoError(t, os.Remove(filepath.Join(dir, "filler")))
	select {
	case <-c.server.Done(): // no room for its log: Postgres ends rather than lose what it has promised
		t.Log("Postgres had ended; it is started again, with room")
		c.start(t)
	case <-time.After(2 * time.Second):
	}
	close(stopped)
	running.Wait()
	db := c.superuser(t)
	u.requireOnce(t, db)
	u.requireWell(t, db)
	log := s.child.log.String()
	t.Logf("no space left (53100): %d answers; all 503: %d", strings.Count(log, "SQLSTATE 53100"), s.seen(http.StatusServiceUnavailable))
}

// The disk of the files is full: uploads are refused, what is stored can be read, and nobody is taken out of service.
func TestFaultDiskOfFilesFullRefusesUploadsAlone(t *testing.T) {
	t.Parallel()
	dir := mountSmallDisk(t, "size=24m")
	c := startCluster(t)
	s := newSite(t, c.url(), "DATA_DIR="+dir, "FILE_LIMIT=1048576")
	s.launch()
	u := s.register()
	ada := u.here()
	before := ada.Upload(t, "before.txt", "hello")
	require.Equal(t, http.StatusCreated, before.Status, before)
	files := func() (status int, ok any) {
		a, err := s.send(t.Context(), "", http.MethodGet, "/readyz", "")
		require.NoError(t, err)
		return a.Status, a.At("checks.files.ok")
	}
	status, ok := files()
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, true, ok)
	fill(t, filepath.Join(dir, "filler"))
	for range 3 {
		a := ada.Upload(t, "after.txt", strings.Repeat("x", 100_000))
		harness.RequireCode(t, a, http.StatusServiceUnavailable, "STORAGE_FULL")
		require.NotEmpty(t, a.Header.Get("Retry-After"))
	}
	status, ok = files()
	require.Equal(t, http.StatusOK, status, "reads go on")
	require.Equal(t, false, ok)
	require.Equal(t, "hello", string(ada.Get(t, before.Header.Get("Location")+"/content").Raw))
	u.must(createBot)
	require.NoError(t, os.Remove(filepath.Join(dir, "filler")))
	require.Equal(t, http.StatusCreated, ada.Upload(t, "after.txt", strings.Repeat("x", 100_000)).Status)
	_, ok = files()
	require.Equal(t, true, ok)
}

func mountSmallDisk(t *testing.T, options string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a small disk")
	}
	dir, err := os.MkdirTemp("", "parley-disk-") //nolint:usetesting // the server's user cannot pass through t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { os.Remove(dir) })
	err = unix.Mount("tmpfs", dir, "tmpfs", 0, options+",mode=755")
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skip("this machine lets nobody mount a small disk")
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// fill takes the last byte of a disk.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	block := make([]byte, 1<<20)
	for len(block) > 0 {
		if _, err := f.Write(block); err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			block = block[:len(block)/2]
		}
	}
}

func noise(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(newID().String())
	}
	return b.String()[:n]
}
