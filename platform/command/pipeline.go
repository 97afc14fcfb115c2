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

	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/fault"
	"github.com/parley/parley/platform/operations"
	"github.com/parley/parley/platform/postgres"
)

// Failures of a call under an operation id that was used before. Use cases know them by their names in fail.
var (
	ErrInProgress = fail.ErrInProgress
	ErrExpired    = fail.ErrExpired
	ErrReused     = fail.ErrReused
)

// Encoder writes an answer; the generated response objects have one as their Visit method.
type Encoder func(w http.ResponseWriter) error

// Outcome is what a use case has come to: the answer for the caller, and what to write into the audit log.
type Outcome struct {
	Answer Encoder
	Audit  audit.Entry
	// Secret says that the answer shows a secret, for once: it is stored sealed, for an hour, and cached nowhere.
	Secret bool
}

// Pipeline runs changes. It is safe for concurrent use.
type Pipeline struct {
	Options
	inFlight *inFlight
}

// Options are what a Pipeline works with.
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

// NewPipeline makes a Pipeline.
func NewPipeline(o Options) *Pipeline { return &Pipeline{Options: o, inFlight: newInFlight()} }

// Run runs a step once for this call's operation, in one transaction with its claim, its audit row and its stored
// answer. Whatever fails leaves nothing behind. If the operation has been done before, the step has no effect and the
// stored answer is given again.
func (p *Pipeline) Run(ctx context.Context, step func(ctx context.Context) (Outcome, error)) (Answer, error) {
	return p.observe(p.run(ctx, step))
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
	if !outcome.Secret {
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

// keep caches an answer that has been committed.
func (p *Pipeline) keep(ctx context.Context, a Answer) {
	p.Cache.Put(ctx, operations.CacheKey(ctx), operations.Cached{
		Fingerprint: call.From(ctx).Operation.Fingerprint, Version: call.FingerprintVersion, Answer: a.Answer,
	})
}

// cached gives the answer that the cache has for this call's operation. The caller's right to it is checked anew.
func (p *Pipeline) cached(ctx context.Context) (answer Answer, found bool, err error) {
	c, ok := p.Cache.Get(ctx, operations.CacheKey(ctx))
	if !ok {
		return Answer{}, false, nil
	}
	if err := p.DB.Admitted(ctx); err != nil {
		return Answer{}, false, err
	}
	if !call.From(ctx).Operation.SameRequest(c.Fingerprint, c.Version) {
		return Answer{}, false, ErrReused
	}
	return Answer{Answer: c.Answer, Replayed: true}, true, nil
}

// store renders the answer and queues its storing.
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

// replay gives the stored answer of an operation that was claimed before.
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

// Seen gives the stored answer where this call's operation has been done before: for a call whose preparation cannot be
// repeated once it has taken effect.
func (p *Pipeline) Seen(ctx context.Context) (answer Answer, seen bool, err error) {
	record, err := p.Operations.Find(ctx)
	if err != nil || record == nil {
		return Answer{}, false, err
	}
	answer, err = p.replay(ctx)
	return answer, err == nil, err
}
