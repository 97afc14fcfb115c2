package command

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/fault"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/request/operations"
)

// Long is a change that calls another system between two transactions. It holds no transaction and no connection while
// it waits for that system. Everything after Begin continues to the end even if the client disconnects.
type Long struct {
	// Audit is the audit entry, written in the transaction of Begin.
	Audit audit.Entry
	// Seen says that the result of Work is visible before its end, as a stream is. A crash of the database server does
	// not lose what Begin has stored. A repetition that finds the work running receives ErrInProgress at once, so that
	// it can join the work.
	Seen bool
	// Wide says that Begin makes more than one query.
	Wide bool
	// Bound limits how many such changes run at once; nil: there is no limit. A call that it rejects has stored
	// nothing.
	Bound Bound
	// Begin starts the work. It runs in the transaction of the claim. It may make one query, its last statement, unless
	// Wide is set. Unless Seen or Wide is set, a crash of the database server may lose it until Finish has been
	// committed; nothing is acknowledged before that.
	Begin func(ctx context.Context) error
	// Resume takes over work that an earlier call under this operation began and did not finish, in a transaction. It
	// returns ErrInProgress while that call may still be working.
	Resume func(ctx context.Context) error
	// Work calls the other system.
	Work func(ctx context.Context) error
	// Finish stores the result of Work, in one transaction with the stored response. It fails because of a missing row
	// (app.require) if another call has taken the work over. The result of Work is then discarded, and the caller
	// receives the response of the other call.
	Finish func(ctx context.Context) (Encoder, error)
	// Erasable says that the response is as Outcome.Erasable says.
	Erasable bool
	// Fail records that Work failed, in a transaction. The operation stays unfinished and may be sent again.
	Fail func(ctx context.Context, cause error) error
	// Ended is called when the attempt is over and what came of it is committed, or could not be. nil: it is not called.
	Ended func()
}

// Bound limits how many changes run at once.
type Bound interface {
	// Try takes a slot if the caller may have one at once. The caller returns the slot by calling leave.
	Try(ctx context.Context) (leave func(), ok bool)
	// Wait takes a slot, and may wait for it. Its error says when to try again.
	Wait(ctx context.Context) (leave func(), err error)
}

const (
	waitForOther = 2 * time.Second        // how long a repetition waits for the first call
	pollOther    = 100 * time.Millisecond // how often it looks, when that runs in another process
	tidyUp       = 15 * time.Second       // for the second transaction, whose caller may be gone
)

// RunLong runs a Long once for the operation of the call.
func (p *Pipeline) RunLong(ctx context.Context, l Long) (Answer, error) {
	return p.observe(p.runLong(ctx, l))
}

func (p *Pipeline) runLong(ctx context.Context, l Long) (Answer, error) {
	leave, done, err := p.fly(ctx)
	if err != nil || done.Status != 0 {
		return done, err
	}
	defer leave()
	if answer, ok, err := p.cached(ctx); ok || err != nil {
		return answer, err
	}
	free, done, err := p.enter(ctx, l.Bound)
	if err != nil || done.Status != 0 {
		return done, err
	}
	defer free()
	err = p.begin(ctx, l)
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
	p.Fault.Reach(fault.AfterClaim)
	ctx = callctx.Trusted(context.WithoutCancel(ctx))
	answer, err := p.carryOn(ctx, l)
	if errors.Is(err, errOvertaken) {
		return p.replay(ctx)
	}
	if err == nil && !l.Erasable {
		p.keep(ctx, answer)
	}
	return answer, err
}

// fly waits for the calls before this one under its operation. Where one of them works for longer, the caller is given the answer that it
// has brought, or the error of another request under the operation, which must not wait for an answer that is not its own.
func (p *Pipeline) fly(ctx context.Context) (leave func(), done Answer, err error) {
	leave, err = p.inFlight.enter(ctx)
	if !errors.Is(err, ErrInProgress) {
		return leave, Answer{}, err
	}
	if done, seen, why := p.Seen(ctx); seen || why != nil {
		return nil, done, why
	}
	return nil, Answer{}, err
}

// enter takes a place in the bound. Where there is none the caller is given what it has been answered before, if it has.
func (p *Pipeline) enter(ctx context.Context, b Bound) (leave func(), done Answer, err error) {
	if b == nil {
		return func() {}, Answer{}, nil
	}
	if leave, ok := b.Try(ctx); ok {
		return leave, Answer{}, nil
	}
	// Only who may make the call waits in the name of its workspace, which until now is the client's word.
	done, _, err = p.Seen(ctx)
	if err != nil && !errors.Is(err, ErrInProgress) || done.Status != 0 {
		return nil, done, err
	}
	leave, err = b.Wait(ctx)
	return leave, Answer{}, err
}

// begin claims the operation and opens the work.
func (p *Pipeline) begin(ctx context.Context, l Long) error {
	write := p.DB.WriteOnce
	if l.Wide {
		write = p.DB.Write
	}
	return write(ctx, func(ctx context.Context) error {
		// In this order: the query of Begin commits what is queued before it.
		if !l.Seen && !l.Wide {
			if err := p.DB.Relax(ctx); err != nil {
				return err
			}
		}
		if err := p.Operations.Claim(ctx); err != nil {
			return err
		}
		if err := p.Audit.Record(ctx, l.Audit); err != nil {
			return err
		}
		return l.Begin(ctx)
	})
}

// errOvertaken says that another attempt has finished the work, or is at it.
var errOvertaken = errors.New("command: another attempt took the operation over")

// Recover continues work that a process began and did not finish because it died. The call in the context is that of
// the operation, without its fingerprint. The response is therefore stored in the database, which has the fingerprint,
// and is not cached. It returns ErrInProgress if another process is working on the operation.
func (p *Pipeline) Recover(ctx context.Context, l Long) error {
	leave, err := p.inFlight.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := p.DB.Write(ctx, l.Resume); err != nil {
		return err
	}
	_, err = p.carryOn(ctx, l)
	if errors.Is(err, errOvertaken) {
		return ErrInProgress.Because(err)
	}
	return err
}

// carryOn does the work and stores its result.
func (p *Pipeline) carryOn(ctx context.Context, l Long) (Answer, error) {
	if l.Ended != nil {
		defer l.Ended()
	}
	cause := work(ctx, l)
	p.Fault.Reach(fault.AfterModelCall)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyUp)
	defer cancel()
	if cause != nil {
		return Answer{}, errors.Join(p.DB.Write(ctx, func(ctx context.Context) error { return l.Fail(ctx, cause) }), cause)
	}
	var answer Answer
	err := p.DB.Write(ctx, func(ctx context.Context) error {
		encode, err := l.Finish(ctx)
		if err != nil {
			return err
		}
		if answer, err = p.store(ctx, encode, false); err != nil {
			return err
		}
		return p.reach(ctx, fault.BeforeCommit)
	})
	if postgres.IsMissing(err) { // compare and set
		return Answer{}, errOvertaken
	}
	if err != nil {
		return Answer{}, err
	}
	p.Fault.Reach(fault.AfterCommit)
	return answer, nil
}

// work does the work. A panic in it is a failure like another, so that the work does not stay open until its lease ends.
func work(ctx context.Context, l Long) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fail.ErrInternal.Because(fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
		}
	}()
	return l.Work(ctx)
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
		err = p.DB.Write(ctx, l.Resume)
		if !errors.Is(err, ErrInProgress) || l.Seen {
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
