package jobs

import (
	"errors"
	"time"
)

// What a handler can say beyond that it failed.

// permanent marks a failure that trying again cannot mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks a failure that a retry cannot fix: its job moves to the dead letters at once.
func Permanent(err error) error { return permanent{err} }

func isPermanent(err error) bool {
	_, ok := errors.AsType[permanent](err)
	return ok
}

// patient is a failure that says how long to wait.
type patient struct {
	error
	delay time.Duration
}

func (p patient) Unwrap() error { return p.error }

// RetryAfter marks a failure after which the job waits for at least the given time, which the called system has asked
// for.
func RetryAfter(err error, wait time.Duration) error { return patient{err, wait} }

func retryAfter(err error) time.Duration {
	p, _ := errors.AsType[patient](err)
	return p.delay
}

// notYet says that a job has to wait for something.
type notYet struct {
	reason string
	delay  time.Duration
}

func (n notYet) Error() string { return "not yet: " + n.reason }

// IsNotYet reports whether a handler has postponed its job.
func IsNotYet(err error) bool {
	_, ok := errors.AsType[notYet](err)
	return ok
}

// NotYet postpones a job, which does not count as a failure. There is no limit to the number of times, so the condition
// that the job waits for must end by itself.
func NotYet(reason string, wait time.Duration) error { return notYet{reason, wait} }
