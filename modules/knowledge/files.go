package knowledge

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/request/fail"
)

// File is a file of the caller's workspace, with what is known of it.
type File struct {
	ID          uuid.UUID
	Name        string
	ContentType string
	Size        int64 // bytes
}

// Files reads files, outside of any transaction.
type Files interface {
	// Text returns the text of a file, at most limit characters, and whether it has more. It waits while as many files are read as may be
	// at once.
	Text(ctx context.Context, f File, limit int) (text string, cut bool, err error)
	// Bytes returns the bytes of a file, at most limit.
	Bytes(ctx context.Context, f File, limit int64) ([]byte, error)
}

// OwnedFiles are the files of end users.
type OwnedFiles interface {
	// Delete deletes the files of an end user in the transaction of the context, and their bytes after it.
	Delete(ctx context.Context, owner uuid.UUID) error
}

// IsUnreadable reports whether an error of Files says that the file cannot be read, now or later. Its code says why.
func IsUnreadable(err error) bool {
	e, ok := errors.AsType[*fail.Error](err)
	return ok && (e.Kind == fail.Invalid || e.Kind == fail.NotFound || e.Kind == fail.TooLarge)
}
