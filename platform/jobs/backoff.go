package jobs

import (
	"math"
	"time"
)

// Backoff is how long a failed job waits: exponential with full jitter, so that jobs that failed together do not come
// back together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter).
type Backoff struct {
	Base time.Duration // the most after the first failure; it doubles with each
	Cap  time.Duration // the most after any
}

// DefaultBackoff is that of a kind that names none.
//
//nolint:gochecknoglobals // a constant, which Go has none of for structs
var DefaultBackoff = Backoff{Base: time.Second, Cap: 15 * time.Minute}

// Delay is the wait after so many failures, the newest included; random is from [0, 1).
func (b Backoff) Delay(failures int, random float64) time.Duration {
	most := math.Min(float64(b.Cap), float64(b.Base)*math.Exp2(float64(max(failures, 1)-1)))
	return time.Duration(random * most)
}
