package gateway

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/require"
)

func TestAnAddressIsLoggedAsFarAsIsWanted(t *testing.T) {
	t.Parallel()
	v4, v6 := netip.MustParseAddr("203.0.113.77"), netip.MustParseAddr("2001:db8:1:2::3")
	require.Equal(t, []string{"203.0.113.77", "2001:db8:1:2::3"}, []string{fullAddress.of(v4), fullAddress.of(v6)})
	require.Equal(t, []string{"203.0.113.0/24", "2001:db8:1::/48"}, []string{networkAddress.of(v4), networkAddress.of(v6)})
	require.Equal(t, []string{"", "", ""}, []string{noAddress.of(v4), noAddress.of(v6), fullAddress.of(netip.Addr{})})
}

func TestOfCallsThatWentWellASampleIsLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	e := engine(t, func(o *Options) {
		o.Log, o.LogSample, o.LogAddress = slog.New(slog.NewJSONHandler(&out, nil)), 50, networkAddress
	})
	e.GET("/fine", func(c *echo.Context) error { return c.NoContent(http.StatusNoContent) })
	const calls = 2000
	for _, path := range []string{"/fine", "/nowhere"} {
		for range calls {
			req := httptest.NewRequest(http.MethodGet, path, nil)
			req.RemoteAddr = "203.0.113.77:1234"
			e.ServeHTTP(httptest.NewRecorder(), req)
		}
	}
	fine, failed := 0, 0
	for line := range strings.Lines(out.String()) {
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &entry))
		if entry["msg"] != "request" {
			continue
		}
		require.Equal(t, "203.0.113.0/24", entry["address"])
		if entry["route"] == "/fine" {
			fine++
			require.InEpsilon(t, 50.0, entry["sample"], 0)
			continue
		}
		failed++
		require.NotContains(t, entry, "sample")
	}
	require.Equal(t, calls, failed, "what fails is always logged")
	require.Positive(t, fine)
	require.Less(t, fine, calls/10)
}
