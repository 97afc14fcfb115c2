package widget_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/entrypoints/widget"
)

func TestTheScriptIsSmallAndCached(t *testing.T) {
	t.Parallel()
	e := echo.New()
	widget.Mount(e)
	get := func(header, value string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/widget.js", nil)
		r.Header.Set(header, value)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w
	}
	plain := get("Accept", "*/*")
	require.Equal(t, http.StatusOK, plain.Code)
	require.Equal(t, "text/javascript; charset=utf-8", plain.Header().Get("Content-Type"))
	require.Equal(t, "cross-origin", plain.Header().Get("Cross-Origin-Resource-Policy"), "pages of other origins load it")
	require.Less(t, plain.Body.Len(), 30_000, "bytes of the whole widget")
	packed := get("Accept-Encoding", "gzip")
	require.Equal(t, "gzip", packed.Header().Get("Content-Encoding"))
	require.Less(t, packed.Body.Len(), 12_000, "bytes over the wire")
	require.Equal(t, http.StatusNotModified, get("If-None-Match", plain.Header().Get("ETag")).Code)
}
