package rest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/require"
)

func TestAStreamIsWantedWhereAcceptSaysSo(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "application/json": false, "text/event-streams": false,
		"text/event-stream": true, "Text/Event-Stream": true, "application/json, text/event-stream": true, "text/event-stream;q=0.1": true,
		"text/event-stream; q=0": false, "text/event-stream;q=0.0": false, "text/event-stream;q=0.000": false, "text/event-stream;q=high": true,
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		req.Header.Set("Accept", accept)
		c := echo.New().NewContext(req, httptest.NewRecorder())
		var got bool
		_, err := negotiate(func(c *echo.Context, _ any) (any, error) {
			got = wantsStream(c.Request().Context())
			return nil, nil //nolint:nilnil // nothing is answered here
		}, "")(c, nil)
		require.NoError(t, err)
		require.Equal(t, want, got, "%q", accept)
	}
}
