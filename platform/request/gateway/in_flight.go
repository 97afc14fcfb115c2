package gateway

import (
	"io"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/contract"
	"github.com/parley/parley/platform/request/fail"
)

// errInFlight refuses a call whose caller has too many bytes in flight.
var errInFlight = fail.New(fail.TooMany, "RATE_LIMIT_EXCEEDED",
	"too much of what you have sent or asked for is still on its way: read the answers, then send the call again").After(time.Second)

// inFlight bounds the bytes of the bodies that this process holds at a time: request bodies from reading until the end
// of their call, and responses while they are written. It is safe for concurrent use.
type inFlight struct {
	max   int64 // bytes of one caller
	total int64 // bytes of all callers

	mu   sync.Mutex
	held map[caller]share
	all  int64
}

// share is what a caller has in flight.
type share struct {
	bytes int64
	full  bool // it was refused more since the last of them were taken back
}

// caller is whom bytes are counted for: a user, all API keys of a workspace, or an address without a token.
type caller struct {
	id      uuid.UUID
	address netip.Addr
}

const (
	minInFlight = 4 << 20 // bytes that each caller may have in flight
	fullCallers = 8       // so many callers with all that they may have: then others may have one body each
)

// newInFlight returns an inFlight for bodies of at most bodyLimit bytes.
func newInFlight(bodyLimit int64) *inFlight {
	most := max(minInFlight, 2*bodyLimit)
	return &inFlight{max: most, total: fullCallers * most, held: map[caller]share{}}
}

// reserve counts bytes for a caller, unless the caller would then exceed its limit. A caller that holds none may always
// have one body.
func (f *inFlight) reserve(who caller, bytes int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	held := f.held[who]
	if held.bytes > 0 && (held.bytes+bytes > f.max || f.all+bytes > f.total) {
		held.full = true
		f.held[who] = held
		return false
	}
	f.add(who, bytes)
	return true
}

// hold counts bytes for a caller, however many it has.
func (f *inFlight) hold(who caller, bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add(who, bytes)
}

// release takes bytes back that were counted for a caller.
func (f *inFlight) release(who caller, bytes int64) { f.hold(who, -bytes) }

// full reports whether a caller has reached its limit, so that its calls are rejected before work is spent on them.
func (f *inFlight) full(who caller) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	held := f.held[who]
	return held.full || held.bytes >= f.max || held.bytes > 0 && f.all >= f.total
}

func (f *inFlight) add(who caller, bytes int64) {
	f.all += bytes
	held := f.held[who]
	if held.bytes += bytes; held.bytes == 0 {
		delete(f.held, who)
		return
	}
	held.full = held.full && bytes >= 0
	f.held[who] = held
}

// countBytes counts the bytes of a call after admit has identified the caller. It rejects the call if the caller
// already has too many bytes in flight.
func countBytes(c *echo.Context, op *contract.Operation, f *inFlight, serve func() error) error {
	if op.Limit == contract.NoLimit {
		return serve()
	}
	req, res := c.Request(), c.Response()
	who := caller{address: networkOf(c).Addr()}
	if p := callctx.From(req.Context()).Principal; p.UserID != uuid.Nil {
		who = caller{id: ownerOf(p)}
	}
	if f.full(who) {
		return errInFlight
	}
	body := &countedBody{ReadCloser: req.Body, flight: f, who: who}
	defer func() { f.release(who, body.bytes) }()
	if req.Body != nil && op.Body != nil {
		req.Body = body
	}
	w := &countedWriter{ResponseWriter: res, flight: f, who: who, refuses: req.Method == http.MethodGet}
	c.SetResponse(w)
	defer c.SetResponse(res)
	err := serve()
	switch {
	case w.refused:
		return errInFlight
	case err == nil:
		w.begin()
	}
	return err
}

// countedBody is the body of a request, whose bytes are counted as they come.
type countedBody struct {
	io.ReadCloser
	flight *inFlight
	who    caller
	bytes  int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		if !b.flight.reserve(b.who, int64(n)) {
			return 0, errInFlight
		}
		b.bytes += int64(n)
	}
	return n, err
}

// countedWriter counts the bytes of a response while they are written. A response starts with its first bytes, so that
// a call that only reads can still be rejected at that point.
type countedWriter struct {
	http.ResponseWriter
	flight  *inFlight
	who     caller
	refuses bool
	refused bool
	begun   bool
	status  int // set, and not yet sent
}

func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *countedWriter) WriteHeader(status int) {
	if w.begun {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.status = status
}

func (w *countedWriter) Write(p []byte) (int, error) {
	bytes := int64(len(p))
	if err := w.take(bytes); err != nil {
		return 0, err
	}
	defer w.flight.release(w.who, bytes)
	w.begin()
	return w.ResponseWriter.Write(p)
}

func (w *countedWriter) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// take counts bytes that are to be written or held, or refuses the call.
func (w *countedWriter) take(bytes int64) error {
	switch {
	case w.refused:
		return errInFlight
	case w.begun || !w.refuses:
		w.flight.hold(w.who, bytes)
		return nil
	case w.flight.reserve(w.who, bytes):
		return nil
	}
	w.refused = true
	for _, name := range []string{"Content-Range", "Content-Disposition", "Etag", "Last-Modified", "Accept-Ranges"} { // of an answer that is not given
		w.Header().Del(name)
	}
	return errInFlight
}

func (w *countedWriter) begin() {
	if !w.begun && w.status != 0 {
		w.ResponseWriter.WriteHeader(w.status)
	}
	w.begun = true
}

// Hold counts bytes that a response holds in memory while it is written in parts, in addition to the bytes that are
// being written. It rejects the call if its caller has too many bytes in flight. release returns the bytes.
func Hold(w http.ResponseWriter, bytes int64) (release func(), err error) {
	for {
		switch inner := w.(type) {
		case *countedWriter:
			if err := inner.take(bytes); err != nil {
				return nil, err
			}
			return func() { inner.flight.release(inner.who, bytes) }, nil
		case interface{ Unwrap() http.ResponseWriter }:
			w = inner.Unwrap()
		default:
			return func() {}, nil
		}
	}
}
