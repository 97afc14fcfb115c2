package ports

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// FileDocuments knows which documents were made of a file, also those that are deleted.
type FileDocuments interface {
	// List returns documents by their ids, limit at most.
	List(ctx context.Context, file uuid.UUID, limit int) ([]uuid.UUID, error)
	// Forget removes documents whose file is erased, in a transaction of its own. Last says that there are no more: the embeddings
	// of texts that the workspace has cached are then removed, and the erasure is recorded in the audit log.
	Forget(ctx context.Context, file uuid.UUID, documents []uuid.UUID, last bool) error
}

// Quotes removes what was kept of documents elsewhere.
type Quotes interface {
	// Erase removes some of it. Done is false where it is to be called again after wait.
	Erase(ctx context.Context, documents []uuid.UUID, deletedAt time.Time) (done bool, wait time.Duration, err error)
}
