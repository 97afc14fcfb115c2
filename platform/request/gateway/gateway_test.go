package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/contract"
	"github.com/parley/parley/platform/request/fail"
)

func engine(t *testing.T, change func(*Options)) *echo.Echo {
	t.Helper()
	c, err := contract.Load([]byte(`{"openapi":"3.1.0","paths":{}}`))
	require.NoError(t, err)
	o := Options{Contract: c, BodyLimit: 1 << 20, Deadline: time.Minute, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	e, err := New(o)
	require.NoError(t, err)
	return e
}

func TestOnlyATrustedProxyIsBelievedWhoTheClientIs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		trusted []string
		remote  string
		forward []string
		want    string
	}{
		"nobody is trusted":           {nil, "10.0.0.1:1", []string{"203.0.113.9"}, "10.0.0.1"},
		"nobody, not even loopback":   {nil, "127.0.0.1:1", []string{"203.0.113.9"}, "127.0.0.1"},
		"loopback is not named":       {[]string{"10.0.0.0/8"}, "127.0.0.1:1", []string{"203.0.113.9"}, "127.0.0.1"},
		"private net is not named":    {[]string{"10.0.0.0/8"}, "192.168.0.1:1", []string{"203.0.113.9"}, "192.168.0.1"},
		"through the proxy":           {[]string{"10.0.0.0/8"}, "10.0.0.1:1", []string{"203.0.113.9"}, "203.0.113.9"},
		"a client that pretends":      {[]string{"10.0.0.0/8"}, "10.0.0.1:1", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9"},
		"pretends in another header":  {[]string{"10.0.0.0/8"}, "10.0.0.1:1", []string{"1.1.1.1", "203.0.113.9"}, "203.0.113.9"},
		"pretends to be the proxy":    {[]string{"10.0.0.0/8"}, "10.0.0.1:1", []string{"10.0.0.9, 203.0.113.9"}, "203.0.113.9"},
		"two proxies":                 {[]string{"10.0.0.0/8", "192.168.0.1/32"}, "10.0.0.1:1", []string{"203.0.113.9, 192.168.0.1"}, "203.0.113.9"},
		"from outside past the proxy": {[]string{"10.0.0.0/8"}, "203.0.113.9:1", []string{"1.1.1.1"}, "203.0.113.9"},
		"no header":                   {[]string{"10.0.0.0/8"}, "10.0.0.1:1", nil, "10.0.0.1"},
		"IPv6":                        {nil, "[2001:db8::1]:1", []string{"203.0.113.9"}, "2001:db8::1"},
		"IPv6 proxy, IPv6 client":     {[]string{"2001:db8::/32"}, "[2001:db8::1]:1", []string{"2001:db9::7"}, "2001:db9::7"},
		"IPv6 neighbor of the proxy":  {[]string{"2001:db8::1/128"}, "[2001:db8::2]:1", []string{"2001:db9::7"}, "2001:db8::2"},
		"IPv4 mapped into IPv6":       {[]string{"10.0.0.0/8"}, "[::ffff:10.0.0.1]:1", []string{"203.0.113.9"}, "203.0.113.9"},
		"a mapped client":             {nil, "[::ffff:203.0.113.9]:1", nil, "203.0.113.9"},
		"network with host bits":      {[]string{"10.1.2.3/8"}, "10.0.0.1:1", []string{"203.0.113.9"}, "203.0.113.9"},
		"X-Real-Ip is not read":       {[]string{"10.0.0.0/8"}, "10.0.0.1:1", nil, "10.0.0.1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got netip.Addr
			e := engine(t, func(o *Options) {
				for _, p := range test.trusted {
					o.TrustedProxies = append(o.TrustedProxies, netip.MustParsePrefix(p))
				}
			})
			e.GET("/x", func(c *echo.Context) error { got = callctx.From(c.Request().Context()).IP; return nil })
			r := httptest.NewRequest(http.MethodGet, "/x", nil)
			r.RemoteAddr = test.remote
			r.Header.Set("X-Real-Ip", "6.6.6.6")
			r.Header["X-Forwarded-For"] = test.forward
			e.ServeHTTP(httptest.NewRecorder(), r)
			require.Equal(t, test.want, got.String())
		})
	}
}

func TestEveryFailureHasTheOneFormatAndHidesItsCause(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err    error
		status int
		code   string
	}{
		"malformed":        {fail.New(fail.Malformed, "BAD_REQUEST", "m"), 400, "BAD_REQUEST"},
		"unauthenticated":  {fail.ErrUnauthorized, 401, "UNAUTHORIZED"},
		"forbidden":        {fail.ErrForbidden, 403, "FORBIDDEN"},
		"not found":        {fail.New(fail.NotFound, "BOT_NOT_FOUND", "m"), 404, "BOT_NOT_FOUND"},
		"method":           {fail.New(fail.MethodNotAllowed, "METHOD_NOT_ALLOWED", "m"), 405, "METHOD_NOT_ALLOWED"},
		"conflict":         {fail.New(fail.Conflict, "CONFLICT", "m"), 409, "CONFLICT"},
		"too large":        {errTooLarge, 413, "PAYLOAD_TOO_LARGE"},
		"unsupported":      {errMediaType, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"invalid":          {fail.Fields(fail.Field{Field: "a"}), 422, "VALIDATION_ERROR"},
		"too many":         {fail.New(fail.TooMany, "RATE_LIMIT_EXCEEDED", "m").After(1500 * time.Millisecond), 429, "RATE_LIMIT_EXCEEDED"},
		"not implemented":  {fail.New(fail.NotImplemented, "NOT_IMPLEMENTED", "m"), 501, "NOT_IMPLEMENTED"},
		"unavailable":      {fmt.Errorf("x: %w", fail.ErrUnavailable.Because(errors.New("hunter2"))), 503, "DOWNSTREAM_UNAVAILABLE"},
		"unknown":          {errors.New("hunter2"), 500, "INTERNAL_ERROR"},
		"of the framework": {echo.NewHTTPError(http.StatusBadRequest, "hunter2"), 400, "BAD_REQUEST"},
		"teapot":           {echo.NewHTTPError(http.StatusTeapot, "hunter2"), 500, "INTERNAL_ERROR"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := engine(t, nil)
			e.GET("/x", func(*echo.Context) error { return test.err })
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, "/x", nil)
			r.Header.Set(headerTraceID, "trace-1")
			e.ServeHTTP(w, r)
			require.Equal(t, test.status, w.Code)
			require.NotContains(t, w.Body.String(), "hunter2")
			var body map[string]any
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
			require.Equal(t, []any{test.code, "trace-1"}, []any{body["code"], body["trace_id"]})
			require.Contains(t, body, "details")
			require.Equal(t, test.status == 401, w.Header().Get("WWW-Authenticate") != "")
			if name == "too many" {
				require.Equal(t, "2", w.Header().Get("Retry-After"), "whole seconds, rounded up")
			}
		})
	}
}

