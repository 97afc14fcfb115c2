package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/platform/request/access"
)

// watch aborts the response when the right of the caller ends: nothing more is read for it or written, and pending
// output that the reader has not taken is dropped. stop must be called when the response is complete.
func (o Options) watch(c *echo.Context) (stop func()) {
	ctx, unwatch := o.Access.Watch(c.Request().Context())
	w := c.Response()
	cut := context.AfterFunc(ctx, func() {
		if access.EndOf(ctx, nil) != nil {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now()) // net/http then closes the connection
		}
	})
	c.SetRequest(c.Request().WithContext(ctx))
	c.SetResponse(&longAnswer{ResponseWriter: w, ctx: ctx})
	return func() {
		cut()
		unwatch()
	}
}

// longAnswer writes nothing once the caller's right has ended.
type longAnswer struct {
	http.ResponseWriter
	ctx context.Context //nolint:containedctx // of the one answer
}

func (l *longAnswer) Write(p []byte) (int, error) {
	if end := access.EndOf(l.ctx, nil); end != nil {
		return 0, end
	}
	return l.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (l *longAnswer) Unwrap() http.ResponseWriter { return l.ResponseWriter }
