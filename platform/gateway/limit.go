package gateway

import (
	"context"
	"math"
	"net/netip"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/ratelimit"
)

var errTooMany = fail.New(fail.TooMany, "RATE_LIMIT_EXCEEDED", "too many calls: wait as long as Retry-After says")

// slowDown counts a call under a key and refuses it where there were too many. The answer's RateLimit headers are
// those of draft-ietf-httpapi-ratelimit-headers-03.
func slowDown(c *echo.Context, limiter ratelimit.Limiter, key string, l ratelimit.Limit) error {
	r := limiter.Allow(c.Request().Context(), key, l)
	setHeaders(c.Response().Header(),
		"Ratelimit-Limit", strconv.Itoa(r.Limit),
		"Ratelimit-Remaining", strconv.Itoa(r.Remaining),
		"Ratelimit-Reset", strconv.Itoa(int(math.Ceil(r.Reset.Seconds()))),
	)
	if r.Allowed {
		return nil
	}
	return errTooMany.After(max(r.RetryAfter, time.Second))
}

// holdWorkspace counts a call for the workspace that its caller is signed in to. It is no member's fault alone, so it is
// answered as the workspace's other limits are.
func holdWorkspace(c *echo.Context, o Options, workspace uuid.UUID) error {
	if o.Limits.Workspace.Max == 0 {
		return nil
	}
	r := o.Limiter.Allow(c.Request().Context(), "workspace:"+workspace.String(), o.Limits.Workspace)
	if r.Allowed {
		return nil
	}
	return fail.ErrLimitReached.With("metric", "requests").With("limit", r.Limit).With("used", r.Limit-r.Remaining).
		With("resets_at", nil).After(max(r.RetryAfter, time.Second))
}

// network is what a client without a token is known by: its address, of IPv6 the /64 that one customer has.
func network(c *echo.Context) string {
	ip := call.From(c.Request().Context()).IP
	if ip.Is6() {
		return netip.PrefixFrom(ip, 64).Masked().String()
	}
	return ip.String()
}

// SessionLimiter slows down the refreshing of one session, whatever address it comes from: an office shares one.
type SessionLimiter struct {
	Limiter ratelimit.Limiter
	Limit   ratelimit.Limit
}

// Allow answers RATE_LIMIT_EXCEEDED where a session is refreshed too often.
func (s SessionLimiter) Allow(ctx context.Context, session string) error {
	if r := s.Limiter.Allow(ctx, "session:"+session, s.Limit); !r.Allowed {
		return errTooMany.After(max(r.RetryAfter, time.Second))
	}
	return nil
}
