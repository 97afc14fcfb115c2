package domain

import (
	"time"

	"github.com/google/uuid"
)

// The format of archives. A change that an importer of before would misread gets another version.
const (
	ArchiveFormat  = "parley.workspace"
	ArchiveVersion = 1
	ManifestName   = "manifest.json"
	FilesFolder    = "files/" // the bytes of uploaded files, each under the id of its file
	RowsExtension  = ".ndjson"
)

// Manifest describes an archive. It is the last entry.
type Manifest struct {
	Format      string    `json:"format"`
	Version     int       `json:"version"`
	Program     string    `json:"program"` // version of the program that wrote it
	ExportID    uuid.UUID `json:"export_id"`
	WorkspaceID uuid.UUID `json:"workspace_id"`
	SnapshotAt  time.Time `json:"snapshot_at"` // all rows are of this moment
	// Rows are the files of JSON lines, in the order in which they are imported.
	Rows []ManifestRows `json:"rows"`
	// Files are the bytes of uploaded files. The SHA-256 of each is in files.ndjson.
	Files ManifestFiles `json:"files"`
}

// ManifestRows describes one file of JSON lines.
type ManifestRows struct {
	Kind   string `json:"kind"` // its name is the kind with RowsExtension
	Count  int64  `json:"count"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hex
}

// ManifestFiles counts the bytes of uploaded files.
type ManifestFiles struct {
	Count int64 `json:"count"`
	Bytes int64 `json:"bytes"`
	// Missing are files whose bytes are not in the archive: they were deleted while it was written, or lost before.
	Missing []uuid.UUID `json:"missing"`
}
