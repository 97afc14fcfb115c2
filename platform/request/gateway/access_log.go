package gateway

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/platform/request/callctx"
)

// LogAddress says how much of the address of a caller is logged.
type LogAddress string

// The values of LogAddress.
const (
	fullAddress    LogAddress = "full"
	networkAddress LogAddress = "network" // a /24 of IPv4, a /48 of IPv6
	noAddress      LogAddress = "none"
)

// Prefix lengths, in bits, of the networks that are logged instead of addresses.
const (
	networkV4 = 24
	networkV6 = 48
)

// of returns what is logged of an address; "" for nothing.
func (l LogAddress) of(ip netip.Addr) string {
	switch {
	case !ip.IsValid() || l == noAddress || l == "":
		return ""
	case l == fullAddress:
		return ip.String()
	}
	bits := networkV6
	if ip.Is4() {
		bits = networkV4
	}
	network, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return ""
	}
	return network.String()
}

// slowCall is how long a call takes that is always logged.
const slowCall = time.Second

// accessLog writes one line per request. It lets an error be answered first, so that the line contains the status. It
// may omit most successful calls that took less than a second (Options.LogSample).
func accessLog(o Options) echo.MiddlewareFunc {
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
			end := time.Now()
			took := end.Sub(start)
			now := callctx.From(req.Context())
			if o.Observed != nil {
				var outside time.Duration
				if now.Outside != nil {
					outside = time.Duration(now.Outside.Load())
				}
				o.Observed(req.Context(), req.Method, c.Path(), status, took, min(outside, took))
			}
			sampled := o.LogSample > 1 && status < http.StatusBadRequest && took < slowCall
			if sampled && rand.IntN(o.LogSample) > 0 || !o.Log.Enabled(req.Context(), slog.LevelInfo) { //nolint:gosec // which calls are left out is no secret
				return nil
			}
			line := slog.NewRecord(end, slog.LevelInfo, "request", 0) // LogAttrs would look for who calls it
			line.AddAttrs(
				slog.String("method", req.Method),
				slog.String("route", c.Path()),
				slog.Int("status", status),
				slog.Int64("bytes", size),
				slog.Float64("latency_ms", float64(took.Microseconds())/1000),
			)
			if from := o.LogAddress.of(now.IP); from != "" {
				line.AddAttrs(slog.String("address", from))
			}
			if sampled {
				line.AddAttrs(slog.Int("sample", o.LogSample))
			}
			_ = o.Log.Handler().Handle(req.Context(), line) // as slog does
			return nil
		}
	}
}
