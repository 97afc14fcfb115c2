// Package blob keeps bytes under keys: in a folder on disk, or in a bucket of MinIO or another S3. It knows nothing of
// what they are; who may see them is decided by whoever asks.
package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"
)

// Store keeps bytes. It is safe for concurrent use. Bytes under a key are there whole or not at all, whatever fails.
// A key is refused with ErrKey where it is none; a store that does not answer is fail.ErrUnavailable, one that is full
// fail.ErrStorageFull.
type Store interface {
	// Put stores what it reads until io.EOF, however much, and says how much; what was there before is replaced. It
	// holds no more than a small part of it in memory. An error of the reader is passed on and leaves nothing behind.
	Put(ctx context.Context, key string, content io.Reader) (size int64, err error)
	// Get reads length bytes from an offset on; a negative length is all that follow. It answers ErrNotFound. ctx must
	// live until the reader is closed.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
	// Delete removes the bytes; none there is no error.
	Delete(ctx context.Context, key string) error
	// List gives the objects whose keys start with a prefix, in the order of their keys' bytes and behind one key, so
	// many at the most: the next page goes on behind the last key of this one.
	List(ctx context.Context, prefix, after string, most int) ([]Object, error)
}

// Object is what is known of stored bytes.
type Object struct {
	Key      string
	Size     int64
	StoredAt time.Time // by the clock of the store
}

// What a Store answers beside fail.ErrUnavailable.
var (
	ErrNotFound = errors.New("blob: there is nothing under this key")
	ErrKey      = errors.New("blob: a key has up to 512 bytes of letters, digits, dots, dashes and slashes, and no part of it starts with a dot")
)

const maxKey = 512 // bytes

// keyForm keeps a key from leaving its folder, and from what a folder keeps for itself.
var keyForm = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$`)

func checkKey(key string) error {
	if len(key) > maxKey || !keyForm.MatchString(key) {
		return ErrKey
	}
	return nil
}

// try writes, reads and deletes an object of its own: what a Store does only when all of it works.
func try(ctx context.Context, s Store) error {
	key, want := "parley-check/"+rand.Text(), []byte("parley")
	if _, err := s.Put(ctx, key, bytes.NewReader(want)); err != nil {
		return fmt.Errorf("write an object: %w", err)
	}
	got, err := readAll(ctx, s, key)
	if err == nil && !bytes.Equal(want, got) {
		err = errors.New("what was read is not what was written")
	}
	if err != nil {
		return errors.Join(fmt.Errorf("read an object: %w", err), s.Delete(ctx, key))
	}
	if err := s.Delete(ctx, key); err != nil {
		return fmt.Errorf("delete an object: %w", err)
	}
	return nil
}

func readAll(ctx context.Context, s Store, key string) ([]byte, error) {
	content, err := s.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(content)
}
