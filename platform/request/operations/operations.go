// Package operations stores which operation ids have been used, and the responses that were sent. This table is the
// basis of idempotency: a call that is sent again takes effect once.
package operations

import (
	"context"
	"fmt"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
)

// Answer is an HTTP response as it was sent. A repetition receives the same bytes.
type Answer struct {
	Status      int
	ContentType string
	Location    string // "" where there is none
	ETag        string // "" where there is none
	Body        []byte
}

// Record is an operation that has been claimed.
type Record struct {
	SameRequest bool    // whether it is the request of this call, by fingerprint
	Expired     bool    // its answer is no longer kept: too late to be sent again
	Answer      *Answer // nil while it is unfinished, or expired
}

// Store is the table of operations. Its key is (workspace, actor, operation id), all taken from the call.
type Store struct {
	db  *postgres.DB
	box *secret.Box
}

// NewStore returns a Store. The box seals responses that contain a secret.
func NewStore(db *postgres.DB, box *secret.Box) *Store { return &Store{db, box} }

// Claim queues the claim of the operation of the call in the transaction of the context. If the operation is already
// claimed, the transaction fails with an error for which IsClaimed returns true, and no statement after the claim has
// run.
func (s *Store) Claim(ctx context.Context) error {
	c := callctx.From(ctx)
	return platformdb.New(s.db.In(ctx)).ClaimOperation(ctx, platformdb.ClaimOperationParams{
		WorkspaceID: c.Principal.WorkspaceID,
		ActorID:     c.Principal.UserID,
		ID:          c.Operation.ID,
		Fingerprint: c.Operation.Fingerprint,
		Version:     callctx.FingerprintVersion,
	})
}

// IsClaimed reports whether err says that another call has already claimed the operation.
func IsClaimed(err error) bool { return postgres.Violates(err, "operations_pkey") }

// IsInFlight reports whether err says that another call holds the claim in a transaction that has not ended yet.
func IsInFlight(err error) bool { return postgres.IsLockTimeout(err) }

// Finish queues the storing of the response.
func (s *Store) Finish(ctx context.Context, a Answer) error { return s.finish(ctx, a, false) }

// FinishSealed is Finish for a response that contains a secret. The response is stored sealed, and only for an hour.
func (s *Store) FinishSealed(ctx context.Context, a Answer) error {
	a.Body = s.box.Seal(a.Body, sealContext(ctx))
	return s.finish(ctx, a, true)
}

// sealContext returns the context that binds a sealed response to its operation.
func sealContext(ctx context.Context) []byte { return []byte(CacheKey(ctx)) }

func (s *Store) finish(ctx context.Context, a Answer, sealed bool) error {
	c := callctx.From(ctx)
	return platformdb.New(s.db.In(ctx)).FinishOperation(ctx, platformdb.FinishOperationParams{
		WorkspaceID: c.Principal.WorkspaceID,
		ActorID:     c.Principal.UserID,
		ID:          c.Operation.ID,
		Status:      int16(a.Status),
		ContentType: a.ContentType,
		Location:    optional(a.Location),
		Etag:        optional(a.ETag),
		Body:        a.Body,
		Sealed:      sealed,
	})
}

// Find returns the record of the operation of the call; nil if there is none.
func (s *Store) Find(ctx context.Context) (*Record, error) {
	c := callctx.From(ctx)
	row, err := platformdb.New(s.db.In(ctx)).FindOperation(ctx, platformdb.FindOperationParams{
		WorkspaceID: c.Principal.WorkspaceID,
		ActorID:     c.Principal.UserID,
		ID:          c.Operation.ID,
	})
	if postgres.IsMissing(err) {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	if err != nil {
		return nil, fmt.Errorf("find the operation: %w", err)
	}
	record := &Record{SameRequest: c.Operation.SameRequest(row.Fingerprint, int(row.FingerprintVersion)), Expired: row.Expired}
	if row.FinishedAt != nil && !row.Expired {
		record.Answer = &Answer{
			Status:      int(deref(row.Status)),
			ContentType: deref(row.ContentType),
			Location:    deref(row.Location),
			ETag:        deref(row.Etag),
			Body:        row.Body,
		}
		if row.Sealed {
			if record.Answer.Body, err = s.box.Open(row.Body, sealContext(ctx)); err != nil {
				return nil, fmt.Errorf("open the sealed answer of the operation: %w", err)
			}
		}
	}
	return record, nil
}

// Expire removes the responses of operations older than seven days, of which it keeps a tombstone for ninety more days,
// and removes older operations. It processes one batch, and returns whether there may be more.
func (s *Store) Expire(ctx context.Context) (more bool, err error) {
	touched := 0
	err = s.db.WriteOnce(ctx, func(ctx context.Context) error {
		n, err := platformdb.New(s.db.In(ctx)).ExpireOperations(ctx, expireBatch)
		touched = int(n)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("expire operations: %w", err)
	}
	return touched >= expireBatch, nil
}

// ExpireSealed removes sealed responses that are older than an hour.
func (s *Store) ExpireSealed(ctx context.Context) error {
	err := s.db.WriteOnce(ctx, func(ctx context.Context) error {
		_, err := platformdb.New(s.db.In(ctx)).ExpireSealedAnswers(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("expire sealed answers: %w", err)
	}
	return nil
}

const expireBatch = 1000 // rows at a time

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
