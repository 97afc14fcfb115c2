package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/blob"
	"github.com/parley/parley/platform/testing/s3test"
	"github.com/parley/parley/platform/work/resilience"
)

// adapter is a Store with what operators ask of each.
type adapter interface {
	blob.Store
	Prepare(ctx context.Context) error
	Check(ctx context.Context) error
}

func newDisk(t *testing.T) (*blob.Disk, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "files")
	d, err := blob.NewDisk(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d, dir
}

// newS3 makes an S3 with a bucket of the test's own, which is not there yet.
func newS3(t *testing.T) (store *blob.S3, spool string) {
	t.Helper()
	server := s3test.Named(t)
	spool = t.TempDir()
	return s3At(t, server, spool, tolerant(30*time.Second)), spool
}

func s3At(t *testing.T, at s3test.Server, spool string, g *resilience.Group) *blob.S3 {
	t.Helper()
	s, err := blob.NewS3(blob.S3Options{
		Endpoint: at.Endpoint, AccessKey: at.AccessKey, SecretKey: at.SecretKey, Bucket: at.Bucket, Spool: spool, Group: g,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// standIn is a server of the test's own, which asks for no keys.
func standIn(url string) s3test.Server {
	return s3test.Server{Endpoint: url, AccessKey: "parley", SecretKey: "parley-secret", Bucket: "test"}
}

func group(timeout time.Duration) *resilience.Group { return opensAfter(5, timeout) }

// tolerant is for a real server, which may answer 500 to some of many at once without the tests after that being refused.
func tolerant(timeout time.Duration) *resilience.Group { return opensAfter(100, timeout) }

func opensAfter(failures int, timeout time.Duration) *resilience.Group {
	return resilience.NewGroup("blob", resilience.Policy{
		Timeout: timeout, Concurrency: 16, Wait: timeout, Failures: failures, OpenFor: time.Hour,
	}, slog.New(slog.DiscardHandler))
}

func TestDiskKeepsTheContract(t *testing.T) {
	t.Parallel()
	d, _ := newDisk(t)
	keeps(t, d)
}

func TestS3KeepsTheContract(t *testing.T) {
	t.Parallel()
	s, spool := newS3(t)
	keeps(t, s)
	left, err := os.ReadDir(spool)
	require.NoError(t, err)
	require.Empty(t, left)
}

var errSender = errors.New("the sender has gone")

// breaksOff gives some bytes and then an error.
func breaksOff(n int) io.Reader { return io.MultiReader(bytes.NewReader(make([]byte, n)), failing{}) }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errSender }

// keeps is the contract of Store: every adapter passes it.
func keeps(t *testing.T, s adapter) {
	t.Helper()
	var makers sync.WaitGroup
	for range 8 {
		makers.Go(func() {
			if err := s.Prepare(t.Context()); err != nil {
				t.Errorf("prepared by many at once: %v", err)
			}
		})
	}
	makers.Wait()
	require.NoError(t, s.Prepare(t.Context()), "again")
	require.NoError(t, s.Check(t.Context()))
	for name, step := range map[string]func(*testing.T, blob.Store){
		"bytes": keepsBytes, "ranges": keepsRanges, "failures": keepsNothingHalf, "lists": keepsOrder, "keys": keepsToItsKeys,
	} {
		t.Run(name, func(t *testing.T) { step(t, s) })
	}
	left, err := s.List(t.Context(), "parley-check/", "", 10)
	require.NoError(t, err)
	require.Empty(t, left, "a check leaves something behind")
}

func put(t *testing.T, s blob.Store, key string, content []byte) {
	t.Helper()
	n, err := s.Put(t.Context(), key, struct{ io.Reader }{bytes.NewReader(content)}) // of unknown length
	require.NoError(t, err)
	require.EqualValues(t, len(content), n)
}

func read(t *testing.T, s blob.Store, key string, offset, length int64) []byte {
	t.Helper()
	r, err := s.Get(t.Context(), key, offset, length)
	require.NoError(t, err)
	defer r.Close()
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	return got
}

func keepsBytes(t *testing.T, s blob.Store) {
	t.Helper()
	big := make([]byte, 17<<20+1) // three requests of S3
	for i := range big {
		big[i] = byte(rand.Uint32())
	}
	for _, content := range [][]byte{{}, []byte("a"), []byte("another, over the one before"), big} {
		put(t, s, "bytes/one", content)
		require.True(t, bytes.Equal(content, read(t, s, "bytes/one", 0, -1)), len(content))
	}
	require.NoError(t, s.Delete(t.Context(), "bytes/one"))
	_, err := s.Get(t.Context(), "bytes/one", 0, -1)
	require.ErrorIs(t, err, blob.ErrNotFound)
	require.NoError(t, s.Delete(t.Context(), "bytes/one"), "again")
	require.NoError(t, s.Delete(t.Context(), "bytes/never/was"))
	_, err = s.Get(t.Context(), "bytes/never/was", 5, 5)
	require.ErrorIs(t, err, blob.ErrNotFound)
}

func keepsRanges(t *testing.T, s blob.Store) {
	t.Helper()
	put(t, s, "ranges/digits", []byte("0123456789"))
	for _, test := range []struct {
		offset, length int64
		want           string
	}{
		{0, -1, "0123456789"}, {0, 10, "0123456789"}, {0, 1, "0"}, {3, 4, "3456"}, {9, 1, "9"}, {4, -1, "456789"},
		{8, 100, "89"}, {10, -1, ""}, {10, 5, ""}, {2, 0, ""},
	} {
		require.Equal(t, test.want, string(read(t, s, "ranges/digits", test.offset, test.length)), test)
	}
}

func keepsNothingHalf(t *testing.T, s blob.Store) {
	t.Helper()
	put(t, s, "half/old", []byte("old"))
	for _, n := range []int{0, 1, 9 << 20} {
		for _, key := range []string{"half/old", "half/new"} {
			_, err := s.Put(t.Context(), key, breaksOff(n))
			require.ErrorIs(t, err, errSender)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Put(ended, "half/new", strings.NewReader("new"))
	require.Error(t, err)
	found, err := s.List(t.Context(), "half/", "", 10)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, "old", string(read(t, s, "half/old", 0, -1)))
}

func keepsOrder(t *testing.T, s blob.Store) {
	t.Helper()
	want := []string{"list/a-b/x", "list/a/b/c", "list/a/x", "list/ab", "list/b"} // by byte: - before /
	for _, key := range []string{"list/b", "list/a/x", "list/a-b/x", "list/ab", "list/a/b/c", "lists/other"} {
		put(t, s, key, []byte(key))
	}
	for _, most := range []int{1, 2, 3, 5, 100} {
		var got []string
		for after := ""; ; {
			page, err := s.List(t.Context(), "list/", after, most)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page), most)
			if len(page) == 0 {
				break
			}
			for _, o := range page {
				got = append(got, o.Key)
				require.EqualValues(t, len(o.Key), o.Size)
				require.WithinDuration(t, time.Now(), o.StoredAt, time.Minute)
			}
			after = page[len(page)-1].Key
		}
		require.Equal(t, want, got, "%d at a time", most)
	}
	all, err := s.List(t.Context(), "", "", 1000)
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(all, func(o blob.Object) bool { return o.Key == "lists/other" }), "no prefix is everything")
	none, err := s.List(t.Context(), "list/a/b/nothing", "", 10)
	require.NoError(t, err)
	require.Empty(t, none)
}

func keepsToItsKeys(t *testing.T, s blob.Store) {
	t.Helper()
	for _, key := range []string{
		"", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "a//b", "a/", ".unfinished/x", "a/.b", "a\\b", "a\x00b", "a b", "ü",
		strings.Repeat("x", 513),
	} {
		_, err := s.Put(t.Context(), key, strings.NewReader("x"))
		require.ErrorIs(t, err, blob.ErrKey, "%q", key)
		_, err = s.Get(t.Context(), key, 0, -1)
		require.ErrorIs(t, err, blob.ErrKey, "%q", key)
		require.ErrorIs(t, s.Delete(t.Context(), key), blob.ErrKey, "%q", key)
	}
	put(t, s, strings.Repeat("k/", 100)+"x.y_z-0", []byte("x"))
	var writers sync.WaitGroup
	for n := range 8 {
		writers.Go(func() {
			if _, err := s.Put(t.Context(), "keys/same", strings.NewReader(strings.Repeat(fmt.Sprint(n), 100))); err != nil {
				t.Errorf("written by many at once: %v", err)
			}
		})
	}
	writers.Wait()
	got := read(t, s, "keys/same", 0, -1)
	require.Equal(t, strings.Repeat(string(got[0]), 100), string(got), "a mixture")
}
