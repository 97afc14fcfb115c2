// Package knowledge is the public interface of the knowledge module for other modules.
package knowledge

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
)

// Search searches the knowledge bases of the caller's workspace.
type Search interface {
	// Search searches bases together. Bases that are deleted are left out. Where a base has no embeddings, or they cannot be
	// asked, it is searched by words.
	Search(ctx context.Context, q Query) (Found, error)
	// Check returns what is wrong with uses of bases, by their index: a base that is not in the workspace, or a filter that is none.
	// Nobody deletes the bases until the end of the transaction.
	Check(ctx context.Context, uses []Use) ([]Problem, error)
	// Hold keeps the bases that the latest and the published version of a bot name from being deleted until the end of the
	// transaction. Bases that are deleted already are left out.
	Hold(ctx context.Context, bot uuid.UUID) error
}

// Query is what is searched.
type Query struct {
	BaseIDs  []uuid.UUID // at least one
	Text     string
	TopK     int
	Mode     string // hybrid, lexical or vector; empty: as the bases have embeddings or not
	MinScore float64
	Filter   json.RawMessage // nil: none
	Rerank   bool            // by the reranking model, if there is one
}

// Found is the result of a search.
type Found struct {
	Mode     string
	Degraded bool // by words alone, though vectors were wanted, or not reranked, though that was wanted
	Hits     []Hit
	LeftOut  []LeftOut
}

// Candidate is a chunk that was found.
type Candidate struct {
	ChunkID, DocumentID, BaseID uuid.UUID
	Title                       string // of the document
	Score                       float64
	LexicalRank                 int      // from 1 on; 0: it was not found by words
	Cosine                      *float64 // of its vector and that of the query; nil: they were not compared
	RerankScore                 *float64 // nil: the reranking model was not asked about it
}

// Hit is a chunk that is a result, or several that follow each other. The id is that of the best of them.
type Hit struct {
	Candidate
	Headings   []string
	Page       int   // on which it begins; 0: the document has no pages
	Pages      []int // where the next pages begin on which it goes on, in code points of the document's text
	Start, End int   // in the document's text, in code points
	Text       string
}

// LeftOut is a chunk that is not a result of its own.
type LeftOut struct {
	Candidate
	Reason string
}

// Use is the use of a base by a bot.
type Use struct {
	BaseID uuid.UUID
	Filter json.RawMessage
}

// Problem is what is wrong with a use: the name of its field and what that must be.
type Problem struct {
	Index       int
	Field, Rule string
}
