package router

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/resilience"
)

// failure is the reason why one model did not answer.
type failure struct {
	model domain.ModelName
	reply domain.Reply
	err   error
}

// failures are the failures of a turn's models, in the order in which they were asked.
type failures []failure

// outcome returns the error for the caller: the failure that counts, with its provider and model, and the failures of
// the other models in details.others.
func (f failures) outcome(spent domain.Usage) (domain.Reply, error) {
	at := f.counting()
	counts := f[at]
	e := counts.shown()
	var others []map[string]any
	var text strings.Builder
	for i, other := range f {
		if i == at {
			continue
		}
		others = append(others, map[string]any{"provider": other.model.Provider, "model": other.model.Name, "code": other.shown().Code})
		fmt.Fprintf(&text, "; %s: %s", other.model, cmp.Or(other.reason(), error(other.shown())))
	}
	if others != nil {
		e = e.With("others", others)
	}
	if counts.isOfTenant() {
		e = e.OfTenant()
	}
	counts.reply.Usage = spent
	if cause := counts.reason(); cause != nil {
		return counts.reply, e.Because(fmt.Errorf("%s: %w%s", counts.model, cause, text.String()))
	}
	return counts.reply, e.Because(errors.New(counts.model.String() + text.String()))
}

// counting returns the index of the failure that counts. A model that may answer later counts most, and of several such
// the last one, because then a retry may succeed. Of permanent failures the first counts: it is that of the model that
// the bot names.
func (f failures) counting() int {
	best := 0
	for i, one := range f {
		weight, most := one.weight(), f[best].weight()
		if weight > most || weight == most && weight >= mayPass {
			best = i
		}
	}
	return best
}

// The weights of failures, in ascending order.
const (
	neverAsked = iota // there is no provider or key for it
	notAllowed
	permanent
	overLimit // of the workspace; the next month has a new limit
	mayPass   // it was not asked now, and may be later
	hasFailed // it was asked, and may answer later
)

func (f failure) weight() int {
	_, refused := resilience.IsRefused(f.err)
	switch {
	case errors.Is(f.err, ports.ErrModelNotConfigured):
		return neverAsked
	case errors.Is(f.err, ports.ErrModelNotAllowed), errors.Is(f.err, fail.ErrEmailNotVerified):
		return notAllowed
	case ports.PermanentModelFailure(f.err):
		return permanent
	case errors.Is(f.err, fail.ErrLimitReached):
		return overLimit
	case refused:
		return mayPass
	default:
		return hasFailed
	}
}

// shown returns the failure as callers receive it.
func (f failure) shown() *fail.Error {
	switch f.weight() {
	case overLimit, notAllowed: // it already has its details
		return fail.From(f.err)
	case neverAsked, permanent:
		e := ports.NameModel(fail.From(f.err), f.model.String()).With("model", f.model.Name)
		if f.model.Provider == domain.UnknownProvider {
			return e
		}
		return e.With("provider", f.model.Provider)
	default:
		return ports.ErrModel.After(max(ports.ErrModel.RetryAfter, fail.From(f.err).RetryAfter)).
			With("provider", f.model.Provider).With("model", f.model.Name)
	}
}

// isOfTenant reports whether a failure is caused by the workspace, so that the operator cannot fix it: by a key or
// server of its own, or by the content of its request.
func (f failure) isOfTenant() bool {
	switch f.weight() {
	case neverAsked, notAllowed, overLimit:
		return true
	case permanent:
		_, wrongAddress := fail.From(f.err).Details[ports.HintDetail]
		return f.reply.Own || !wrongAddress && !errors.Is(f.err, ports.ErrModelCredentials) && !errors.Is(f.err, ports.ErrModelQuota)
	default:
		return f.reply.Own
	}
}

// reason returns the error that is stored beside what callers receive of a failure. Where they receive it as it is, that is its
// cause alone, so that its code and message are not stored twice; nil: it has none.
func (f failure) reason() error {
	if weight := f.weight(); weight == mayPass || weight == hasFailed {
		return f.err
	}
	return fail.From(f.err).Unwrap()
}

// notConfigured returns the failure for settings that name a model in a form that no provider has.
func notConfigured(err error) error {
	e := ports.ErrModelNotConfigured.Because(err)
	if wrong, ok := errors.AsType[domain.WrongModelError](err); ok {
		return ports.NameModel(e, wrong.Name).With("model", wrong.Name)
	}
	return e
}

// answered returns the reply of a model, or an error where its answer has no visible text and calls no tools.
func answered(reply domain.Reply, err error) (domain.Reply, error) {
	if err != nil || domain.IsVisible(reply.Content) || len(reply.Calls) > 0 {
		return reply, err
	}
	e := ports.ErrEmptyAnswer
	if reply.FinishReason == domain.FinishFilter {
		e = ports.ErrContentFiltered
	}
	if reply.FinishReason != "" {
		e = e.With("finish_reason", string(reply.FinishReason))
	}
	return reply, e.Because(fmt.Errorf("the model returned no text: %q", reply.FinishReason))
}
