package vector

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// Postgres stores points in the table vectors, in the transaction of the context if there is one. A search reads the
// signs of the whole collection of the workspace, so Upsert returns ErrFull beyond MaxPoints.
type Postgres struct {
	db *postgres.DB
	catalog
	most int64
}

// NewPostgres returns a Postgres for these collections.
func NewPostgres(db *postgres.DB, collections ...Collection) (*Postgres, error) {
	c, err := newCatalog(collections)
	return &Postgres{db, c, MaxPoints}, err
}

// Ensure adds a collection; the table has room for all.
func (p *Postgres) Ensure(_ context.Context, c Collection) error {
	there, err := p.has(c)
	if err == nil && !there {
		p.add(c)
	}
	return err
}

// Prepare does nothing: the migrations create the table.
func (*Postgres) Prepare(context.Context) error { return nil }

// Check writes, finds and deletes a point in each collection, in a transaction that is rolled back.
func (p *Postgres) Check(ctx context.Context) error {
	return p.db.Rehearse(ctx, func(ctx context.Context) error { return check(ctx, p, p.defined()) })
}

func (p *Postgres) queries(ctx context.Context) (*platformdb.Queries, uuid.UUID) {
	return platformdb.New(p.db.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

func (p *Postgres) Upsert(ctx context.Context, collection string, points []Point) error {
	if err := p.points(collection, points); err != nil || len(points) == 0 {
		return err
	}
	rows := platformdb.UpsertVectorsParams{Collection: collection}
	for _, one := range points {
		rows.Ids = append(rows.Ids, one.ID)
		rows.Embeddings = append(rows.Embeddings, arrayText(unit(one.Vector)))
		rows.Documents = append(rows.Documents, one.DocumentID)
		rows.Chunks = append(rows.Chunks, int32(one.Chunk))
		rows.Contents = append(rows.Contents, one.Content)
		rows.Labels = append(rows.Labels, string(labelsJSON(one.Labels)))
		rows.Signs = append(rows.Signs, signs(one.Vector))
	}
	err := p.db.WriteOnce(ctx, func(ctx context.Context) error {
		q, workspace := p.queries(ctx)
		rows.WorkspaceID = workspace
		if err := q.UpsertVectors(ctx, rows); err != nil {
			return err
		}
		_, err := q.RequireRoom(ctx, platformdb.RequireRoomParams{WorkspaceID: workspace, Collection: collection, Most: p.most})
		return err
	})
	if postgres.IsMissing(err) {
		return fmt.Errorf("%w: %q may have %d points; a Qdrant (QDRANT_URL) takes more", ErrFull, collection, p.most)
	}
	return wrapError("store vectors", err)
}

func (p *Postgres) Search(ctx context.Context, collection string, q Query) ([]Match, error) {
	if err := p.query(collection, q); err != nil {
		return nil, err
	}
	queries, workspace := p.queries(ctx)
	rows, err := queries.SearchVectors(ctx, platformdb.SearchVectorsParams{
		WorkspaceID: workspace, Collection: collection, Query: unit(q.Vector), Signs: signs(q.Vector), Labels: labelSets(q.Filter),
		DocumentIds: documentsOf(q.Filter), Least: q.MinScore, Most: int32(q.Limit), Compared: int32(max(minCompared, comparedPerMatch*q.Limit)),
	})
	if err != nil {
		return nil, wrapError("search vectors", err)
	}
	matches := make([]Match, len(rows))
	for i, r := range rows {
		matches[i] = Match{ID: r.ID, Score: r.Score, DocumentID: r.DocumentID, Chunk: int(r.Chunk), Content: r.Content}
		if err := json.Unmarshal(r.Labels, &matches[i].Labels); err != nil {
			return nil, fmt.Errorf("read the labels of vector %s: %w", r.ID, err)
		}
	}
	return matches, nil
}

func (p *Postgres) Delete(ctx context.Context, collection string, ids []uuid.UUID) error {
	if err := p.ids(collection, ids); err != nil || len(ids) == 0 {
		return err
	}
	return wrapError("delete vectors", p.db.Write(ctx, func(ctx context.Context) error {
		q, workspace := p.queries(ctx)
		return q.DeleteVectors(ctx, platformdb.DeleteVectorsParams{WorkspaceID: workspace, Collection: collection, Ids: ids})
	}))
}

func (p *Postgres) DeleteWhere(ctx context.Context, collection string, f Filter) error {
	if err := p.filter(collection, f); err != nil {
		return err
	}
	return wrapError("delete vectors", p.db.Write(ctx, func(ctx context.Context) error {
		q, workspace := p.queries(ctx)
		return q.DeleteVectorsWhere(ctx, platformdb.DeleteVectorsWhereParams{
			WorkspaceID: workspace, Collection: collection, Labels: labelSets(f), DocumentIds: documentsOf(f),
		})
	}))
}

func wrapError(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func documentsOf(f Filter) []uuid.UUID {
	if f.DocumentIDs == nil {
		return []uuid.UUID{}
	}
	return f.DocumentIDs
}

func labelSets(f Filter) []string {
	sets := make([]string, len(f.Labels))
	for i, labels := range f.Labels {
		sets[i] = string(labelsJSON(labels))
	}
	return sets
}

// Of a search, the points whose numbers differ least in sign from those of the query are compared exactly: so many, or more
// for a larger limit.
const (
	minCompared      = 500
	comparedPerMatch = 5
)

// signs returns the signs of a vector as a text of bits.
func signs(v []float32) string {
	bits := make([]byte, len(v))
	for i, x := range v {
		bits[i] = '0'
		if x > 0 {
			bits[i] = '1'
		}
	}
	return string(bits)
}

func labelsJSON(labels map[string]string) json.RawMessage {
	if len(labels) == 0 {
		return json.RawMessage("{}")
	}
	raw, err := json.Marshal(labels)
	if err != nil {
		panic("vector: " + err.Error()) // a map of strings always can be
	}
	return raw
}

// arrayText is a vector as Postgres reads an array, exactly.
func arrayText(v []float32) string {
	b := make([]byte, 0, 12*len(v)+2)
	b = append(b, '{')
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(x), 'g', -1, 32)
	}
	return string(append(b, '}'))
}
