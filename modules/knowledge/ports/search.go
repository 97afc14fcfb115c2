package ports

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
)

// BaseReader reads what a search needs of bases.
type BaseReader interface {
	// Find returns bases by their ids, without counts, or ErrBaseNotFound where one is missing. Without ids it returns all
	// bases of the workspace, limit at most.
	Find(ctx context.Context, ids []uuid.UUID, limit int) ([]domain.KnowledgeBase, error)
}

// BaseHolder keeps bases while something is stored that names them.
type BaseHolder interface {
	// Hold returns those of the bases that are there, and keeps them from being deleted until the end of the transaction.
	Hold(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error)
	// HoldOfBot does so with the bases that the latest and the published version of a bot name.
	HoldOfBot(ctx context.Context, bot uuid.UUID) error
}

// Searcher finds chunks of the caller's workspace in the current generations of documents.
type Searcher interface {
	// Lexical returns the stems of the words of a query, the rarest first, and the chunks of bases of one language that have any
	// of them, the best first.
	Lexical(ctx context.Context, language, query string, bases []uuid.UUID, f domain.Filter, limit int) ([]domain.SearchWord, []domain.Candidate, error)
	// Readable returns those of the words that the caller may learn of: all, but for an API key that is limited to some bots,
	// which gets those that chunks of the bases have, with their number there.
	Readable(ctx context.Context, bases []uuid.UUID, words []domain.SearchWord) ([]domain.SearchWord, error)
	// Read returns the content of chunks that are still current, with the words of them that are among the stems.
	Read(ctx context.Context, ids []uuid.UUID, words []domain.SearchWord) (map[uuid.UUID]domain.FoundChunk, error)
}

// Pages reads where the pages of documents begin.
type Pages interface {
	// PageStarts returns the offsets at which the pages of documents begin in their current text, page 1 first.
	PageStarts(ctx context.Context, documents []uuid.UUID) (map[uuid.UUID][]int, error)
}
