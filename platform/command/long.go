package command

import (
	"context"
	"errors"
	"time"

	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/operations"
	"github.com/parley/parley/platform/postgres"
)

// Long is a change that calls out in its middle, and so takes two transactions: no transaction and no connection is
// held while it waits. What it does after Begin goes on to its end also when the client goes away.
type Long struct {
	// Audit is written with Begin.
	Audit audit.Entry
	// Begin opens the work. It runs in the transaction of the claim and may make one query, its last statement.
	Begin func(ctx context.Context) error
	// Resume takes over work that an earlier call under this operation began and did not finish, in a transaction.
	// It answers ErrInProgress while that call may still be at it.
	Resume func(ctx context.Context) error
	// Work calls out.
	Work func(ctx context.Context) error
	// Finish keeps what Work brought, in a transaction with the stored answer. It fails for want of a row (app.require)
	// when another call has taken the work over meanwhile: then what Work brought is dropped, and the caller is given
	// that other call's answer.
	Finish func(ctx context.Context) (Encoder, error)
	// Fail keeps that Work failed, in a transaction; the operation stays unfinished and may be sent again.
	Fail func(ctx context.Context, cause error) error
}

const (
	waitForOther = 2 * time.Second        // how long a repetition waits for the first call
	pollOther    = 100 * time.Millisecond // how often it looks, when that runs in another process
	tidyUp       = 15 * time.Second       // for the second transaction, whose caller may be gone
)

// RunLong runs a Long once for this call's operation.
func (p *Pipeline) RunLong(ctx context.Context, l Long) (Answer, error) {
	leave, err := p.flights.enter(ctx)
	if err != nil {
		return Answer{}, err
	}
	defer leave()
	err = p.db.WriteOnce(ctx, func(ctx context.Context) error {
		// In this order: the query of Begin commits what is queued before it.
		if err := p.operations.Claim(ctx); err != nil {
			return err
		}
		if err := p.audit.Record(ctx, l.Audit); err != nil {
			return err
		}
		return l.Begin(ctx)
	})
	switch {
	case operations.IsInFlight(err):
		return Answer{}, ErrInProgress.Because(err)
	case operations.IsClaimed(err):
		answer, err := p.takeOver(ctx, l)
		if err != nil || answer.Status != 0 {
			return answer, err
		}
	case err != nil:
		return Answer{}, err
	}
	return p.carryOn(call.Settled(context.WithoutCancel(ctx)), l)
}

// carryOn does the work and keeps what comes of it.
func (p *Pipeline) carryOn(ctx context.Context, l Long) (Answer, error) {
	cause := l.Work(ctx)
	ctx, cancel := context.WithTimeout(ctx, tidyUp)
	defer cancel()
	if cause != nil {
		return Answer{}, errors.Join(p.db.Write(ctx, func(ctx context.Context) error { return l.Fail(ctx, cause) }), cause)
	}
	var answer Answer
	err := p.db.Write(ctx, func(ctx context.Context) error {
		encode, err := l.Finish(ctx)
		if err != nil {
			return err
		}
		answer, err = p.store(ctx, encode)
		return err
	})
	switch {
	case postgres.IsMissing(err):
		return p.replay(ctx)
	case err != nil:
		return Answer{}, err
	}
	return answer, nil
}

// takeOver is for an operation that was claimed before. It gives the stored answer, waiting a little for it, or takes
// the work over: then the answer has no status.
func (p *Pipeline) takeOver(ctx context.Context, l Long) (Answer, error) {
	deadline := time.NewTimer(waitForOther)
	defer deadline.Stop()
	look := time.NewTicker(pollOther)
	defer look.Stop()
	for {
		answer, err := p.replay(ctx)
		if !errors.Is(err, ErrInProgress) {
			return answer, err
		}
		err = p.db.Write(ctx, l.Resume)
		if !errors.Is(err, ErrInProgress) {
			return Answer{}, err
		}
		select {
		case <-look.C:
		case <-deadline.C:
			return Answer{}, err
		case <-ctx.Done():
			return Answer{}, fail.ErrUnavailable.Because(ctx.Err())
		}
	}
}
