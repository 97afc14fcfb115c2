package resilience

import (
	"net/http"
	"time"

	"github.com/parley/parley/platform/request/fail"
)

// soon is the longest delay that a target may ask for so that a repetition is worth waiting for.
const soon = time.Second

// Status classifies an HTTP error response by its status: a 4xx becomes Answered, and a 429 becomes Busy. wait is the
// time after which the target accepts calls again; 0: unknown.
func Status(status int, wait time.Duration, err error) error {
	if wait > 0 {
		err = fail.ErrUnavailable.After(wait).Because(err)
	}
	switch {
	case status == http.StatusTooManyRequests && wait > soon:
		return Final(busy(wait, err))
	case status == http.StatusTooManyRequests:
		return Uncounted(err)
	case status >= 400 && status < 500:
		return Answered(err)
	case wait > soon:
		return Final(err)
	}
	return err
}
