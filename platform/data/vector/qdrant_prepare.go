package vector

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/resilience"
)

// Prepare creates missing collections and indexes. It is idempotent and may be called concurrently. A collection that
// exists with other dimensions stays as it is: Check and Upsert return an error for it.
func (q *Qdrant) Prepare(ctx context.Context) error {
	for _, c := range q.defined() {
		if err := q.prepare(ctx, c); err != nil {
			return fmt.Errorf("collection %s: %w", prefix+c.Name, err)
		}
	}
	return nil
}

// Ensure makes a collection where it is missing.
func (q *Qdrant) Ensure(ctx context.Context, c Collection) error {
	there, err := q.has(c)
	if err != nil || there {
		return err
	}
	if err := q.prepare(ctx, c); err != nil {
		return fmt.Errorf("collection %s: %w", prefix+c.Name, err)
	}
	q.add(c)
	return nil
}

// Forget removes all points of a workspace from all collections of the server, also those that other processes have added.
func (q *Qdrant) Forget(ctx context.Context, workspace uuid.UUID) error {
	var names []string
	err := q.ask(ctx, q.target, func(ctx context.Context) (err error) {
		names, err = q.client.ListCollections(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("list the collections: %w", err)
	}
	ctx = callctx.As(ctx, workspace, uuid.Nil)
	for _, name := range names {
		if name, ours := strings.CutPrefix(name, prefix); ours {
			if err := q.remove(ctx, name, Filter{}); err != nil {
				return fmt.Errorf("collection %s: %w", prefix+name, err)
			}
		}
	}
	return nil
}

// graphLinks are those of a point within its workspace (payload_m); the graph over all workspaces is not built (m 0), as
// nobody searches there (https://qdrant.tech/documentation/guides/multitenancy).
const graphLinks = 16

func (q *Qdrant) prepare(ctx context.Context, c Collection) error {
	err := q.ask(ctx, q.target, func(ctx context.Context) error {
		there, err := q.client.CollectionExists(ctx, prefix+c.Name)
		if err != nil || there {
			return err
		}
		err = q.client.CreateCollection(ctx, &qdrant.CreateCollection{
			CollectionName: prefix + c.Name,
			VectorsConfig:  qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: uint64(c.Dimensions), Distance: qdrant.Distance_Cosine}),
			HnswConfig:     &qdrant.HnswConfigDiff{M: new(uint64(0)), PayloadM: new(uint64(graphLinks))},
		})
		if err != nil { // somebody was quicker, maybe
			if there, look := q.client.CollectionExists(ctx, prefix+c.Name); look == nil && there {
				return nil
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	keys := []string{keyWorkspace, keyPoint, keyDocument}
	for _, label := range c.Labels {
		keys = append(keys, keyLabel+label)
	}
	for _, key := range keys {
		if err := q.index(ctx, c, key); err != nil {
			return fmt.Errorf("index %s: %w", key, err)
		}
	}
	return nil
}

// index creates the index of a key; an existing one stays. The points of a workspace are stored together.
func (q *Qdrant) index(ctx context.Context, c Collection, key string) error {
	params := &qdrant.KeywordIndexParams{EnableHnsw: new(key == keyWorkspace)} // the graph is built along the workspace alone
	if key == keyWorkspace {
		params.IsTenant = new(true)
	}
	return q.ask(ctx, q.target, func(ctx context.Context) error {
		_, err := q.client.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{
			CollectionName: prefix + c.Name, FieldName: key, FieldType: qdrant.FieldType_FieldTypeKeyword.Enum(),
			FieldIndexParams: qdrant.NewPayloadIndexParamsKeyword(params), Wait: new(true),
		})
		return err
	})
}

// ask makes a call through the guard. All calls may be repeated.
func (q *Qdrant) ask(ctx context.Context, target string, do func(ctx context.Context) error) error {
	return translate(q.guard.DoSafe(ctx, target, func(ctx context.Context) error {
		err := do(ctx)
		if isAnswer(status.Code(err)) {
			return resilience.Answered(err)
		}
		return err
	}))
}

// isAnswer reports whether a status code means that the server works and rejects this particular call.
func isAnswer(c codes.Code) bool {
	switch c {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.Unauthenticated,
		codes.FailedPrecondition, codes.OutOfRange, codes.Unimplemented:
		return true
	default:
		return false
	}
}

// translate turns what the driver says into our errors.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if _, refused := resilience.IsRefused(err); refused {
		return err
	}
	message := status.Convert(err).Message()
	switch code := status.Code(err); {
	case code == codes.NotFound:
		return fmt.Errorf("%w (%s)", ErrNotPrepared, message)
	case code == codes.InvalidArgument && strings.Contains(message, "dimension"):
		return fmt.Errorf("%w: the collection was made for other vectors (%s)", ErrDimensions, message)
	case code == codes.Unauthenticated || code == codes.PermissionDenied:
		return errors.New("vector: Qdrant does not take QDRANT_API_KEY")
	case isAnswer(code):
		return fmt.Errorf("vector: Qdrant refuses the call: %s: %s", code, message)
	default:
		return fail.ErrUnavailable.Because(err)
	}
}
