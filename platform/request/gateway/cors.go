package gateway

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

var errOrigin = fail.New(fail.Forbidden, "ORIGIN_NOT_ALLOWED", "this token is not for web pages of this origin: name it in origins where the token is made")

// preflightAge is how long a browser keeps the answer to a preflight.
const preflightAge = 10 * time.Minute

func corsMethods() []string {
	return []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
}

// corsRequestHeaders are the headers that web pages may send.
func corsRequestHeaders() []string {
	return []string{
		echo.HeaderAuthorization, echo.HeaderContentType, headerTraceID, headerRequestID, headerOperationID, headerWorkspaceID, headerUserID, headerDeviceToken,
		"If-Match", "Last-Event-ID", "Range", "If-Range", "If-None-Match", headerAPIKey, headerIdempotencyKey, "X-Parley-Thread-Id",
		"User-Agent", "X-Stainless-Arch", "X-Stainless-Lang", "X-Stainless-Os", "X-Stainless-Package-Version", "X-Stainless-Retry-Count",
		"X-Stainless-Runtime", "X-Stainless-Runtime-Version", "X-Stainless-Timeout", // which the SDKs of OpenAI and of Vercel send
	}
}

// corsAnswerHeaders are the headers that web pages may read.
func corsAnswerHeaders() []string {
	return []string{
		headerTraceID, headerRequestID, headerOperationID, headerWorkspaceID, headerUserID, "X-Operation-Replayed", "X-Parley-Thread-Id", "X-Vercel-Ai-Ui-Message-Stream", echo.HeaderLocation,
		"ETag", "Content-Disposition", "Content-Range", "Accept-Ranges",
		echo.HeaderRetryAfter, "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset",
	}
}

func allowOrigins(origins []string) (echo.MiddlewareFunc, error) {
	return middleware.CORSConfig{
		AllowOrigins: origins, AllowMethods: corsMethods(), AllowHeaders: corsRequestHeaders(), ExposeHeaders: corsAnswerHeaders(),
		MaxAge: int(preflightAge.Seconds()),
	}.ToMiddleware()
}

// answerPreflights answers preflights of calls that end users may make, for any origin: a preflight carries no token, whose origins
// are checked in the call itself. No answer allows credentials, so that nothing but the token speaks for the page.
func answerPreflights(o Options) echo.MiddlewareFunc {
	methods, headers := strings.Join(corsMethods(), ","), strings.Join(corsRequestHeaders(), ",")
	age := strconv.Itoa(int(preflightAge.Seconds()))
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			req := c.Request()
			origin, method := req.Header.Get(echo.HeaderOrigin), req.Header.Get(echo.HeaderAccessControlRequestMethod)
			if req.Method != http.MethodOptions || origin == "" || method == "" {
				return next(c)
			}
			op := o.Contract.Find(method, c.Path())
			if op == nil || !o.Permissions[op.Permission].EndUsers {
				return next(c)
			}
			h := c.Response().Header()
			for _, name := range []string{echo.HeaderOrigin, echo.HeaderAccessControlRequestMethod, echo.HeaderAccessControlRequestHeaders} {
				h.Add(echo.HeaderVary, name)
			}
			setHeaders(h, echo.HeaderAccessControlAllowOrigin, origin, echo.HeaderAccessControlAllowMethods, methods,
				echo.HeaderAccessControlAllowHeaders, headers, echo.HeaderAccessControlMaxAge, age)
			return c.NoContent(http.StatusNoContent)
		}
	}
}

// checkOrigin lets the web page read the answer whose origin the token of an end user names, and refuses all other pages. A request
// without an Origin header is none of a page.
func checkOrigin(c *echo.Context, u *callctx.EndUser) error {
	origins, h := c.Request().Header.Values(echo.HeaderOrigin), c.Response().Header()
	if len(origins) == 0 {
		return nil
	}
	if !slices.Contains(h.Values(echo.HeaderVary), echo.HeaderOrigin) {
		h.Add(echo.HeaderVary, echo.HeaderOrigin)
	}
	h.Del(echo.HeaderAccessControlAllowOrigin)
	if len(origins) > 1 || !slices.Contains(u.Origins, origins[0]) {
		return errOrigin
	}
	setHeaders(h, echo.HeaderAccessControlAllowOrigin, origins[0], echo.HeaderAccessControlExposeHeaders, strings.Join(corsAnswerHeaders(), ","))
	return nil
}
