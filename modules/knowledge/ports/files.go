// Package ports declares what the use cases of knowledge need from outside.
package ports

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of files.
var (
	ErrFileNotFound   = fail.New(fail.NotFound, "NOT_FOUND", "there is no such file in this workspace")
	ErrContentMissing = fail.New(fail.NotFound, "FILE_CONTENT_MISSING", "the file is known, but its bytes are missing: upload it again, or ask whoever operates this server to restore them")
	ErrOwnerLimit     = fail.Fields(fail.Field{Field: "file", Code: "TOO_MANY", Message: "an end user may have 100 files, with 100 MiB together: delete some first"})
	ErrFileTooLarge   = fail.New(fail.TooLarge, "PAYLOAD_TOO_LARGE", "the file is too large")
)

// Files stores the data of the files of the caller's workspace.
type Files interface {
	Create(ctx context.Context, f domain.File) error
	// Get returns ErrFileNotFound where there is no such file.
	Get(ctx context.Context, id uuid.UUID) (domain.File, error)
	// List lists files, newest first.
	List(ctx context.Context, after *FilePosition, limit int) ([]domain.File, error)
	// Delete removes a file and, after the commit, its bytes. It returns ErrFileNotFound where there is no such file.
	Delete(ctx context.Context, id uuid.UUID) (domain.File, error)
	// Known returns those of the ids that exist.
	Known(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error)
}

// FilePosition is a place in the list of files.
type FilePosition struct {
	At time.Time `json:"t"`
	ID uuid.UUID `json:"i"`
}

// BytesKey identifies the bytes of a file.
type BytesKey struct{ WorkspaceID, FileID uuid.UUID }

// Bytes stores the bytes of files, outside of any transaction. The bytes exist before their file is created, and after
// it is deleted.
type Bytes interface {
	// Keep stores everything that it reads, or nothing.
	Keep(ctx context.Context, k BytesKey, content io.Reader) (size int64, err error)
	// Open reads from an offset on. It returns ErrFileNotFound where there are no such bytes.
	Open(ctx context.Context, k BytesKey, offset int64) (io.ReadCloser, error)
	// Remove removes the bytes; it is no error where there are none.
	Remove(ctx context.Context, k BytesKey) error
	// Stored returns a page of all bytes of all workspaces, and the position after it. The position "" is the beginning
	// as an argument, and means the end as a result.
	Stored(ctx context.Context, after string) (page []StoredBytes, next string, err error)
}

// StoredBytes is a key with the time since when its bytes exist.
type StoredBytes struct {
	BytesKey
	At time.Time
}
