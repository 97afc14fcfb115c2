// Package ports declares what the use cases of knowledge need of the outside.
package ports

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/platform/fail"
)

// Failures of files.
var (
	ErrFileNotFound   = fail.New(fail.NotFound, "NOT_FOUND", "there is no such file in this workspace")
	ErrContentMissing = fail.New(fail.NotFound, "FILE_CONTENT_MISSING", "the file is known, but its bytes are missing: upload it again, or ask whoever operates this server to restore them")
	ErrFileTooLarge   = fail.New(fail.TooLarge, "PAYLOAD_TOO_LARGE", "the file is too large")
)

// Files keeps what is known of the files of the caller's workspace.
type Files interface {
	Create(ctx context.Context, f domain.File) error
	// Get answers ErrFileNotFound.
	Get(ctx context.Context, id uuid.UUID) (domain.File, error)
	// List gives them newest first.
	List(ctx context.Context, after *FilePosition, limit int) ([]domain.File, error)
	// Delete removes a file and, once that is committed, its bytes. It answers ErrFileNotFound.
	Delete(ctx context.Context, id uuid.UUID) (domain.File, error)
	// Known gives those of the ids that are there.
	Known(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error)
}

// FilePosition is a place in the list of files.
type FilePosition struct {
	At time.Time `json:"t"`
	ID uuid.UUID `json:"i"`
}

// BytesKey names the bytes of a file.
type BytesKey struct{ WorkspaceID, FileID uuid.UUID }

// Bytes keeps the bytes of files. It is in no transaction: they are there before their file is, and after it.
type Bytes interface {
	// Keep stores all that it reads, or nothing.
	Keep(ctx context.Context, k BytesKey, content io.Reader) (size int64, err error)
	// Open reads from an offset on. It answers ErrFileNotFound.
	Open(ctx context.Context, k BytesKey, offset int64) (io.ReadCloser, error)
	// Remove removes them; none there is no error.
	Remove(ctx context.Context, k BytesKey) error
	// Stored gives a page of all bytes of all workspaces, and the place behind it: "" is the first and, as an answer,
	// says that there are no more.
	Stored(ctx context.Context, after string) (page []StoredBytes, next string, err error)
}

// StoredBytes says since when bytes are there.
type StoredBytes struct {
	BytesKey
	At time.Time
}
