// Package vector stores vectors (embeddings) of parts of documents, and finds the nearest ones by cosine: in Postgres, up
// to MaxPoints, or in Qdrant. In Postgres the points whose numbers differ least in sign from those of the query are compared
// exactly, 500 at least and five for each match that is asked for; a search with fewer points to choose from is exact. All operations apply to the workspace of the context (platform/request/callctx): no
// vector of another workspace is ever found, changed or deleted, whatever ids are given.
package vector

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// Store stores points in collections. The program defines collections when it creates the store, and adds others with
// Ensure. Prepare of the adapter must have run once before the first use. Its methods are safe for concurrent use.
type Store interface {
	// Ensure adds a collection, and makes it where it is missing. It is called before the collection is used in this
	// process; when it is called again it costs nothing. It returns ErrDimensions where the program has it with another
	// number of dimensions, and ErrFull beyond MaxCollections.
	Ensure(ctx context.Context, c Collection) error
	// Upsert stores points, at most MaxBatch at once. A point with an existing id replaces the old point completely.
	Upsert(ctx context.Context, collection string, points []Point) error
	// Search returns the points nearest to the vector of the query, the nearest first.
	Search(ctx context.Context, collection string, q Query) ([]Match, error)
	// Delete removes points, at most MaxBatch at once. Missing ids are not an error.
	Delete(ctx context.Context, collection string, ids []uuid.UUID) error
	// DeleteWhere removes every point that matches the filter. It returns ErrInvalid for an empty filter.
	DeleteWhere(ctx context.Context, collection string, f Filter) error
}

// Limits of a store. The largest batch stays below 4 MiB, the maximum size of a gRPC message.
const (
	MaxDimensions  = 4096
	MaxCollections = 256  // of one process
	MaxBatch       = 128  // points, or ids, in one call
	MaxMatches     = 1000 // of one search
	MaxContent     = 8192 // bytes of the text of a point
	MaxLabels      = 16   // of one point
	MaxLabel       = 256  // bytes of one label
	MaxAnyOf       = 1000 // documents, or sets of labels, of one filter
	// MaxPoints is how many points a workspace may have in one collection in Postgres, which reads a few bits of each of
	// them in a search. Qdrant has no such limit.
	MaxPoints = 100_000
)

// Errors of a store. The returned errors wrap one of these and contain the details.
var (
	ErrUnknownCollection = errors.New("vector: the program has no such collection")
	ErrNotPrepared       = errors.New("vector: the collection is not there yet: run parley init")
	ErrDimensions        = errors.New("vector: wrong number of dimensions")
	ErrInvalid           = errors.New("vector: not to be stored or asked like that")
	ErrFull              = errors.New("vector: the collection has no room for more in this workspace")
)

// Collection is a set of points of one kind. Its dimensions and the meaning of its vectors must never change: the
// vectors of another model need a collection of another name.
type Collection struct {
	Name       string   // a-z, 0-9 and _, beginning with a letter
	Dimensions int      // of each vector, up to MaxDimensions
	Labels     []string // names of the labels that points have and filters may ask for; formed like Name
}

// Point is a vector and the part of a document that it represents.
type Point struct {
	ID         uuid.UUID
	Vector     []float32 // of any length but 0; only its direction counts
	DocumentID uuid.UUID // the document or file that it is a piece of
	Chunk      int       // which piece of it
	Content    string    // the text of the piece, or a reference to it
	Labels     map[string]string
}

// Filter selects the points that belong to any of the documents and have all labels of any of the sets. An empty field
// selects all points.
type Filter struct {
	DocumentIDs []uuid.UUID
	Labels      []map[string]string
}

// Query selects the points nearest to a vector.
type Query struct {
	Vector   []float32
	Limit    int     // 1 to MaxMatches
	MinScore float32 // from -1 to 1; 0, the default, leaves out what points away
	Filter   Filter
}

// Match is a point that was found, without its vector.
type Match struct {
	ID         uuid.UUID
	Score      float32 // the cosine: 1 is the same direction, -1 the opposite
	DocumentID uuid.UUID
	Chunk      int
	Content    string
	Labels     map[string]string
}
