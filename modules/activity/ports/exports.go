package ports

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of exports.
var (
	ErrWorkspaceNotFound = fail.New(fail.NotFound, "WORKSPACE_NOT_FOUND", "you are in no such workspace")
	ErrExportNotFound    = fail.New(fail.NotFound, "EXPORT_NOT_FOUND", "there is no such export in this workspace, or its archive is removed: start another")
	ErrExportRunning     = fail.New(fail.Conflict, "EXPORT_RUNNING", "an export of this workspace waits or runs already: read it in place of starting another") // has details.export_id
	ErrTooManyExports    = fail.New(fail.TooMany, "TOO_MANY_EXPORTS", "this workspace had five exports in the last 24 hours: wait as long as Retry-After says")
	ErrExportLink        = fail.New(fail.Forbidden, "EXPORT_LINK_INVALID", "this link is wrong or too old: read the export again for another")
	ErrExportOver        = fail.New(fail.Conflict, "CONFLICT", "this export has ended, or another attempt has replaced this one")
	ErrArchiveTooLarge   = fail.New(fail.TooLarge, "EXPORT_TOO_LARGE", "the archive would be larger than 20 GiB, or have more than 200000 files: delete what is no longer needed, or ask the operator")
)

// Exports stores the exports of the caller's workspace.
type Exports interface {
	// Create stores an export and queues its job. It returns ErrExportRunning or ErrTooManyExports.
	Create(ctx context.Context, e domain.Export) error
	// Get returns ErrExportNotFound where there is no such export.
	Get(ctx context.Context, id uuid.UUID) (domain.Export, error)
	// OfLink is Get, and returns ErrExportNotFound also where the workspace is deleted.
	OfLink(ctx context.Context, id uuid.UUID) (domain.Export, error)
	// List lists exports, newest first.
	List(ctx context.Context, before *uuid.UUID, limit int) ([]domain.Export, error)
}

// ExportRuns stores how exports go on.
type ExportRuns interface {
	// Begin starts another attempt and returns its number. It returns ErrExportOver where the export has ended or the
	// workspace is deleted.
	Begin(ctx context.Context, id uuid.UUID, now time.Time) (attempt int, err error)
	// Note stores the progress of an attempt.
	Note(ctx context.Context, id uuid.UUID, attempt int, p domain.ExportProgress) error
	// Complete stores the archive of an attempt. It returns ErrExportOver where another attempt has replaced this one.
	Complete(ctx context.Context, e domain.Export) error
	// Fail ends an export that waits or runs; it does nothing to any other.
	Fail(ctx context.Context, id uuid.UUID, why domain.ExportError, now time.Time) error
}

// ExportKey names an export of any workspace.
type ExportKey struct{ WorkspaceID, ID uuid.UUID }

// OldExports finds exports of all workspaces whose archives or rows are to be removed.
type OldExports interface {
	Old(ctx context.Context, limit int) ([]ExportKey, error)
	// Expire marks an export as one without an archive; one that has failed or expired is removed.
	Expire(ctx context.Context, id uuid.UUID, now time.Time) error
}

// Rows are the rows of one kind, each a line of JSON without its line feed, which is valid until the next one.
type Rows = iter.Seq2[[]byte, error]

// FileBytes describes the bytes of an uploaded file.
type FileBytes struct {
	ID     uuid.UUID
	Size   int64
	SHA256 [32]byte
}

// Snapshot reads the workspace of the context as it is at one moment.
type Snapshot interface {
	// Read calls each with all kinds of rows, in the order in which an import needs them, and returns the moment and the
	// uploaded files of then. It returns ErrArchiveTooLarge where there are too many files.
	Read(ctx context.Context, each func(kind string, rows Rows) error) (at time.Time, files []FileBytes, err error)
}

// ArchiveKey names the archive that an attempt has written.
type ArchiveKey struct {
	ExportKey
	Attempt int
}

// Archives stores archives, and reads the bytes of uploaded files.
type Archives interface {
	// Keep stores everything that it reads, or nothing.
	Keep(ctx context.Context, k ArchiveKey, content io.Reader) (size int64, err error)
	// Open reads from an offset on. It returns ErrExportNotFound where there is no archive.
	Open(ctx context.Context, k ArchiveKey, offset int64) (io.ReadCloser, error)
	// Remove removes the archives of all attempts.
	Remove(ctx context.Context, k ExportKey) error
	// File reads an uploaded file. found is false where there are no bytes.
	File(ctx context.Context, workspace, file uuid.UUID) (content io.ReadCloser, found bool, err error)
}

// ExportLinks signs links to archives.
type ExportLinks interface {
	// Token returns a token that proves a link.
	Token(l domain.ExportLink) string
	// Open returns what a token for an export says. It returns ErrExportLink for a token that is not ours.
	Open(k ExportKey, token string) (domain.ExportLink, error)
}

// Transactions runs work in one transaction.
type Transactions interface {
	Write(ctx context.Context, fn func(ctx context.Context) error) error
}
