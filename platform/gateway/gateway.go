// Package gateway is the one entrance: an Echo middleware chain that every request passes, the one error format, and
// the health and documentation pages. What a request must have to get in is decided here and nowhere else.
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

	"github.com/parley/parley/platform/access"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/contract"
	"github.com/parley/parley/platform/docs"
	"github.com/parley/parley/platform/ratelimit"
	"github.com/parley/parley/platform/secret"
)

// Authenticator finds out whose access token it is. It answers fail.ErrUnauthorized for a bad one. Whether the session
// still lives and its user is a member, the database says at the start of every transaction.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (call.Principal, error)
}

// Options make a gateway.
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
	// TransferDeadline is that of a request which moves a file.
	TransferDeadline time.Duration
	Checks           []Check
	Outside          []Outside
	Limiter          ratelimit.Limiter
	Visitors         Visitors
	Limits           Limits
	// Refused receives each change that was forbidden. The principal's workspace is the one of its token.
	Refused func(ctx context.Context, p call.Principal, what string, why error)
	// Access ends long answers when the caller's right to them ends.
	Access *access.Watcher
	// Trace is asked for the traceparent of a request and for a span of it; nil: nobody is.
	Trace Tracer
	// Observed receives each request that was answered; nil: nobody does. The route is that of the router, empty for none;
	// outside is the part of took that the request waited for other systems.
	Observed func(ctx context.Context, method, route string, status int, took, outside time.Duration)
	Log      *slog.Logger
	// LogAddress is what the log says of where a call came from; LogSample makes it leave out all but one of so many calls that
	// went well.
	LogAddress LogAddress
	LogSample  int
}

// Tracer makes spans; that of telemetry is one.
type Tracer interface {
	// Extract puts the parent span that a client has named into the context, and gives its trace id, "" for none.
	Extract(ctx context.Context, h http.Header) (with context.Context, traceID string)
	// Start begins a span of the call in the context.
	Start(ctx context.Context, name string, attributes map[string]string) (with context.Context, end func(err error))
}

// Limits are how much callers may do.
type Limits struct {
	General ratelimit.Limit // a user over all workspaces, all keys of a workspace together, and an address that is not signed in
	Auth    ratelimit.Limit // an address that registers or logs in
	// Strangers is for all who register or log in from networks and devices that nobody has logged in from before.
	Strangers ratelimit.Limit
	// Workspace is for all who are signed in to a workspace together, its API keys too; a Max of 0: none.
	Workspace ratelimit.Limit
}

// Permission says who may make the calls that need it.
type Permission struct {
	Roles []string  // of members and keys
	Keys  call.Keys // which API keys
}

// NoPermission is what calls about oneself need.
const NoPermission = "none"

// checkPermissions wants to know of every call that needs a token who may make it, before any is served.
func checkPermissions(o Options) error {
	var unknown []error
	for name, op := range o.Contract.Each() {
		if _, known := o.Permissions[op.Permission]; !op.Public && !known && op.Permission != NoPermission {
			unknown = append(unknown, fmt.Errorf("%s (%s): x-permission %q is none of the permissions that there are", name, op.ID, op.Permission))
		}
	}
	return errors.Join(unknown...)
}

// New makes an Echo with the whole chain, the health pages and the documentation on it. The modules add their routes.
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
	if len(o.AllowOrigins) > 0 {
		cors, err := allowOrigins(o.AllowOrigins)
		if err != nil {
			return nil, err
		}
		e.Use(cors)
	}
	e.Use(refusals(o), strangers(o), admit(o))
	addHealth(e, o.Checks, o.Outside)
	addDocs(e, o.Docs)
	return e, nil
}

// answerSlack is what a call may take beyond its own time: to wait for its turn, and to keep and send what came of it.
const answerSlack = 30 * time.Second

// NewServer makes an HTTP server that gives slow clients no hold on us, and calls the time that they are given: deadline
// is that of a request's context, which net/http ends when the time for reading is over; longest is what a call may take
// that goes on beyond it.
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

func allowOrigins(origins []string) (echo.MiddlewareFunc, error) {
	return middleware.CORSConfig{
		AllowOrigins: origins,
		AllowMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowHeaders: []string{
			echo.HeaderAuthorization, echo.HeaderContentType, HeaderTraceID, HeaderRequestID, HeaderOperationID, HeaderWorkspaceID, HeaderUserID, HeaderDeviceToken,
			"If-Match", "Last-Event-ID", "Range", "If-Range", "If-None-Match",
		},
		ExposeHeaders: []string{
			HeaderTraceID, HeaderOperationID, HeaderWorkspaceID, HeaderUserID, "X-Operation-Replayed", echo.HeaderLocation,
			"ETag", "Content-Disposition", "Content-Range", "Accept-Ranges",
			echo.HeaderRetryAfter, "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset",
		},
		MaxAge: int((10 * time.Minute).Seconds()),
	}.ToMiddleware()
}
