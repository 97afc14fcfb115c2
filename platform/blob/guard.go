package blob

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/parley/parley/platform/resilience"
)

// guard has every request to a store pass the Group: the deadline there is for sending it and for the head of the answer.
// The body of an answer may take as long as its reader likes, but not as long as the store likes.
type guard struct {
	base   http.RoundTripper
	group  *resilience.Group
	target string
}

// longestPause is how long a store may leave a reader waiting for the next bytes.
const longestPause = 30 * time.Second

var errStore = errors.New("blob: the store answered that it is in trouble")

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	var res *http.Response
	err := g.group.Do(req.Context(), g.target, func(attempt context.Context) (err error) {
		stop := context.AfterFunc(attempt, cancel)
		res, err = g.base.RoundTrip(req.WithContext(ctx)) //nolint:bodyclose // whoever asked closes it
		if !stop() && err == nil {
			_ = res.Body.Close()
			res, err = nil, attempt.Err()
		}
		if err == nil && res.StatusCode >= http.StatusInternalServerError {
			return errStore
		}
		return err
	})
	if res == nil {
		cancel()
		return nil, err
	}
	res.Body = &body{content: res.Body, cancel: cancel} // also of an answer that tells of trouble: the client reads it
	return res, nil
}

// body ends an answer whose bytes do not come.
type body struct {
	content io.ReadCloser
	cancel  context.CancelFunc
}

func (b *body) Read(p []byte) (int, error) {
	timer := time.AfterFunc(longestPause, b.cancel)
	defer timer.Stop()
	return b.content.Read(p)
}

func (b *body) Close() error {
	defer b.cancel()
	return b.content.Close()
}
