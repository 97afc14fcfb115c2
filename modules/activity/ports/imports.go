package ports

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/google/uuid"
)

// ErrArchive says that an archive is not one that parley has written, or was changed. It is wrapped by what is wrong.
var ErrArchive = errors.New("the archive is refused")

// Import stores the rows of an archive in the workspace of the context, in the transaction of the context.
type Import interface {
	// Begin makes the workspace, with an owner.
	Begin(ctx context.Context, name string, owner uuid.UUID) error
	// Rows stores rows of a kind, each an object that was checked. It returns ErrArchive for rows that refer to nothing, or
	// exist already.
	Rows(ctx context.Context, kind string, rows []json.RawMessage) error
	// End checks the workspace as a whole, counts stored bytes and records the import in the audit log. It returns
	// fail.ErrLimitReached where the workspace has more than the limits allow.
	End(ctx context.Context, bytes int64, changes map[string]any) error
}

// ImportedFiles stores the bytes of files of a workspace that is being imported.
type ImportedFiles interface {
	Keep(ctx context.Context, workspace, file uuid.UUID, content io.Reader) (size int64, err error)
	// Forget removes the bytes of all files of a workspace.
	Forget(ctx context.Context, workspace uuid.UUID) error
}
