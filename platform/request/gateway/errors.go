package gateway

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// headerShouldRetry tells clients of OpenAI's API whether to send a call again.
const headerShouldRetry = "X-Should-Retry"

// errorBody is the error format of the contract. Compatible APIs have their own.
type errorBody struct {
	Code    string         `json:"code"`
	Message string         `json:"message"`
	TraceID string         `json:"trace_id"`
	Details map[string]any `json:"details"`
}

// statusOf says which HTTP status a kind of failure is (RFC 9110).
func statusOf(k fail.Kind) int {
	switch k {
	case fail.Malformed:
		return http.StatusBadRequest
	case fail.Unauthenticated:
		return http.StatusUnauthorized
	case fail.Forbidden:
		return http.StatusForbidden
	case fail.NotFound:
		return http.StatusNotFound
	case fail.MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case fail.Conflict:
		return http.StatusConflict
	case fail.Outdated:
		return http.StatusPreconditionFailed
	case fail.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fail.OutOfRange:
		return http.StatusRequestedRangeNotSatisfiable
	case fail.Unsupported:
		return http.StatusUnsupportedMediaType
	case fail.Invalid:
		return http.StatusUnprocessableEntity
	case fail.TooMany:
		return http.StatusTooManyRequests
	case fail.NotImplemented:
		return http.StatusNotImplemented
	case fail.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// errorHandler is where every error becomes HTTP, and where what is our fault is logged, once.
func errorHandler(log *slog.Logger) echo.HTTPErrorHandler {
	return func(c *echo.Context, err error) {
		if r, unwrapErr := echo.UnwrapResponse(c.Response()); unwrapErr == nil && r.Committed {
			if !errors.Is(err, errHeadDone) {
				log.WarnContext(c.Request().Context(), "failed after the answer had begun", "error", err)
			}
			return
		}
		e := translate(err)
		if callctx.From(c.Request().Context()).Principal.EndUser != nil {
			e = e.ForEndUser()
		}
		status := statusOf(e.Kind)
		switch {
		case status >= http.StatusInternalServerError && e.Tenant: // an error would alert the operator
			log.WarnContext(c.Request().Context(), "request failed", "code", e.Code, "error", err)
		case status >= http.StatusInternalServerError:
			log.ErrorContext(c.Request().Context(), "request failed", "code", e.Code, "error", err)
		}
		h := c.Response().Header()
		h.Del(echo.HeaderContentLength)
		if e.RetryAfter > 0 {
			h.Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
		}
		if status == http.StatusUnauthorized {
			h.Set(echo.HeaderWWWAuthenticate, `Bearer realm="parley"`)
		}
		if status == http.StatusMethodNotAllowed {
			allowHead(h)
		}
		trace := callctx.From(c.Request().Context()).TraceID
		var body any = errorBody{Code: e.Code, Message: e.Message, TraceID: trace, Details: e.Details}
		if isOpenAI(c.Request().URL.Path) {
			status, body = openAIStatus(status), ofOperation(OpenAIErrorOf(e, trace), e, callctx.From(c.Request().Context()).Operation.Header)
			if status == http.StatusConflict && e.RetryAfter == 0 { // clients send every 409 again unless they are stopped
				h.Set(headerShouldRetry, "false")
			}
		}
		if err := c.JSON(status, body); err != nil {
			log.WarnContext(c.Request().Context(), "the error answer could not be sent", "error", err)
		}
	}
}

// translate converts the framework's own errors to errors with the codes of the contract. It returns errors of the
// program unchanged.
func translate(err error) *fail.Error {
	var ours *fail.Error
	var framework interface{ StatusCode() int }
	if errors.As(err, &ours) || !errors.As(err, &framework) {
		return fail.From(err)
	}
	switch framework.StatusCode() {
	case http.StatusNotFound:
		return fail.New(fail.NotFound, "NOT_FOUND", "there is nothing at this path: see /docs")
	case http.StatusMethodNotAllowed:
		return fail.New(fail.MethodNotAllowed, "METHOD_NOT_ALLOWED", "this path does not take that method: see the Allow header")
	case http.StatusRequestEntityTooLarge:
		return errTooLarge
	case http.StatusUnsupportedMediaType:
		return errMediaType
	case http.StatusBadRequest:
		// JSON Schema takes 1.0 for a whole number, as what we decode into does not.
		if number, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && number.Field != "" {
			return fail.From(fail.Fields(fail.Field{
				Field: number.Field, Code: "WRONG_TYPE", Message: "must be a whole number, without a point or an exponent",
			}))
		}
		if name := repeatedHeader(err); name != "" {
			return fail.New(fail.Malformed, "BAD_REQUEST", "the header "+name+" must be sent once").Because(err)
		}
		return fail.New(fail.Malformed, "BAD_REQUEST", "the request was not understood").Because(err)
	default:
		return fail.ErrInternal.Because(err)
	}
}

// repeatedHeader returns the header of the document that was sent more than once, as the generated servers say it; "" for all
// other errors.
func repeatedHeader(err error) string {
	e, ok := errors.AsType[*echo.HTTPError](err)
	if !ok {
		return ""
	}
	rest, ok := strings.CutPrefix(e.Message, "Expected one value for ")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, ",")
	return name
}
