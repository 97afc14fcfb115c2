package domain

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Bounds of exports.
const (
	ExportsADay    = 5                  // that a workspace may ask for
	ExportLife     = 24 * time.Hour     // how long an archive is kept
	ExportLinkLife = 15 * time.Minute   // how long a download may begin by a link
	MaxArchiveSize = int64(20) << 30    // bytes of an archive
	MaxExportFiles = 200_000            // uploaded files of an export
	exportName     = "parley-%s-%s.zip" // of a downloaded archive: its day, its id
	exportDay      = "2006-01-02"       // in the name
)

// ExportStatus is the state of an export.
type ExportStatus string

// The states, in their order. A failed export has no archive, that of an expired one is removed.
const (
	ExportQueued    ExportStatus = "queued"
	ExportRunning   ExportStatus = "running"
	ExportCompleted ExportStatus = "completed"
	ExportFailed    ExportStatus = "failed"
	ExportExpired   ExportStatus = "expired"
)

// Export is an archive of a workspace that was asked for.
type Export struct {
	WorkspaceID, ID, CreatedBy uuid.UUID
	Status                     ExportStatus
	CreatedAt                  time.Time
	StartedAt, FinishedAt      *time.Time
	ExpiresAt                  *time.Time // nil: it was not completed
	Attempt                    int        // the number of the attempt that runs, or has written the archive
	Progress                   ExportProgress
	Archive                    *Archive // nil: it was not completed
	Error                      *ExportError
}

// ExportProgress is how far an attempt has come.
type ExportProgress struct {
	Rows, Files int64
	FilesTotal  *int64 // nil: rows are being written
}

// Archive describes the bytes of an archive.
type Archive struct {
	Size   int64 // bytes
	SHA256 [32]byte
}

// ExportError says why an export failed. It is safe to show.
type ExportError struct{ Code, Message string }

// Why exports fail.
const (
	ExportTooLarge         = "EXPORT_TOO_LARGE"
	ExportGivenUp          = "EXPORT_FAILED"
	ExportWorkspaceDeleted = "WORKSPACE_DELETED"
)

// NewExport returns an export that waits for its job.
func NewExport(workspace, by uuid.UUID, now time.Time) Export {
	return Export{WorkspaceID: workspace, ID: uuid.Must(uuid.NewV7()), CreatedBy: by, Status: ExportQueued, CreatedAt: now}
}

// FileName returns the name under which a client stores the archive.
func (e Export) FileName() string {
	return fmt.Sprintf(exportName, e.CreatedAt.UTC().Format(exportDay), e.ID)
}

// Readable reports whether the archive can be read.
func (e Export) Readable(now time.Time) bool {
	return e.Status == ExportCompleted && e.Archive != nil && e.ExpiresAt != nil && now.Before(*e.ExpiresAt)
}

// ExportLink is what a link to an archive says: which archive, until when, and for whom it was made.
type ExportLink struct {
	WorkspaceID, ExportID, UserID uuid.UUID
	ExpiresAt                     time.Time // whole seconds
}
