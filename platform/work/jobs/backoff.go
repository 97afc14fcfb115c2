package jobs

import (
	"math"
	"time"
)

// Backoff is the delay before a failed job is tried again: exponential with full jitter, so that jobs that failed
// together are not retried together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter).
type Backoff struct {
	Base time.Duration // the most after the first failure; it doubles with each
	Cap  time.Duration // the most after any
}

// defaultBackoff is that of a kind that names none.
//
//nolint:gochecknoglobals // a constant, which Go has none of for structs
var defaultBackoff = Backoff{Base: time.Second, Cap: 15 * time.Minute}

// Delay returns the delay after the given number of failures, including the newest one; random is from [0, 1).
func (b Backoff) Delay(failures int, random float64) time.Duration {
	most := math.Min(float64(b.Cap), float64(b.Base)*math.Exp2(float64(max(failures, 1)-1)))
	return time.Duration(random * most)
}
