package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/require"
)

func TestHeadIsAnsweredAsGetWithoutABody(t *testing.T) {
	t.Parallel()
	e := engine(t, nil)
	written := make(chan int, 1)
	e.GET("/stream", func(c *echo.Context) error {
		n := 0
		defer func() { written <- n }()
		c.Response().Header().Set("Content-Type", "text/event-stream")
		for ; n < 1000; n++ {
			if _, err := io.WriteString(c.Response(), "data: x\n\n"); err != nil {
				return err
			}
			if err := http.NewResponseController(c.Response()).Flush(); err != nil {
				return err
			}
		}
		return nil
	})
	e.GET("/large", func(c *echo.Context) error {
		n := 0
		defer func() { written <- n }()
		for ; n < 1000; n++ {
			if _, err := io.WriteString(c.Response(), strings.Repeat("x", 32<<10)); err != nil {
				return err
			}
		}
		return nil
	})
	e.POST("/change", func(*echo.Context) error { return nil })
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	call := func(method, path string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		require.NoError(t, err)
		res, err := server.Client().Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		if method == http.MethodHead {
			require.Empty(t, body, path)
		}
		return res
	}
	for _, path := range []string{"/healthz", "/readyz", "/nothing"} {
		get, head := call(http.MethodGet, path), call(http.MethodHead, path)
		require.Equal(t, get.StatusCode, head.StatusCode, path)
		for _, name := range []string{"Content-Type", "Content-Length"} {
			require.NotEmpty(t, head.Header.Get(name), path)
			require.Equal(t, get.Header.Get(name), head.Header.Get(name), path)
		}
	}
	require.Equal(t, http.StatusOK, call(http.MethodHead, "/stream").StatusCode)
	require.Equal(t, 1, <-written, "a stream goes on after its headers")
	require.Equal(t, http.StatusOK, call(http.MethodHead, "/large").StatusCode)
	require.Less(t, <-written, 5, "a large body is written for nobody")
	refused := call(http.MethodHead, "/change")
	require.Equal(t, http.StatusMethodNotAllowed, refused.StatusCode)
	require.NotContains(t, refused.Header.Get("Allow"), "HEAD")
	require.Contains(t, call(http.MethodDelete, "/healthz").Header.Get("Allow"), "HEAD")
}

func TestTheTraceIDIsTheFirstValidOneThatAClientNames(t *testing.T) {
	t.Parallel()
	e := engine(t, nil)
	for name, test := range map[string]struct{ trace, request, want string }{
		"X-Request-Id alone":       {"", "req-1", "req-1"},
		"both":                     {"trace-1", "req-1", "trace-1"},
		"an invalid trace id":      {"a b", "req-1", "req-1"},
		"an invalid X-Request-Id":  {"", "a b", ""},
		"X-Request-Id is too long": {"", strings.Repeat("x", 129), ""},
	} {
		req := httptest.NewRequest(http.MethodGet, "/healthz", nil)
		req.Header.Set(headerTraceID, test.trace)
		req.Header.Set(headerRequestID, test.request)
		rec := httptest.NewRecorder()
		e.ServeHTTP(rec, req)
		got := rec.Header().Get(headerTraceID)
		if test.want == "" {
			require.Regexp(t, `^[0-9a-f]{32}$`, got, name)
			continue
		}
		require.Equal(t, test.want, got, name)
	}
}

// tracer is a Tracer to which every request has the same traceparent.
type tracer string

func (p tracer) Extract(ctx context.Context, _ http.Header) (with context.Context, traceID string) {
	return ctx, string(p)
}

func (tracer) Start(ctx context.Context, _ string, _ map[string]string) (with context.Context, end func(error)) {
	return ctx, func(error) {}
}

func TestTheRequestIDOfAProxyDoesNotReplaceTheTraceOfAClient(t *testing.T) {
	t.Parallel()
	const parent = "4bf92f3577b34da6a3ce929d0e0e4736"
	e := engine(t, func(o *Options) { o.Trace = tracer(parent) })
	for sent, want := range map[string]string{"": parent, "a b": parent, "trace-1": "trace-1"} {
		req := httptest.NewRequest(http.MethodGet, "/healthz", nil)
		req.Header.Set(headerTraceID, sent)
		req.Header.Set(headerRequestID, "req-1")
		rec := httptest.NewRecorder()
		e.ServeHTTP(rec, req)
		require.Equal(t, want, rec.Header().Get(headerTraceID), sent)
	}
}
