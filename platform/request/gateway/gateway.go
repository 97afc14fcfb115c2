// Package gateway is the HTTP entry point: an Echo middleware chain that every request passes, the one error format,
// and the health and documentation pages. The conditions for admitting a request are checked only here.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/access"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/contract"
	"github.com/parley/parley/platform/request/docs"
	"github.com/parley/parley/platform/request/ratelimit"
)

// Authenticator verifies access tokens. It returns fail.ErrUnauthorized for an invalid one. It does not check whether
// the session is still valid and its user is a member: the database checks that at the start of every transaction.
//
// With fail.ErrUnauthorized for a token of an end user that has expired it returns a principal with the EndUser of the token, whose web
// page may then read the error.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (callctx.Principal, error)
}

// Options configure a gateway.
type Options struct {
	Contract        *contract.Contract
	Docs            *docs.Site // the pages at /docs
	Authenticator   Authenticator
	Permissions     map[string]Permission // by the names that the document has in x-permission
	FingerprintKeys secret.Keys           // for the fingerprints of operations
	AllowOrigins    []string
	TrustedProxies  []netip.Prefix // whose X-Forwarded-For is believed
	BodyLimit       int64          // bytes
	UploadLimit     int64          // bytes of a file
	Deadline        time.Duration  // for one request
	// TransferDeadline is the deadline of a request that transfers a file.
	TransferDeadline time.Duration
	Checks           []Check
	Outside          []Outside
	Limiter          ratelimit.Limiter
	KnownClients     KnownClients
	Limits           Limits
	// CountRequest counts a request of the caller in the context, after its rate limits; fail.ErrTooMany where the caller may make no more.
	// nil: it is not called.
	CountRequest func(ctx context.Context) error
	// Refused receives each change that was forbidden. The principal's workspace is the one of its token.
	Refused func(ctx context.Context, p callctx.Principal, what string, why error)
	// Access ends long responses when the right of the caller ends.
	Access *access.Watcher
	// Trace reads the traceparent of a request and creates its span; nil: no spans are created.
	Trace Tracer
	// Observed receives each request that was answered; nil: it is not called. route is the route of the router, empty
	// if none matched. outside is the part of took during which the request waited for other systems.
	Observed func(ctx context.Context, method, route string, status int, took, outside time.Duration)
	Log      *slog.Logger
	// LogAddress says how much of the address of a caller is logged. LogSample makes the log contain only one of that
	// many successful calls.
	LogAddress LogAddress
	LogSample  int
}

// Tracer creates spans; telemetry.Tracing is one.
type Tracer interface {
	// Extract puts the parent span that the client named into the context, and returns its trace id, "" if there is
	// none.
	Extract(ctx context.Context, h http.Header) (with context.Context, traceID string)
	// Start begins a span of the call in the context.
	Start(ctx context.Context, name string, attributes map[string]string) (with context.Context, end func(err error))
}

// Limits are the rate limits of callers.
type Limits struct {
	General ratelimit.Limit // a user over all workspaces, all keys of a workspace together, and an address that is not signed in
	Auth    ratelimit.Limit // an address that registers or logs in
	// UnknownClients applies to everybody together who registers or logs in from networks and devices from which nobody has
	// logged in before.
	UnknownClients ratelimit.Limit
	// Workspace applies to all users and API keys of a workspace together; a Max of 0: no limit.
	Workspace ratelimit.Limit
}

// Permission says who may make the calls that require it.
type Permission struct {
	Roles    []string     // of members and keys
	Keys     callctx.Keys // which API keys
	EndUsers bool         // whether end users may
}

// noPermission is the permission of calls about the caller itself.
const noPermission = "none"

// checkPermissions wants to know of every call that needs a token who may make it, before any is served.
func checkPermissions(o Options) error {
	var unknown []error
	for name, op := range o.Contract.Each() {
		if _, known := o.Permissions[op.Permission]; !op.Public && !known && op.Permission != noPermission {
			unknown = append(unknown, fmt.Errorf("%s (%s): x-permission %q is none of the permissions that there are", name, op.ID, op.Permission))
		}
	}
	return errors.Join(unknown...)
}

// New returns an Echo with the whole middleware chain, the health pages and the documentation. The modules add their
// routes.
func New(o Options) (*echo.Echo, error) {
	if err := checkPermissions(o); err != nil {
		return nil, err
	}
	e := echo.New()
	e.Logger = o.Log
	e.HTTPErrorHandler = errorHandler(o.Log)
	e.IPExtractor = addressOf(o.TrustedProxies)
	e.Pre(middleware.RemoveTrailingSlash(), headAsGet)
	e.Use(
		beginCall(o),
		accessLog(o),
		recoverPanic,
		securityHeaders,
	)
	e.Use(answerPreflights(o))
	if len(o.AllowOrigins) > 0 {
		cors, err := allowOrigins(o.AllowOrigins)
		if err != nil {
			return nil, err
		}
		e.Use(cors)
	}
	e.Use(auditForbidden(o), limitAnonymous(o), prepareCall(o))
	addHealth(e, o.Checks, o.Outside)
	addDocs(e, o.Docs)
	return e, nil
}

// answerSlack is what a call may take beyond its own time: to wait for its turn, and to keep and send what came of it.
const answerSlack = 30 * time.Second

// NewServer returns an HTTP server whose timeouts close the connections of slow clients but leave calls the time that
// they are allowed. deadline is the deadline of the context of a request, which net/http ends when the read timeout has
// passed. longest is the maximum duration of a call that may continue beyond deadline.
func NewServer(handler http.Handler, deadline, longest time.Duration, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       max(30*time.Second, deadline+time.Second),
		WriteTimeout:      max(2*time.Minute, max(deadline, longest)+answerSlack),
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

func addressOf(trusted []netip.Prefix) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range trusted {
		options = append(options, echo.TrustIPRange(ipNet(p)))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}
