package gateway

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/contract"
)

var oneUUID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// FuzzOperationID holds that one id has one spelling (but for case), and that each call has exactly one.
func FuzzOperationID(f *testing.F) {
	for _, seed := range []string{
		"", " ", "0190b3a4-0000-7000-8000-000000000001", "0190B3A4-0000-7000-8000-00000000000F", "{0190b3a4-0000-7000-8000-000000000001}",
		"urn:uuid:0190b3a4-0000-7000-8000-000000000001", "0190b3a4000070008000000000000001", "00000000-0000-0000-0000-000000000000",
		"ffffffff-ffff-ffff-ffff-ffffffffffff", "0190b3a4-0000-7000-8000-000000000001 ", "0190b3a4-0000-7000-8000-00000000000g", "0190b3a4_0000_7000_8000_000000000001",
		"0190b3a4-0000-7000-8000-000000000001,0190b3a4-0000-7000-8000-000000000001", "\x00", "é190b3a4-0000-7000-8000-00000000001",
	} {
		f.Add(seed, 1)
		f.Add(seed, 2)
	}
	f.Add("x", 0)
	f.Fuzz(func(t *testing.T, text string, headers int) {
		headers = (headers%3 + 3) % 3
		var c *echo.Context
		var refused error
		e := echo.New()
		e.Use(beginCall(Options{Contract: &contract.Contract{}, Deadline: time.Minute}))
		e.POST("/", func(ctx *echo.Context) error {
			c = ctx
			_, refused = operationID(ctx.Request().Header)
			return nil
		})
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		for range headers {
			req.Header[headerOperationID] = append(req.Header[headerOperationID], text)
		}
		rec := httptest.NewRecorder()
		e.ServeHTTP(rec, req)
		require.NotNil(t, c)
		id := callctx.From(c.Request().Context()).Operation.ID
		require.NotEqual(t, uuid.Nil, id)
		require.Equal(t, id.String(), rec.Header().Get(headerOperationID), "every answer carries one")
		if headers == 0 || headers == 1 && oneUUID.MatchString(text) && text != uuid.Nil.String() {
			require.NoError(t, refused)
			if headers == 1 {
				require.True(t, strings.EqualFold(text, id.String()), "another id than the client's")
			}
			return
		}
		require.ErrorIs(t, refused, errOperationID, "%q", text)
	})
}
