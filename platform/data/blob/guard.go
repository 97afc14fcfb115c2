package blob

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/parley/parley/platform/work/resilience"
)

// guard makes every request to a store pass the Group. The deadline of the Group applies to sending the request and to
// the response header. A store that accepts no bytes of a request, and sends no response, for answerTimeout is
// considered hanging: the request fails. Reading the body of a response may take as long as the reader needs, but the
// store must not stall.
type guard struct {
	base   http.RoundTripper
	group  *resilience.Group
	target string
}

// longestPause is how long a store may leave a reader waiting for the next bytes.
const longestPause = 30 * time.Second

// answerTimeout is how long a store may take to respond after it has accepted some bytes of a request.
const answerTimeout = 8 * time.Second

var errStore = errors.New("blob: the store answered that it is in trouble")

func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	var res *http.Response
	err := g.group.Do(req.Context(), g.target, func(attempt context.Context) (err error) {
		stop := context.AfterFunc(attempt, cancel)
		sent, watch := req.WithContext(ctx), newWatch(cancel)
		if sent.Body != nil && sent.Body != http.NoBody {
			sent.Body = watched{sent.Body, watch}
		}
		res, err = g.base.RoundTrip(sent) //nolint:bodyclose // whoever asked closes it
		watch.end()
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
	res.Body = &body{content: res.Body, cancel: cancel} // also for an error response: the client reads its body
	return res, nil
}

// body is a response body that fails if the store sends no bytes.
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

// watch cancels a request that makes no progress for answerTimeout. It is safe for concurrent use: the request body may
// still be read when the response has arrived.
type watch struct {
	mu    sync.Mutex
	timer *time.Timer // nil: it has ended
}

func newWatch(cancel func()) *watch { return &watch{timer: time.AfterFunc(answerTimeout, cancel)} }

func (w *watch) progress() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Reset(answerTimeout)
	}
}

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	w.timer = nil
}

// watched is the body of a request, whose reading is progress.
type watched struct {
	io.ReadCloser
	watch *watch
}

func (w watched) Read(p []byte) (int, error) {
	w.watch.progress()
	return w.ReadCloser.Read(p)
}
