package gateway

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAServerThatStartsLivesAndIsNotReady(t *testing.T) {
	t.Parallel()
	s := &Starting{}
	ask := func(path string) (*httptest.ResponseRecorder, map[string]any) {
		t.Helper()
		w, body := httptest.NewRecorder(), map[string]any{}
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
		return w, body
	}
	w, body := ask("/healthz")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, map[string]any{"status": "ok"}, body)
	w, body = ask("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, map[string]any{"status": "migrating", "checks": map[string]any{}}, body)
	w, body = ask("/v1/bots")
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, "DOWNSTREAM_UNAVAILABLE", body["code"])
	require.Equal(t, w.Header().Get(headerTraceID), body["trace_id"])
	require.NotEmpty(t, w.Header().Get("Retry-After"))
	s.Ready(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"status":"ready"}`)) }))
	_, body = ask("/readyz")
	require.Equal(t, map[string]any{"status": "ready"}, body)
}
