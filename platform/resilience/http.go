package resilience

import (
	"net/http"
	"time"

	"github.com/parley/parley/platform/fail"
)

// soon is how long a target may want to be left alone for a repetition to be worth waiting for.
const soon = time.Second

// Status sorts the failure that an HTTP answer is, by its status: of a 4xx the target works (Answered), but for 408 and
// 429, which say that it is too much for it. Wait is for how long it does not want to be asked; 0: it did not say.
func Status(status int, wait time.Duration, err error) error {
	busy := status == http.StatusRequestTimeout || status == http.StatusTooManyRequests
	if status >= 400 && status < 500 && !busy {
		return Answered(err)
	}
	if wait > 0 {
		err = fail.ErrUnavailable.After(wait).Because(err)
	}
	if wait > soon {
		return Final(err)
	}
	return err
}
