// Package blob stores bytes under keys: in a folder on disk, or in a bucket of MinIO or another S3 server. It does not
// interpret them and does not check permissions: the caller decides who may read them.
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

// Store stores bytes under keys. It is safe for concurrent use. Writes are atomic: the bytes of a key exist completely
// or not at all, whatever fails. An invalid key is refused with ErrKey. An unavailable store returns
// fail.ErrUnavailable, and a full one fail.ErrStorageFull.
type Store interface {
	// Put stores everything that it reads until io.EOF, without a size limit, and returns the size. It replaces
	// existing bytes of the key. It holds only a small part in memory. An error of the reader is returned, and then
	// nothing is stored.
	Put(ctx context.Context, key string, content io.Reader) (size int64, err error)
	// Get returns a reader of length bytes from offset on; a negative length reads to the end. It returns ErrNotFound
	// if the key does not exist. ctx must stay alive until the reader is closed.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
	// Delete removes the bytes of a key. A missing key is not an error.
	Delete(ctx context.Context, key string) error
	// List returns the objects whose keys start with prefix and are greater than after, in the byte order of their
	// keys, at most the given number. The next page starts after the last key of this one.
	List(ctx context.Context, prefix, after string, most int) ([]Object, error)
}

// Object describes stored bytes.
type Object struct {
	Key      string
	Size     int64
	StoredAt time.Time // by the clock of the store
}

// Errors of a Store, besides fail.ErrUnavailable.
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
