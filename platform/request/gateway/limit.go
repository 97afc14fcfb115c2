package gateway

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/contract"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/request/ratelimit"
)

// rateLimit counts a call under a key and rejects it if there were too many. The RateLimit headers of the response are
// those of draft-ietf-httpapi-ratelimit-headers-03.
func rateLimit(c *echo.Context, limiter ratelimit.Limiter, key string, l ratelimit.Limit) error {
	return setLimitHeaders(c, limiter.Allow(c.Request().Context(), key, l))
}

// setLimitHeaders sets the headers about a limit, and returns an error if the limit is exceeded.
func setLimitHeaders(c *echo.Context, r ratelimit.Result) error {
	setHeaders(c.Response().Header(),
		"Ratelimit-Limit", strconv.Itoa(r.Limit),
		"Ratelimit-Remaining", strconv.Itoa(r.Remaining),
		"Ratelimit-Reset", strconv.Itoa(int(math.Ceil(r.Reset.Seconds()))),
	)
	if r.Allowed {
		return nil
	}
	if c.Request().ContentLength != 0 { // else net/http reads a body that nobody has read before it answers
		setHeaders(c.Response().Header(), echo.HeaderConnection, "close")
	}
	return fail.ErrTooMany.After(max(r.RetryAfter, time.Second))
}

// checkFailures refuses a call that brings its own session or signature, before anything is read of it, where too many such
// calls from its address have failed: limitAnonymous counts those. Calls that succeed are not counted by address, as an
// office or a provider of webhooks shares one.
func checkFailures(c *echo.Context, o Options) error {
	for _, b := range buckets(c, "failed", o.Limits.General) {
		if r := o.Limiter.Peek(c.Request().Context(), b.key, b.limit); !r.Allowed {
			return setLimitHeaders(c, r)
		}
	}
	return nil
}

// limitAnonymous limits, by address, callers without a valid session or signature on operations that limit by address.
func limitAnonymous(o Options) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			err := next(c)
			op := o.Contract.Find(c.Request().Method, c.Path())
			if err == nil || op == nil || op.Limit != contract.SessionLimit || !countsByAddress(op, fail.From(err).Kind) {
				return err
			}
			return errors.Join(
				limitNetwork(c, o.Limiter, "failed", o.Limits.General),
				limitNetwork(c, o.Limiter, "address", o.Limits.General),
				err,
			)
		}
	}
}

// countsByAddress reports whether a failure counts against the address of the caller. A failure after the signature of
// the sender was verified does not: the endpoint has a limit of its own.
func countsByAddress(op *contract.Operation, k fail.Kind) bool {
	if op.Signed && (k == fail.Invalid || k == fail.Forbidden || k == fail.Conflict) {
		return false
	}
	return k != fail.TooMany && statusOf(k) < http.StatusInternalServerError
}

// limitWorkspace counts a call against the limit of the workspace that its caller is signed in to. No single member
// causes the excess, so the response is that of the other limits of the workspace.
func limitWorkspace(c *echo.Context, o Options, workspace uuid.UUID) error {
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

// networkOf returns the network of one customer: the address for IPv4, the /64 for IPv6.
func networkOf(c *echo.Context) netip.Prefix {
	ip := callctx.From(c.Request().Context()).IP
	if ip.Is6() {
		return netip.PrefixFrom(ip, 64).Masked()
	}
	return netip.PrefixFrom(ip, ip.BitLen())
}

// KnownClients knows who has logged in before, by network and device. It does not know accounts, so its effect on a
// response does not reveal which accounts exist.
type KnownClients interface {
	// Device returns the device of a device token that this server has issued and that is not too old; "" for any other
	// text.
	Device(token string) string
	// Knows reports whether somebody has logged in from the network of an address.
	Knows(ip netip.Addr) bool
}

// maxCalls is the highest limit that the limiters count exactly.
const maxCalls = 1_000_000_000

// bucket is a network, and how many calls it may make.
type bucket struct {
	key   string
	limit ratelimit.Limit
}

// buckets returns the networks of a client without a token, narrowest first: the address for IPv4; for IPv6 the /64 of
// one customer, and the /56 and /48 that a customer may have, which may make two and four times as many calls.
func buckets(c *echo.Context, kind string, l ratelimit.Limit) []bucket {
	ip := callctx.From(c.Request().Context()).IP
	if !ip.Is6() {
		return []bucket{{kind + ":" + ip.String(), l}}
	}
	list := make([]bucket, 3)
	for i, bits := range []int{64, 56, 48} {
		wider := ratelimit.Limit{Max: min(l.Max<<i, maxCalls), Window: l.Window}
		list[i] = bucket{kind + ":" + netip.PrefixFrom(ip, bits).Masked().String(), wider}
	}
	return list
}

// limitNetwork counts a call for each network of its client, until one refuses it: a flood from a narrow network does not
// use up the wider ones. The headers are about the narrowest, or the one that refused.
func limitNetwork(c *echo.Context, limiter ratelimit.Limiter, kind string, l ratelimit.Limit) error {
	for i, b := range buckets(c, kind, l) {
		r := limiter.Allow(c.Request().Context(), b.key, b.limit)
		if i > 0 && r.Allowed {
			continue
		}
		if err := setLimitHeaders(c, r); err != nil {
			return err
		}
	}
	return nil
}

// limitLogIn counts a call that tries a password. A device that has logged in before is counted by itself, from any
// address. A network from which somebody has logged in is counted by its narrowest bucket only. Unknown clients that
// use up the wider buckets, or the limit of all unknown clients, therefore do not lock it out.
func limitLogIn(c *echo.Context, o Options) error {
	caller := callctx.From(c.Request().Context())
	if device := o.KnownClients.Device(caller.DeviceToken); device != "" {
		caller.Familiar = true
		return rateLimit(c, o.Limiter, "auth:"+device, o.Limits.Auth)
	}
	if o.KnownClients.Knows(caller.IP) {
		caller.Familiar = true
		narrowest := buckets(c, "auth", o.Limits.Auth)[0]
		return rateLimit(c, o.Limiter, narrowest.key, narrowest.limit)
	}
	if err := limitNetwork(c, o.Limiter, "auth", o.Limits.Auth); err != nil {
		return err
	}
	if r := o.Limiter.Allow(c.Request().Context(), "auth:strangers", o.Limits.UnknownClients); !r.Allowed {
		return setLimitHeaders(c, r)
	}
	return nil
}

// SessionLimiter limits how often one session is refreshed, from any address. It is not limited by address, because an
// office shares one.
type SessionLimiter struct {
	Limiter ratelimit.Limiter
	Limit   ratelimit.Limit
}

// Allow returns RATE_LIMIT_EXCEEDED if a session is refreshed too often.
func (s SessionLimiter) Allow(ctx context.Context, session string) error {
	if r := s.Limiter.Allow(ctx, "session:"+session, s.Limit); !r.Allowed {
		return fail.ErrTooMany.After(max(r.RetryAfter, time.Second))
	}
	return nil
}
