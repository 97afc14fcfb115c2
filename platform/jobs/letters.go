package jobs

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/postgres"
)

// ErrKeyTaken says that the job of a dead letter has been queued again in another way than by a retry.
var ErrKeyTaken = fail.New(fail.Conflict, "CONFLICT", "the same job has been queued again meanwhile: discard this dead letter")

// MaxRetried is the maximum number of dead letters that are retried at once.
const MaxRetried = 100

// Retried is a dead letter that is a job again.
type Retried struct {
	LetterID, JobID uuid.UUID
	Kind            string
}

// Retry queues the job of a dead letter again, with a full number of attempts, and removes the dead letter, in the
// transaction of the context. The job keeps the key, the operation and the trace of its cause. The errors are
// ErrNoLetter and ErrKeyTaken.
func (q *Queue) Retry(ctx context.Context, letter uuid.UUID) (Retried, error) {
	done, err := q.retry(ctx, nil, []uuid.UUID{letter}, 1)
	if err != nil {
		return Retried{}, err
	}
	if len(done) == 0 {
		if _, err := q.Letter(ctx, letter); err != nil {
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

func (q *Queue) retry(ctx context.Context, kind *string, ids []uuid.UUID, most int) ([]Retried, error) {
	fresh := make([]uuid.UUID, most)
	for i := range fresh {
		fresh[i] = uuid.Must(uuid.NewV7())
	}
	rows, err := platformdb.New(q.db.In(ctx)).RetryLetters(ctx, platformdb.RetryLettersParams{
		WorkspaceID: call.From(ctx).Principal.WorkspaceID, Kind: kind, Ids: ids, JobIds: fresh,
	})
	if err != nil {
		return nil, fmt.Errorf("retry dead letters: %w", err)
	}
	list := make([]Retried, len(rows))
	for i, r := range rows {
		list[i] = Retried{LetterID: r.LetterID, JobID: r.JobID, Kind: r.Kind}
	}
	return list, nil
}

// Discard removes a dead letter, in the transaction of the context, and returns its kind. The error is ErrNoLetter if
// there is none.
func (q *Queue) Discard(ctx context.Context, letter uuid.UUID) (kind string, err error) {
	kind, err = platformdb.New(q.db.In(ctx)).DiscardLetter(ctx, platformdb.DiscardLetterParams{
		WorkspaceID: call.From(ctx).Principal.WorkspaceID, ID: letter,
	})
	if postgres.IsMissing(err) {
		return "", ErrNoLetter
	}
	if err != nil {
		return "", fmt.Errorf("discard the dead letter: %w", err)
	}
	return kind, nil
}
