package resilience

import (
	"net/http"
	"time"

	"github.com/parley/parley/platform/fail"
)

// soon is how long a target may want to be left alone for a repetition to be worth waiting for.
const soon = time.Second

// Status sorts the failure that an HTTP answer is, by its status: of a 4xx the target works (Answered), a 429 says that it
// was too much (Busy). Wait is for how long it does not want to be asked; 0: it did not say.
func Status(status int, wait time.Duration, err error) error {
	if wait > 0 {
		err = fail.ErrUnavailable.After(wait).Because(err)
	}
	switch {
	case status == http.StatusTooManyRequests && wait > soon:
		return Final(Busy(wait, err))
	case status == http.StatusTooManyRequests:
		return Uncounted(err)
	case status >= 400 && status < 500:
		return Answered(err)
	case wait > soon:
		return Final(err)
	}
	return err
}
