package vector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/resilience"
)

// Qdrant stores points in a Qdrant server, which several programs may share. Each collection is one collection of the
// server, for all workspaces, under a name that begins with "parley_". Every search and every deletion carries the
// workspace as a filter. Ids are unique only within a collection of Qdrant, so the id of a point is derived from its
// workspace and its id: no workspace can replace the points of another.
type Qdrant struct {
	client *qdrant.Client
	guard  *resilience.Group
	target string
	catalog
}

// QdrantOptions say which server.
type QdrantOptions struct {
	URL    string            // http or https, of its gRPC port
	APIKey string            // empty: none is sent
	Guard  *resilience.Group // stands around every call
}

// qdrantPort is that of gRPC where a URL names none.
const qdrantPort = 6334

// NewQdrant returns a Qdrant for these collections. It does not connect yet.
func NewQdrant(o QdrantOptions, collections ...Collection) (*Qdrant, error) {
	c, err := newCatalog(collections)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("vector: the address of Qdrant is no URL") // the error may show what is in it
	}
	port := qdrantPort
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return nil, fmt.Errorf("vector: the port of Qdrant: %w", err)
		}
	}
	client, err := qdrant.NewClient(&qdrant.Config{
		Host: u.Hostname(), Port: port, APIKey: o.APIKey, UseTLS: u.Scheme == "https", SkipCompatibilityCheck: true, PoolSize: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("vector: prepare the connection to Qdrant: %w", err)
	}
	return &Qdrant{client, o.Guard, net.JoinHostPort(u.Hostname(), strconv.Itoa(port)), c}, nil
}

// Close ends the connection.
func (q *Qdrant) Close() error { return q.client.Close() }

// Ping returns an error if the server does not answer. It does not count for the breaker of the other calls.
func (q *Qdrant) Ping(ctx context.Context) error {
	return q.ask(ctx, q.target+" (health)", func(ctx context.Context) error {
		_, err := q.client.HealthCheck(ctx)
		return err
	})
}

// Check writes, finds and deletes a point in each collection, as a workspace of its own.
func (q *Qdrant) Check(ctx context.Context) error {
	return check(callctx.As(ctx, uuid.New(), uuid.New()), q, q.defined())
}

func (q *Qdrant) Upsert(ctx context.Context, collection string, points []Point) error {
	if err := q.points(collection, points); err != nil || len(points) == 0 {
		return err
	}
	workspace := callctx.From(ctx).Principal.WorkspaceID
	stored := make([]*qdrant.PointStruct, len(points))
	for i, p := range points {
		stored[i] = toQdrant(workspace, p)
	}
	return q.ask(ctx, q.target, func(ctx context.Context) error {
		_, err := q.client.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: prefix + collection, Points: stored, Wait: new(true)})
		return err
	})
}

func (q *Qdrant) Search(ctx context.Context, collection string, query Query) ([]Match, error) {
	if err := q.query(collection, query); err != nil {
		return nil, err
	}
	filter := filterOf(callctx.From(ctx).Principal.WorkspaceID, query.Filter)
	var found []*qdrant.ScoredPoint
	err := q.ask(ctx, q.target, func(ctx context.Context) (err error) {
		found, err = q.client.Query(ctx, &qdrant.QueryPoints{
			CollectionName: prefix + collection, Query: qdrant.NewQueryDense(query.Vector), Filter: filter,
			Limit: new(uint64(query.Limit)), ScoreThreshold: &query.MinScore, WithPayload: qdrant.NewWithPayload(true),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	matches := make([]Match, len(found))
	for i, p := range found {
		if matches[i], err = fromQdrant(p); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(matches, func(a, b Match) int { // equal ones in an order that stays
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.ID.String(), b.ID.String()))
	})
	return matches, nil
}

func (q *Qdrant) Delete(ctx context.Context, collection string, ids []uuid.UUID) error {
	if err := q.ids(collection, ids); err != nil || len(ids) == 0 {
		return err
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return q.remove(ctx, collection, Filter{}, qdrant.NewMatchKeywords(keyPoint, texts...))
}

func (q *Qdrant) DeleteWhere(ctx context.Context, collection string, f Filter) error {
	if err := q.filter(collection, f); err != nil {
		return err
	}
	return q.remove(ctx, collection, f)
}

// remove deletes what the filter and the further conditions let through, in the workspace of the context.
func (q *Qdrant) remove(ctx context.Context, collection string, f Filter, further ...*qdrant.Condition) error {
	filter := filterOf(callctx.From(ctx).Principal.WorkspaceID, f)
	filter.Must = append(filter.Must, further...)
	return q.ask(ctx, q.target, func(ctx context.Context) error {
		_, err := q.client.Delete(ctx, &qdrant.DeletePoints{
			CollectionName: prefix + collection, Points: qdrant.NewPointsSelectorFilter(filter), Wait: new(true),
		})
		return err
	})
}
