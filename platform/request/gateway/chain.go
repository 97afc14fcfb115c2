package gateway

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// The headers of the contract.
const (
	headerTraceID     = "X-Trace-Id"
	headerRequestID   = "X-Request-Id" // becomes the trace id where no other is given
	headerOperationID = "X-Operation-Id"
	headerWorkspaceID = "X-Workspace-Id"
	headerUserID      = "X-User-Id"
	headerDeviceToken = "X-Device-Token"

	headerAPIKey         = "Api-Key"         // of calls whose document names it, instead of Authorization
	headerIdempotencyKey = "Idempotency-Key" // as OpenAI's clients name an operation
)

var traceID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// beginCall puts a new call into the context, with a deadline, a trace id and an operation id. Every response carries
// both ids. The trace id is taken from X-Trace-Id, else from traceparent if tracing is enabled, else from X-Request-Id,
// which many proxies add to every request; else it is new.
func beginCall(o Options) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			req, parent, tracer := c.Request(), "", o.Trace
			ctx, cancel := context.WithTimeout(req.Context(), deadlineOf(c, o))
			defer cancel()
			if tracer != nil {
				ctx, parent = tracer.Extract(ctx, req.Header)
			}
			trace := clientTraceID(req.Header)
			if parent != "" && !traceID.MatchString(req.Header.Get(headerTraceID)) {
				trace = parent
			}
			given := trace != ""
			if !given {
				trace = newTraceID()
			}
			ip, _ := netip.ParseAddr(c.RealIP()) // an address that is none stays unknown
			operation, _ := operationID(req.Header)
			named := operation != uuid.Nil
			header := headerOperationID
			if !named { // none was sent, or one that admit refuses the call for
				header, operation = "", uuid.Must(uuid.NewV7()) // in order of time, so that its index grows at one end
			}
			setHeaders(c.Response().Header(), headerTraceID, trace, headerOperationID, operation.String())
			if isOpenAI(req.URL.Path) {
				setHeaders(c.Response().Header(), headerRequestID, trace)
			}
			ctx = callctx.With(ctx, &callctx.Call{
				TraceID:   trace,
				Operation: callctx.Operation{ID: operation, Given: named, Header: header},
				IP:        ip.Unmap(),
				UserAgent: clip(strings.ToValidUTF8(req.UserAgent(), ""), 400),
				Outside:   new(atomic.Int64),

				AcceptLanguage: clip(strings.ToValidUTF8(req.Header.Get("Accept-Language"), ""), 100),

				TraceGiven:  given,
				DeviceToken: req.Header.Get(headerDeviceToken),
			})
			end := func(error) {}
			if tracer != nil {
				ctx, end = tracer.Start(ctx, req.Method+" "+c.Path(), map[string]string{"http.route": c.Path(), "http.request.method": req.Method})
			}
			c.SetRequest(req.WithContext(ctx))
			err := next(c)
			end(broken(c, err))
			return err
		}
	}
}

// newTraceID makes a trace id: 32 hexadecimal digits, as W3C Trace Context has them.
func newTraceID() string {
	id := uuid.New()
	return hex.EncodeToString(id[:])
}

// clientTraceID returns the trace id that a client names, in X-Trace-Id or else in X-Request-Id; "" where neither is valid.
func clientTraceID(h http.Header) string {
	for _, name := range []string{headerTraceID, headerRequestID} {
		if id := h.Get(name); traceID.MatchString(id) {
			return id
		}
	}
	return ""
}

// broken returns the error of a request that failed because of a server error, for its span. The request has been
// answered before.
func broken(c *echo.Context, err error) error {
	if r, unwrapErr := echo.UnwrapResponse(c.Response()); err == nil && unwrapErr == nil && r.Status >= http.StatusInternalServerError {
		return fail.ErrInternal
	}
	return err
}

func clip(s string, most int) string {
	s = strings.ReplaceAll(s, "\x00", "")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// recoverPanic makes an error of a panic, so that one bad request does not end the process.
func recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) (err error) {
		defer func() {
			if r := recover(); r != nil {
				if r == http.ErrAbortHandler { //nolint:errorlint // net/http compares it by identity
					panic(r)
				}
				err = fail.ErrInternal.Because(fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
			}
		}()
		return next(c)
	}
}

// securityHeaders sets the headers that OWASP recommends for an API: nothing may be cached, framed or sniffed. All
// responses share the values.
func securityHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	headers := map[string][]string{
		"X-Content-Type-Options":    {"nosniff"},
		"X-Frame-Options":           {"DENY"},
		"Referrer-Policy":           {"no-referrer"},
		"Cache-Control":             {"no-store"},
		"Content-Security-Policy":   {"default-src 'none'; frame-ancestors 'none'"},
		"Strict-Transport-Security": {"max-age=31536000; includeSubDomains"},
	}
	return func(c *echo.Context) error {
		maps.Copy(c.Response().Header(), headers)
		return next(c)
	}
}

// setHeaders sets headers by names in their canonical form, with one allocation for all.
func setHeaders(h http.Header, namesAndValues ...string) {
	values := make([]string, len(namesAndValues)/2)
	for i := range values {
		values[i] = namesAndValues[2*i+1]
		h[namesAndValues[2*i]] = values[i : i+1 : i+1]
	}
}

// deadlineOf is how long a call may take.
func deadlineOf(c *echo.Context, o Options) time.Duration {
	if op := o.Contract.Find(c.Request().Method, c.Path()); op != nil && op.Transfer {
		return o.TransferDeadline
	}
	return o.Deadline
}

func ipNet(p netip.Prefix) *net.IPNet {
	p = p.Masked()
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
