package jobs

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// ErrKeyTaken says that the job of a dead letter has been queued again in another way than by a retry.
var ErrKeyTaken = fail.New(fail.Conflict, "CONFLICT", "the same job has been queued again meanwhile: discard this dead letter")

// MaxRetried is the maximum number of dead letters that are retried at once.
const MaxRetried = 100

// Retried is a dead letter that is a job again.
type Retried struct {
	DeadLetterID, JobID uuid.UUID
	Kind                string
}

// Retry queues the job of a dead letter again, with a full number of attempts, and removes the dead letter, in the
// transaction of the context. The job keeps the key, the operation and the trace of its cause. The errors are
// ErrNoDeadLetter and ErrKeyTaken.
func (q *Queue) Retry(ctx context.Context, id uuid.UUID) (Retried, error) {
	done, err := q.retry(ctx, nil, []uuid.UUID{id}, 1)
	if err != nil {
		return Retried{}, err
	}
	if len(done) == 0 {
		if _, err := q.DeadLetter(ctx, id); err != nil {
			return Retried{}, err
		}
		return Retried{}, ErrKeyTaken
	}
	return done[0], nil
}

// RetryMany retries the oldest dead letters of a kind (nil: any) among ids (nil: all), at most MaxRetried. Dead letters
// whose key is taken stay where they are.
func (q *Queue) RetryMany(ctx context.Context, kind *string, ids []uuid.UUID) ([]Retried, error) {
	return q.retry(ctx, kind, ids, MaxRetried)
}

func (q *Queue) retry(ctx context.Context, kind *string, ids []uuid.UUID, limit int) ([]Retried, error) {
	fresh := make([]uuid.UUID, limit)
	for i := range fresh {
		fresh[i] = uuid.Must(uuid.NewV7())
	}
	rows, err := platformdb.New(q.db.In(ctx)).RetryDeadLetters(ctx, platformdb.RetryDeadLettersParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Kind: kind, Ids: ids, JobIds: fresh,
	})
	if err != nil {
		return nil, fmt.Errorf("retry dead letters: %w", err)
	}
	list := make([]Retried, len(rows))
	for i, r := range rows {
		list[i] = Retried{DeadLetterID: r.DeadLetterID, JobID: r.JobID, Kind: r.Kind}
	}
	return list, nil
}

// Discard removes a dead letter, in the transaction of the context, and returns its kind. The error is ErrNoDeadLetter if
// there is none.
func (q *Queue) Discard(ctx context.Context, id uuid.UUID) (kind string, err error) {
	kind, err = platformdb.New(q.db.In(ctx)).DiscardDeadLetter(ctx, platformdb.DiscardDeadLetterParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: id,
	})
	if postgres.IsMissing(err) {
		return "", ErrNoDeadLetter
	}
	if err != nil {
		return "", fmt.Errorf("discard the dead letter: %w", err)
	}
	return kind, nil
}
