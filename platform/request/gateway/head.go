package gateway

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v5"
)

// maxHeadBytes is how much of a body a HEAD request lets a handler write before it is stopped.
const maxHeadBytes = 64 << 10

// errHeadDone ends the writing of a body that is not sent, because the method is HEAD.
var errHeadDone = errors.New("gateway: the request was HEAD")

// headAsGet serves HEAD as GET (RFC 9110, 9.3.2): same status and headers. net/http leaves the body out, because the
// request that it holds is still HEAD. A handler that streams is stopped after its first flush.
func headAsGet(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		req := c.Request()
		if req.Method != http.MethodHead {
			return next(c)
		}
		get := req.WithContext(req.Context())
		get.Method = http.MethodGet
		c.SetRequest(get)
		if res, err := echo.UnwrapResponse(c.Response()); err == nil {
			res.ResponseWriter = &headWriter{ResponseWriter: res.ResponseWriter}
		}
		return next(c)
	}
}

// headWriter stops a handler that writes more than the headers need.
type headWriter struct {
	http.ResponseWriter
	written int
	flushed bool
}

func (w *headWriter) Write(p []byte) (int, error) {
	if w.flushed || w.written > maxHeadBytes {
		return 0, errHeadDone
	}
	w.written += len(p)
	return w.ResponseWriter.Write(p)
}

func (w *headWriter) FlushError() error {
	w.flushed = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *headWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// allowHead adds HEAD to the Allow header of a 405 response whose path supports GET.
func allowHead(h http.Header) {
	if allow := h.Get(echo.HeaderAllow); strings.Contains(allow, http.MethodGet) && !strings.Contains(allow, http.MethodHead) {
		h.Set(echo.HeaderAllow, allow+", "+http.MethodHead)
	}
}
