// Package vector keeps vectors (embeddings) of pieces of documents, and finds those nearest to another by their cosine:
// in Postgres, exactly and up to MaxPoints, or in a Qdrant. Everything is of the workspace that the context works for
// (platform/call): no vector of another is ever found, changed or deleted, whatever ids are given.
package vector

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// Store keeps points in collections. The collections are the program's and are named when the store is made; Prepare
// of the adapter has to have run once before the first use. Methods may be called by many at once.
type Store interface {
	// Upsert stores points, at most MaxBatch at once; a point whose id is there is replaced as a whole.
	Upsert(ctx context.Context, collection string, points []Point) error
	// Search gives the points nearest to the query's vector, the best first.
	Search(ctx context.Context, collection string, q Query) ([]Match, error)
	// Delete removes points, at most MaxBatch at once. Ids that are not there are no error.
	Delete(ctx context.Context, collection string, ids []uuid.UUID) error
	// DeleteWhere removes every point that the filter lets through. An empty filter is refused, with ErrInvalid.
	DeleteWhere(ctx context.Context, collection string, f Filter) error
}

// Bounds of what a store takes. The largest batch stays below the 4 MiB that a gRPC message may have.
const (
	MaxDimensions = 4096
	MaxBatch      = 128  // points, or ids, in one call
	MaxMatches    = 100  // of one search
	MaxContent    = 8192 // bytes of the text of a point
	MaxLabels     = 16   // of one point
	MaxLabel      = 256  // bytes of one label
	// MaxPoints is how many points a workspace may have in one collection in Postgres, which compares a query with each of
	// them: that many of 384 dimensions take about half a second of one core. Qdrant has no such bound.
	MaxPoints = 20_000
)

// What goes wrong. The errors given wrap one of these and say what was wrong.
var (
	ErrUnknownCollection = errors.New("vector: the program has no such collection")
	ErrNotPrepared       = errors.New("vector: the collection is not there yet: run parley init")
	ErrDimensions        = errors.New("vector: wrong number of dimensions")
	ErrInvalid           = errors.New("vector: not to be stored or asked like that")
	ErrFull              = errors.New("vector: the collection has no room for more in this workspace")
)

// Collection is one sort of points. Neither its dimensions nor the meaning of its vectors may ever change: what comes of
// another model goes into a collection of another name.
type Collection struct {
	Name       string   // a-z, 0-9 and _, beginning with a letter
	Dimensions int      // of each vector, up to MaxDimensions
	Labels     []string // names of the labels that points have and filters may ask for; formed like Name
}

// Point is a vector and what it stands for.
type Point struct {
	ID         uuid.UUID
	Vector     []float32 // of any length but 0; only its direction counts
	DocumentID uuid.UUID // the document or file that it is a piece of
	Chunk      int       // which piece of it
	Content    string    // the text of the piece, or a reference to it
	Labels     map[string]string
}

// Filter lets through the points that are of the document and have each of the labels. What is empty lets everything through.
type Filter struct {
	DocumentID uuid.UUID
	Labels     map[string]string
}

// Query asks for the nearest.
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