func TestAPanicIsAnAnswerAndNotTheEnd(t *testing.T) {
	t.Parallel()
	e := engine(t, nil)
	e.GET("/x", func(*echo.Context) error { panic("hunter2") })
	e.GET("/abort", func(*echo.Context) error { panic(http.ErrAbortHandler) })
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/x", nil))
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.NotContains(t, w.Body.String(), "hunter2")
	require.NotEmpty(t, w.Header().Get(headerTraceID))
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/abort", nil))
	}, "net/http wants to see this one")
}

func TestAnAnswerThatHasBegunIsNotMixedWithAnError(t *testing.T) {
	t.Parallel()
	e := engine(t, nil)
	e.GET("/x", func(c *echo.Context) error {
		_, _ = io.WriteString(c.Response(), "half")
		return errors.New("late")
	})
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/x", nil))
	require.Equal(t, []any{http.StatusOK, "half"}, []any{w.Code, w.Body.String()})
}

func TestARequestHasADeadline(t *testing.T) {
	t.Parallel()
	e := engine(t, func(o *Options) { o.Deadline = time.Millisecond })
	e.GET("/x", func(c *echo.Context) error {
		<-c.Request().Context().Done()
		return fail.ErrUnavailable.Because(c.Request().Context().Err())
	})
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/x", nil))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
}

// The read limit of net/http ends the context of a call that still works, the write limit cuts its answer off: both are
// beyond what the settings let a call take.
func TestTheServerLetsACallTakeTheTimeThatItIsGiven(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	for _, test := range [][2]time.Duration{{10 * time.Minute, time.Second}, {time.Second, 10 * time.Minute}} {
		s := NewServer(http.NotFoundHandler(), test[0], test[1], log)
		require.Greater(t, s.ReadTimeout, test[0])
		require.Greater(t, s.WriteTimeout, 10*time.Minute)
	}
	s := NewServer(http.NotFoundHandler(), time.Second, time.Second, log)
	require.Equal(t, []time.Duration{30 * time.Second, 2 * time.Minute}, []time.Duration{s.ReadTimeout, s.WriteTimeout})
}

func TestReadinessTellsWhatIsMissingAndNoMore(t *testing.T) {
	t.Parallel()
	down := func(context.Context) error { return errors.New("dial db.internal") }
	up := func(context.Context) error { return nil }
	for name, test := range map[string]struct {
		checks []Check
		status int
	}{
		"all up":        {[]Check{{Name: "a", Probe: up}}, 200},
		"one down":      {[]Check{{Name: "a", Probe: up}, {Name: "b", Probe: down}}, 503},
		"optional down": {[]Check{{Name: "a", Probe: up}, {Name: "b", Probe: down, Optional: true}}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			engine(t, func(o *Options) { o.Checks = test.checks }).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
			require.Equal(t, test.status, w.Code)
			require.NotContains(t, w.Body.String(), "internal")
			var body struct {
				Checks map[string]struct {
					OK     bool
					Status string
				}
			}
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
			require.Len(t, body.Checks, len(test.checks))
			for name, check := range body.Checks {
				require.Equal(t, name == "a", check.OK, name)
				require.Equal(t, check.OK, check.Status == "ok", name)
			}
		})
	}
}

func TestACallThatNoPermissionIsKnownForKeepsTheProgramFromStarting(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ call, wrong string }{
		"none stated": {`{"operationId": "listThings"}`, "GET /v1/things (listThings)"},
		"unknown":     {`{"operationId": "listThings", "x-permission": "things.raed"}`, `GET /v1/things (listThings): x-permission "things.raed"`},
		"known":       {`{"operationId": "listThings", "x-permission": "things.read"}`, ""},
		"oneself":     {`{"operationId": "listThings", "x-permission": "none"}`, ""},
		"public":      {`{"operationId": "listThings", "security": []}`, ""},
	} {
		c, err := contract.Load([]byte(`{"openapi": "3.1.0", "security": [{"accessToken": []}], "paths": {"/v1/things": {"get": ` + test.call + `}}}`))
		require.NoError(t, err, name)
		_, err = New(Options{
			Contract: c, Permissions: map[string]Permission{"things.read": {}}, BodyLimit: 1 << 20, Deadline: time.Minute, Log: slog.New(slog.DiscardHandler),
		})
		if test.wrong == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, test.wrong, name)
	}
}
