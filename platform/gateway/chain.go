package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
)

// The headers of the contract.
const (
	HeaderTraceID     = "X-Trace-Id"
	HeaderOperationID = "X-Operation-Id"
	HeaderWorkspaceID = "X-Workspace-Id"
	HeaderUserID      = "X-User-Id"
)

var traceID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// beginCall makes the call that the rest of the way is told of, and gives it a trace id and an operation id, so that
// every answer carries both.
func beginCall(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		req := c.Request()
		trace := req.Header.Get(HeaderTraceID)
		if !traceID.MatchString(trace) {
			id := uuid.New()
			trace = strings.ReplaceAll(id.String(), "-", "")
		}
		ip, _ := netip.ParseAddr(c.RealIP()) // an address that is none stays unknown
		operation, err := operationID(req.Header)
		if err != nil {
			operation = uuid.New() // admit refuses the call
		}
		h := c.Response().Header()
		h.Set(HeaderTraceID, trace)
		h.Set(HeaderOperationID, operation.String())
		c.SetRequest(req.WithContext(call.With(req.Context(), &call.Call{
			TraceID:   trace,
			Operation: call.Operation{ID: operation},
			IP:        ip.Unmap(),
			UserAgent: clip(strings.ToValidUTF8(req.UserAgent(), ""), 400),
		})))
		return next(c)
	}
}

func clip(s string, most int) string {
	s = strings.ReplaceAll(s, "\x00", "")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// accessLog writes one line a request, and has an error answered first so that the line knows the status.
func accessLog(log *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			start := time.Now()
			if err := next(c); err != nil {
				c.Echo().HTTPErrorHandler(c, err)
			}
			req := c.Request()
			status, size := 0, int64(0)
			if r, err := echo.UnwrapResponse(c.Response()); err == nil {
				status, size = r.Status, r.Size
			}
			log.LogAttrs(req.Context(), slog.LevelInfo, "request",
				slog.String("method", req.Method),
				slog.String("route", c.Path()),
				slog.Int("status", status),
				slog.Int64("bytes", size),
				slog.Float64("latency_ms", float64(time.Since(start).Microseconds())/1000),
			)
			return nil
		}
	}
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

// securityHeaders are those of OWASP for an API: nothing is to be cached, framed or guessed.
func securityHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		return next(c)
	}
}

func deadline(o Options) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			d := o.Deadline
			if op := o.Contract.Find(c.Request().Method, c.Path()); op != nil && op.Transfer {
				d = o.TransferDeadline
			}
			ctx, cancel := context.WithTimeout(c.Request().Context(), d)
			defer cancel()
			c.SetRequest(c.Request().WithContext(ctx))
			return next(c)
		}
	}
}

func ipNet(p netip.Prefix) *net.IPNet {
	p = p.Masked()
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
