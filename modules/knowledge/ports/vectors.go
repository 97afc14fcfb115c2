package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of vectors.
var (
	// ErrVectorsAway is a failure of the vector store that may pass by itself.
	ErrVectorsAway = fail.New(fail.Unavailable, "VECTORS_UNAVAILABLE", "the store of the embeddings does not answer now: try again later").After(5 * time.Second)
	// ErrVectorsFull is permanent until something is deleted.
	ErrVectorsFull = fail.New(fail.Invalid, "VECTORS_FULL",
		"the workspace has as many embeddings of this model as the database can search: delete documents, or ask whoever operates this server for a Qdrant (QDRANT_URL), and reindex the document")
)

// VectorSpace identifies vectors that are compared with each other, and with no others.
type VectorSpace struct {
	Model      string // the name of an operator's model, or the Space of a workspace's own
	Dimensions int
}

// VectorSet is the vectors of a generation of a document.
type VectorSet struct {
	VectorSpace
	DocumentID uuid.UUID
	Generation int
	BaseID     uuid.UUID
	RemovedAt  *time.Time // since when its vectors are removed; nil: they are not
}

// ChunkVector is the vector of a chunk.
type ChunkVector struct {
	ChunkID uuid.UUID
	Ordinal int
	Vector  []float32
}

// NearChunk is a chunk whose vector is near that of a query. It may be of a generation that is not current, or gone.
type NearChunk struct {
	ChunkID uuid.UUID
	Cosine  float64
}

// MaxNear is how many chunks Nearest returns at most.
const MaxNear = 1000

// Vectors stores the vectors of the chunks of the caller's workspace. Its errors are ErrVectorsAway and ErrVectorsFull, or
// internal.
type Vectors interface {
	// Store stores vectors. One that is there already is replaced.
	Store(ctx context.Context, s VectorSet, list []ChunkVector) error
	// Remove removes the vectors of a generation.
	Remove(ctx context.Context, s VectorSet) error
	// Nearest returns the chunks of bases that are nearest to a vector, the nearest first.
	Nearest(ctx context.Context, space string, query []float32, bases []uuid.UUID, limit int) ([]NearChunk, error)
}

// VectorRecords stores which generations of documents have vectors. Its methods run in the transaction of the context, or in
// one of their own.
type VectorRecords interface {
	// Record returns the space that is recorded for the generation: that of the first call.
	Record(ctx context.Context, s VectorSet, now time.Time) (VectorSpace, error)
	// Unrecord forgets the vectors of a generation, which were removed and are made anew.
	Unrecord(ctx context.Context, s VectorSet) error
	// Of returns the sets of a document, also those that are removed.
	Of(ctx context.Context, document uuid.UUID) ([]VectorSet, error)
	// Spaces returns the spaces of the vectors of bases.
	Spaces(ctx context.Context, bases []uuid.UUID) ([]VectorSpace, error)
	// MarkRemoved records that the vectors of a set are removed. Where that was recorded before a time, the set is forgotten.
	MarkRemoved(ctx context.Context, s VectorSet, now, forgetBefore time.Time) error
	// LocateOld returns some documents of all workspaces with vectors that nothing is found by any more.
	LocateOld(ctx context.Context) ([]UnfinishedWork, error)
}

// EmbeddingProgress stores how far the embeddings of a generation are.
type EmbeddingProgress interface {
	// SetEmbedded records how many chunks have a vector.
	SetEmbedded(ctx context.Context, document uuid.UUID, done int, now time.Time) error
	// SetWaiting records why the document waits.
	SetWaiting(ctx context.Context, document uuid.UUID, generation int, e domain.BuildError, now time.Time) error
	// ChunksOf lists the chunks of a generation from an ordinal on.
	ChunksOf(ctx context.Context, document uuid.UUID, generation, from, limit int) ([]StoredChunk, error)
}

// TextHash identifies a text that was embedded by a model.
type TextHash [32]byte

// EmbeddingCache keeps vectors of texts of the workspace. It forgets the oldest.
type EmbeddingCache interface {
	Find(ctx context.Context, hashes []TextHash) (map[TextHash][]float32, error)
	Keep(ctx context.Context, vectors map[TextHash][]float32, now time.Time) error
}

// EmbeddingCosts counts what the embeddings of the operator's models cost; a workspace's own cost the operator nothing.
type EmbeddingCosts interface {
	// Check returns fail.ErrLimitReached where the workspace has no money left for so many tokens.
	Check(ctx context.Context, model EmbeddingModel, tokens int64) error
	// Count counts in the transaction of the context, or in one of its own.
	Count(ctx context.Context, model EmbeddingModel, u EmbeddingUsage) error
}

// CurrentChunks reads chunks that were found under row-level security.
type CurrentChunks interface {
	// Current returns, of chunks with these ids, those of current generations, in bases and with metadata as they are wanted, and those
	// that are of no current generation.
	Current(ctx context.Context, ids, bases []uuid.UUID, f domain.Filter) (found map[uuid.UUID]domain.Candidate, gone []uuid.UUID, err error)
}
