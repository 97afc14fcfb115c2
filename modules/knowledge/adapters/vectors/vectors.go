// Package vectors stores the vectors of chunks in the vector store of the platform: those of the operator's models in one
// collection for each model and number of dimensions, those of workspaces' own models in few collections that all share. A
// vector there has ids and no text.
package vectors

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/data/vector"
	"github.com/parley/parley/platform/request/fail"
)

// Vectors stores vectors of chunks.
type Vectors struct{ Points vector.Store }

var _ ports.Vectors = Vectors{}

// The labels of a vector.
const (
	labelBase       = "base"
	labelGeneration = "generation"
	labelSpace      = "space" // of a workspace's own model
)

// ownStep is what the numbers of dimensions of workspaces' own models are rounded up to a multiple of, so that workspaces
// make few collections, whatever models they have. Zeros are appended to their vectors, which changes no cosine.
const ownStep = 128

// collection returns the collection of a space. The name of a model may have any characters.
func collection(s ports.VectorSpace) vector.Collection {
	if isOwn(s) {
		rounded := (s.Dimensions + ownStep - 1) / ownStep * ownStep
		return vector.Collection{
			Name: fmt.Sprintf("chunks_own_%d", rounded), Dimensions: rounded, Labels: []string{labelBase, labelGeneration, labelSpace},
		}
	}
	sum := sha256.Sum256([]byte(s.Model))
	return vector.Collection{
		Name: fmt.Sprintf("chunks_%s_%d", hex.EncodeToString(sum[:8]), s.Dimensions), Dimensions: s.Dimensions,
		Labels: []string{labelBase, labelGeneration},
	}
}

func isOwn(s ports.VectorSpace) bool { return strings.HasPrefix(s.Model, domain.OwnSpace) }

// labeled adds the label of a workspace's own space, in which no other vectors are found.
func labeled(s ports.VectorSpace, labels map[string]string) map[string]string {
	if isOwn(s) {
		sum := sha256.Sum256([]byte(s.Model))
		labels[labelSpace] = fmt.Sprintf("%s_%d", hex.EncodeToString(sum[:8]), s.Dimensions)
	}
	return labels
}

// padded appends zeros to a vector.
func padded(v []float32, dimensions int) []float32 {
	if len(v) == dimensions {
		return v
	}
	return append(slices.Clone(v), make([]float32, dimensions-len(v))...)
}

// Store stores vectors of a set.
func (v Vectors) Store(ctx context.Context, s ports.VectorSet, list []ports.ChunkVector) error {
	c := collection(s.VectorSpace)
	if err := v.Points.Ensure(ctx, c); err != nil {
		return failure(err)
	}
	labels := labeled(s.VectorSpace, map[string]string{labelBase: s.BaseID.String(), labelGeneration: strconv.Itoa(s.Generation)})
	points := make([]vector.Point, len(list))
	for i, one := range list {
		points[i] = vector.Point{ID: one.ChunkID, Vector: padded(one.Vector, c.Dimensions), DocumentID: s.DocumentID, Chunk: one.Ordinal, Labels: labels}
	}
	for batch := range slices.Chunk(points, vector.MaxBatch) {
		if err := v.Points.Upsert(ctx, c.Name, batch); err != nil {
			return failure(err)
		}
	}
	return nil
}

// Remove removes the vectors of a set.
func (v Vectors) Remove(ctx context.Context, s ports.VectorSet) error {
	c := collection(s.VectorSpace)
	if err := v.Points.Ensure(ctx, c); err != nil {
		return failure(err)
	}
	return failure(v.Points.DeleteWhere(ctx, c.Name, vector.Filter{
		DocumentIDs: []uuid.UUID{s.DocumentID}, Labels: []map[string]string{labeled(s.VectorSpace, map[string]string{labelGeneration: strconv.Itoa(s.Generation)})},
	}))
}

// Nearest searches one collection.
func (v Vectors) Nearest(ctx context.Context, space string, query []float32, bases []uuid.UUID, limit int) ([]ports.NearChunk, error) {
	s := ports.VectorSpace{Model: space, Dimensions: len(query)}
	c := collection(s)
	if err := v.Points.Ensure(ctx, c); err != nil {
		return nil, failure(err)
	}
	labels := make([]map[string]string, len(bases))
	for i, base := range bases {
		labels[i] = labeled(s, map[string]string{labelBase: base.String()})
	}
	found, err := v.Points.Search(ctx, c.Name, vector.Query{Vector: padded(query, c.Dimensions), Limit: min(limit, vector.MaxMatches), MinScore: -1, Filter: vector.Filter{Labels: labels}})
	if err != nil {
		return nil, failure(err)
	}
	list := make([]ports.NearChunk, len(found))
	for i, m := range found {
		list[i] = ports.NearChunk{ChunkID: m.ID, Cosine: float64(m.Score)}
	}
	return list, nil
}

// failure returns the failure of ports for an error of the store.
func failure(err error) error {
	switch {
	case errors.Is(err, vector.ErrFull):
		return ports.ErrVectorsFull.Because(err)
	case errors.Is(err, fail.ErrUnavailable):
		return ports.ErrVectorsAway.Because(err)
	}
	return err
}
