package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/fail"
)

const outcomeTimeout = 5 * time.Second // for one try to write down what came of an attempt

// complete writes down that an attempt has done its job.
func (r *Runner) complete(ctx context.Context, a *attempt) {
	r.conclude(ctx, a, "done", r.statement(func(ctx context.Context, q *platformdb.Queries) error {
		_, err := q.CompleteJob(ctx, platformdb.CompleteJobParams{WorkspaceID: a.WorkspaceID, ID: a.ID, Attempt: int32(a.Attempt)})
		return err
	}))
}

// fail writes down that an attempt has failed: the job waits for its next one, or goes to the dead letters.
func (r *Runner) fail(ctx context.Context, a *attempt, b Backoff, cause error) {
	r.Log.WarnContext(ctx, "a job failed", "job_id", a.ID, "kind", a.Kind, "attempt", a.Attempt, "error", cause)
	r.conclude(ctx, a, "failed", r.failure(ctx, a, b, cause, false))
}

// failure is what a failed attempt comes to, in a transaction of its workspace; with onlyLost it must be one whose lease
// has run out.
func (r *Runner) failure(ctx context.Context, a *attempt, b Backoff, cause error, onlyLost bool) func(context.Context) error {
	failures := a.Failures + 1
	line, err := entry(a.Attempt, r.Now(), cause)
	if err != nil {
		return func(context.Context) error { return err }
	}
	if failures < a.MaxAttempts && !isPermanent(cause) {
		delay := max(b.Delay(failures, r.Random()), retryAfter(cause))
		return r.statement(func(ctx context.Context, q *platformdb.Queries) error {
			_, err := q.PutOffJob(ctx, platformdb.PutOffJobParams{
				WorkspaceID: a.WorkspaceID, ID: a.ID, Attempt: int32(a.Attempt), OnlyLost: onlyLost, Error: line, DelaySeconds: delay.Seconds(),
			})
			return err
		})
	}
	return func(run context.Context) error {
		err := r.DB.Write(run, func(run context.Context) error { return r.giveUp(run, a, onlyLost, line, cause) })
		if err == nil {
			level := slog.LevelError
			if fail.IsOfTenant(cause) { // an error would alert the operator
				level = slog.LevelWarn
			}
			r.Log.Log(ctx, level, "a job went to the dead letters", "job_id", a.ID, "kind", a.Kind, "failures", failures, "error", cause)
		}
		return err
	}
}

// giveUp moves a job to the dead letters and calls OnDeadLetter, in one transaction.
func (r *Runner) giveUp(ctx context.Context, a *attempt, onlyLost bool, line []byte, cause error) error {
	row, err := platformdb.New(r.DB.In(ctx)).GiveUpJob(ctx, platformdb.GiveUpJobParams{
		WorkspaceID: a.WorkspaceID, ID: a.ID, Attempt: int32(a.Attempt), OnlyLost: onlyLost, Error: line, DeadLetterID: uuid.Must(uuid.NewV7()),
	})
	if err != nil || r.OnDeadLetter == nil {
		return err
	}
	return r.OnDeadLetter(ctx, DeadLetterDetail{
		DeadLetter: DeadLetter{
			ID: row.ID, JobID: a.ID, Kind: a.Kind, Key: row.Key, Attempts: int(row.Attempts), Failures: int(row.Failures),
			OperationID: row.OperationID, TraceID: a.trace, LastError: storable(cause.Error()), CreatedAt: row.CreatedAt,
		},
		Payload: row.Payload, OfTenant: fail.IsOfTenant(cause),
	})
}

// notYet writes down that a job has to wait, which is no failure.
func (r *Runner) notYet(ctx context.Context, a *attempt, delay time.Duration) {
	r.conclude(ctx, a, "put off", r.statement(func(ctx context.Context, q *platformdb.Queries) error {
		_, err := q.DeferJob(ctx, platformdb.DeferJobParams{
			WorkspaceID: a.WorkspaceID, ID: a.ID, Attempt: int32(a.Attempt), DelaySeconds: delay.Seconds(),
		})
		return err
	}))
}

// conclude runs what ends an attempt, compared with (id, attempt, running): where another attempt has
// the job it changes nothing. While the database is away it is tried again for as long as the lease may hold.
func (r *Runner) conclude(ctx context.Context, a *attempt, what string, do func(context.Context) error) {
	ctx = context.WithoutCancel(ctx)
	deadline := time.Now().Add(r.Lease)
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		err := r.withTimeout(ctx, do)
		switch {
		case err == nil:
			return
		case postgres.IsMissing(err):
			r.Log.DebugContext(ctx, "an attempt's outcome was not wanted: its job was ended within it, or is another's by now", "job_id", a.ID, "attempt", a.Attempt, "outcome", what)
			return
		}
		r.Log.WarnContext(ctx, "what came of a job cannot be written down", "job_id", a.ID, "outcome", what, "error", err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-r.work.Done():
		}
		timer.Stop()
		if r.work.Err() != nil || time.Now().After(deadline) {
			return // its lease runs out, and it is done again
		}
	}
}

// withTimeout gives a try to write something down its time.
func (r *Runner) withTimeout(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, outcomeTimeout)
	defer cancel()
	return do(ctx)
}

// statement makes a transaction, of the workspace that its context is of, out of one statement.
func (r *Runner) statement(do func(context.Context, *platformdb.Queries) error) func(context.Context) error {
	return func(ctx context.Context) error {
		return r.DB.WriteOnce(ctx, func(ctx context.Context) error { return do(ctx, platformdb.New(r.DB.In(ctx))) })
	}
}

// release returns an attempt to the queue when the process stops.
func (r *Runner) release(a *attempt) {
	ctx := asTenant(context.Background(), a)
	err := r.withTimeout(ctx, r.statement(func(ctx context.Context, q *platformdb.Queries) error {
		_, err := q.ReleaseJob(ctx, platformdb.ReleaseJobParams{WorkspaceID: a.WorkspaceID, ID: a.ID, Attempt: int32(a.Attempt)})
		return err
	}))
	if err = ignoreMissing(err); err != nil {
		r.Log.WarnContext(ctx, "a job could not be given back: it waits for the end of its lease", "job_id", a.ID, "error", err)
	}
}

func ignoreMissing(err error) error {
	if postgres.IsMissing(err) {
		return nil
	}
	return err
}

// errTaken ends the context of a handler whose job is another's by now.
var errTaken = errors.New("jobs: another attempt has this job")
