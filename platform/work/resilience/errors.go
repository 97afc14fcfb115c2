package resilience

import (
	"errors"
	"time"

	"github.com/parley/parley/platform/request/fail"
)

// The reasons why a call was not made, or was ended.
var (
	errFull  = errors.New("as many calls as may run to this target are running")
	errOpen  = errors.New("the target has failed too often, or wants to be left alone for a while")
	errHangs = errors.New("the target did not answer in time")
)

// refused says that a target was not called.
type refused struct {
	error
	wait time.Duration
}

func (r refused) Unwrap() error { return r.error }

// refusal returns the error for a call that was not made. It says when the breaker lets the next call through, at least
// 1 s from now.
func refusal(wait time.Duration, cause error) error {
	wait = max(wait, 0)
	return refused{fail.ErrUnavailable.After(max(wait, time.Second)).Because(cause), wait}
}

// IsRefused reports whether err says that the target was not called, and for how long it will not be.
func IsRefused(err error) (wait time.Duration, ok bool) {
	r, ok := errors.AsType[refused](err)
	return r.wait, ok
}

// canceled is the failure of a call whose caller had gone.
type canceled struct{ error }

// answered is a failure that shows that the target works.
type answered struct{ error }

func (a answered) Unwrap() error { return a.error }

// Answered marks a failure that shows that the target works and rejects this particular call, such as an HTTP 4xx. It
// does not open the breaker, and the call is not repeated.
func Answered(err error) error { return answered{err} }

// final is a failure that comes again, or whose call has shown something already.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// Final marks a failure that counts for the breaker but must not be repeated, although other calls of the group may be.
// The call has had a visible effect, or has used all the time that was allowed for it.
func Final(err error) error { return final{err} }

// uncounted is a failure that says nothing of the target.
type uncounted struct {
	error
	wait time.Duration
}

func (u uncounted) Unwrap() error { return u.error }

// Uncounted marks a failure that does not show whether the target works, such as a timeout of a target that had begun
// to answer. The breaker ignores it.
func Uncounted(err error) error { return uncounted{error: err} }

// maxDelay bounds for how long a target may ask not to be called.
const maxDelay = 5 * time.Minute

// busy marks the failure of a call that was too much for a target, as an HTTP 429 is. The breaker takes no notice of it,
// but the target is not asked for that source, or for that target where it has none, until it wants to be: after wait,
// five minutes at the most.
func busy(wait time.Duration, err error) error { return uncounted{err, min(wait, maxDelay)} }

// delay returns for how long the target must not be called according to err.
func delay(err error) time.Duration {
	u, _ := errors.AsType[uncounted](err)
	return u.wait
}

func isFinal(err error) bool {
	_, ok := errors.AsType[final](err)
	return ok
}

func isAnswered(err error) bool {
	_, ok := errors.AsType[answered](err)
	return ok
}
