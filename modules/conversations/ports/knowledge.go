package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
)

// Knowledge searches the knowledge bases of the caller's workspace.
type Knowledge interface {
	// Search searches bases that have the same settings, together. Bases that are deleted are left out. Candidates are those that
	// were found, the best first, with their text; LeftOut says why one is not to be used.
	Search(ctx context.Context, query string, s domain.KnowledgeSearch) (domain.Retrieval, error)
}

// Quotes removes what turns have kept of documents.
type Quotes interface {
	// Erase removes it from some turns that do not run, limit documents of turns at most, in a transaction of its own, and reports whether
	// there were that many.
	Erase(ctx context.Context, documents []uuid.UUID, limit int) (more bool, err error)
	// Remain reports whether a turn has anything of the documents, or a turn runs that began before a time.
	Remain(ctx context.Context, documents []uuid.UUID, before time.Time) (bool, error)
}

// Retrievals stores what turns have found.
type Retrievals interface {
	// Add stores the retrievals of a turn, in a transaction of its own.
	Add(ctx context.Context, turn uuid.UUID, all []domain.Retrieval) error
	// List returns the retrievals of a turn in their order; none where the thread has no such turn.
	List(ctx context.Context, thread, turn uuid.UUID) ([]domain.Retrieval, error)
}
