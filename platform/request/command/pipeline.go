// Package command is the pipeline round every use case that changes something:
//
//	begin ► claim the operation ► USE CASE ► audit ► store the answer ► commit
//
// It is what makes a call that is sent again take effect once, and every change audited. Use cases know nothing of it.
package command

import (
	"context"
	"errors"
	"net/http"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/fault"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/request/operations"
)

// Errors of a call under an operation id that was used before. Use cases use their names in package fail.
var (
	ErrInProgress = fail.ErrInProgress
	ErrExpired    = fail.ErrExpired
	ErrReused     = fail.ErrReused
)

// Encoder writes a response; it is the Visit method of the generated response objects.
type Encoder func(w http.ResponseWriter) error

// Outcome is the result of a use case: the response for the caller, and the entry for the audit log.
type Outcome struct {
	Answer Encoder
	Audit  audit.Entry
	// Secret says that the response contains a secret, which is shown only once. The response is stored sealed, for an
	// hour, and is not cached.
	Secret bool
	// Erasable says that the response has something that may be erased later. It is not cached, as no process empties the caches of
	// the others.
	Erasable bool
}

// Pipeline runs changes. It is safe for concurrent use.
type Pipeline struct {
	Options
	inFlight *inFlight
}

// Options are the dependencies of a Pipeline.
type Options struct {
	DB         *postgres.DB
	Operations *operations.Store
	Cache      operations.Cache
	Audit      *audit.Log
	Fault      *fault.Point // nil but in fault tests
	// Observed receives the outcome of each operation: done, replayed, in_progress, reused, expired or failed. nil: it
	// is not called.
	Observed func(outcome string)
}

// NewPipeline returns a Pipeline.
func NewPipeline(o Options) *Pipeline { return &Pipeline{Options: o, inFlight: newInFlight()} }

// Run runs a step once for the operation of the call, in one transaction with the claim, the audit row and the stored
// response. A failure leaves nothing behind. If the operation has been done before, the step has no effect and the
// stored response is returned again.
func (p *Pipeline) Run(ctx context.Context, step func(ctx context.Context) (Outcome, error)) (Answer, error) {
	return p.observe(p.run(ctx, step))
}

// RunUnstored runs a step in one transaction and returns its response. It neither claims the operation nor stores the response nor
// writes an audit row, which all belong to a workspace: it is for changes of callers who are in none. The step records what
// it changes itself. A repetition of the call runs the step again.
func (p *Pipeline) RunUnstored(ctx context.Context, step func(ctx context.Context) (Outcome, error)) (answer Answer, err error) {
	err = p.DB.Write(ctx, func(ctx context.Context) error {
		outcome, err := step(ctx)
		if err != nil {
			return err
		}
		answer, err = render(outcome.Answer)
		return err
	})
	return answer, err
}

// observe passes the outcome of an operation to Observed.
func (p *Pipeline) observe(answer Answer, err error) (Answer, error) {
	if p.Observed == nil {
		return answer, err
	}
	outcome := "failed"
	switch {
	case err == nil && answer.Replayed:
		outcome = "replayed"
	case err == nil:
		outcome = "done"
	case errors.Is(err, ErrInProgress):
		outcome = "in_progress"
	case errors.Is(err, ErrReused):
		outcome = "reused"
	case errors.Is(err, ErrExpired):
		outcome = "expired"
	}
	p.Observed(outcome)
	return answer, err
}

func (p *Pipeline) run(ctx context.Context, step func(ctx context.Context) (Outcome, error)) (Answer, error) {
	leave, err := p.inFlight.enter(ctx)
	if err != nil {
		return Answer{}, err
	}
	defer leave()
	if answer, ok, err := p.cached(ctx); ok || err != nil {
		return answer, err
	}
	var answer Answer
	var outcome Outcome
	err = p.DB.Write(ctx, func(ctx context.Context) (err error) {
		if err := p.claim(ctx); err != nil {
			return err
		}
		if outcome, err = step(ctx); err != nil {
			return err
		}
		if err := p.Audit.Record(ctx, outcome.Audit); err != nil {
			return err
		}
		if answer, err = p.store(ctx, outcome.Answer, outcome.Secret); err != nil {
			return err
		}
		return p.reach(ctx, fault.BeforeCommit)
	})
	switch {
	case operations.IsInFlight(err):
		return Answer{}, ErrInProgress.Because(err)
	case operations.IsClaimed(err):
		return p.replay(ctx)
	case err != nil:
		return Answer{}, err
	}
	p.Fault.Reach(fault.AfterCommit)
	if !outcome.Secret && !outcome.Erasable {
		p.keep(ctx, answer)
	}
	return answer, nil
}

// claim queues the claim of the operation.
func (p *Pipeline) claim(ctx context.Context) error {
	if err := p.Operations.Claim(ctx); err != nil {
		return err
	}
	return p.reach(ctx, fault.AfterClaim)
}

// reach is Fault.Reach within a transaction, after all that it has queued has reached the database.
func (p *Pipeline) reach(ctx context.Context, point string) error {
	if !p.Fault.Set(point) {
		return nil
	}
	if err := p.DB.Flush(ctx); err != nil {
		return err
	}
	p.Fault.Reach(point)
	return nil
}

// keep caches a response that has been committed.
func (p *Pipeline) keep(ctx context.Context, a Answer) {
	p.Cache.Put(ctx, operations.CacheKey(ctx), operations.Cached{
		Fingerprint: callctx.From(ctx).Operation.Fingerprint, Version: callctx.FingerprintVersion, Answer: a.Answer,
	})
}

// cached returns the cached response for the operation of the call. It checks the right of the caller to it again.
func (p *Pipeline) cached(ctx context.Context) (answer Answer, found bool, err error) {
	c, ok := p.Cache.Get(ctx, operations.CacheKey(ctx))
	if !ok {
		return Answer{}, false, nil
	}
	if err := p.DB.Admitted(ctx); err != nil {
		return Answer{}, false, err
	}
	if !callctx.From(ctx).Operation.SameRequest(c.Fingerprint, c.Version) {
		return Answer{}, false, ErrReused
	}
	return Answer{Answer: c.Answer, Replayed: true}, true, nil
}

// store encodes the response and queues its storing.
func (p *Pipeline) store(ctx context.Context, encode Encoder, secret bool) (Answer, error) {
	answer, err := render(encode)
	if err != nil {
		return Answer{}, err
	}
	if secret {
		return answer, p.Operations.FinishSealed(ctx, answer.Answer)
	}
	return answer, p.Operations.Finish(ctx, answer.Answer)
}

// replay returns the stored response of an operation that was claimed before.
func (p *Pipeline) replay(ctx context.Context) (Answer, error) {
	record, err := p.Operations.Find(ctx)
	switch {
	case err != nil:
		return Answer{}, err
	case record == nil:
		return Answer{}, ErrInProgress // it was rolled back between the claim and now
	case !record.SameRequest:
		return Answer{}, ErrReused
	case record.Expired:
		return Answer{}, ErrExpired
	case record.Answer == nil:
		return Answer{}, ErrInProgress
	}
	return Answer{Answer: *record.Answer, Replayed: true}, nil
}

// Seen returns the stored response if the operation of the call has been done before. It is for calls whose preparation
// cannot be repeated after it has taken effect.
func (p *Pipeline) Seen(ctx context.Context) (answer Answer, seen bool, err error) {
	record, err := p.Operations.Find(ctx)
	if err != nil || record == nil {
		return Answer{}, false, err
	}
	answer, err = p.replay(ctx)
	return answer, err == nil, err
}
