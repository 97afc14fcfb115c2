package gateway

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/contract"
)

func TestBytesInFlightAreBoundedForEachCallerAndForAll(t *testing.T) {
	t.Parallel()
	f := newInFlight(1 << 20)
	require.EqualValues(t, 4<<20, f.max)
	ada, eve := caller{id: uuid.New()}, caller{address: netip.MustParseAddr("192.0.2.1")}
	require.True(t, f.reserve(ada, 10*f.max), "one body may be as large as it is")
	require.False(t, f.reserve(ada, 1))
	require.True(t, f.full(ada))
	require.True(t, f.reserve(eve, f.max))
	require.True(t, f.full(eve))
	f.release(ada, 10*f.max)
	require.False(t, f.full(ada))
	f.release(eve, f.max)

	require.True(t, f.reserve(ada, f.max-1))
	require.False(t, f.reserve(ada, 2))
	require.True(t, f.full(ada), "what was refused would be refused again")
	f.release(ada, 1)
	require.False(t, f.full(ada), "until some of it is gone")
	require.True(t, f.reserve(ada, 2))
	f.release(ada, f.max)

	many := make([]caller, fullCallers)
	for i := range many {
		many[i] = caller{id: uuid.New()}
		require.True(t, f.reserve(many[i], f.max-1))
	}
	require.True(t, f.reserve(ada, fullCallers), "one who has none may have a body, whatever others have")
	require.False(t, f.reserve(ada, 1))
	f.hold(ada, 1)
	f.release(ada, fullCallers+1)
	for _, who := range many {
		f.release(who, f.max-1)
	}
	require.Zero(t, f.all)
	require.Empty(t, f.held)
}

// counted has a call served as admit does.
func counted(t *testing.T, f *inFlight, method, body string, serve func(c *echo.Context) error) *httptest.ResponseRecorder {
	t.Helper()
	e := engine(t, nil)
	op := &contract.Operation{Body: &contract.Body{}}
	e.Add(method, "/x", func(c *echo.Context) error {
		return countBytes(c, op, f, func() error { return serve(c) })
	})
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(method, "/x", strings.NewReader(body)))
	return w
}

func TestAnAnswerThatWouldBeTooMuchIsRefusedWithNothingOfIt(t *testing.T) {
	t.Parallel()
	f := newInFlight(1 << 20)
	who := caller{address: netip.MustParseAddr("192.0.2.1")}
	answer := func(c *echo.Context) error {
		c.Response().Header().Set("ETag", `"1"`)
		return c.JSON(http.StatusAccepted, strings.Repeat("x", 1000))
	}
	require.Equal(t, http.StatusAccepted, counted(t, f, http.MethodGet, "", answer).Code)
	f.hold(who, f.max-500)
	w := counted(t, f, http.MethodGet, "", answer)
	require.Equal(t, http.StatusTooManyRequests, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	require.Empty(t, w.Header().Get("ETag"))
	require.Less(t, w.Body.Len(), 500)
	served := false
	require.Equal(t, http.StatusTooManyRequests, counted(t, f, http.MethodPost, "", func(*echo.Context) error {
		served = true
		return nil
	}).Code)
	require.False(t, served, "what would be refused is refused before its work is done")
	f.release(who, 1)
	require.Equal(t, http.StatusAccepted, counted(t, f, http.MethodPost, "", answer).Code, "what has changed something is answered")

	streamed := counted(t, f, http.MethodGet, "", func(c *echo.Context) error {
		release, err := Hold(c.Response(), 600)
		require.ErrorIs(t, err, errInFlight)
		require.Nil(t, release)
		return err
	})
	require.Equal(t, http.StatusTooManyRequests, streamed.Code)
	f.release(who, 500)
	streamed = counted(t, f, http.MethodGet, "", func(c *echo.Context) error {
		release, err := Hold(c.Response(), 600)
		require.NoError(t, err)
		defer release()
		require.Equal(t, f.max-401, f.held[who].bytes)
		for range 3 {
			if _, err := io.WriteString(c.Response(), strings.Repeat("x", 300)); err != nil {
				return err
			}
		}
		return nil
	})
	require.Equal(t, 900, streamed.Body.Len())
	require.Equal(t, http.StatusNoContent, counted(t, f, http.MethodGet, "", func(c *echo.Context) error {
		return c.NoContent(http.StatusNoContent)
	}).Code)
	require.Equal(t, f.max-1001, f.all, "all that was counted is taken back")
}

func TestTheBytesOfABodyAreCountedAsTheyCome(t *testing.T) {
	t.Parallel()
	f := newInFlight(1 << 20)
	who := caller{address: netip.MustParseAddr("192.0.2.1")}
	read := func(c *echo.Context) error {
		body, err := io.ReadAll(c.Request().Body)
		if err == nil {
			require.EqualValues(t, len(body), f.held[who].bytes)
		}
		return err
	}
	require.Equal(t, http.StatusOK, counted(t, f, http.MethodPost, strings.Repeat("x", 1000), read).Code)
	require.Zero(t, f.all)
	f.hold(who, f.max-500)
	require.Equal(t, http.StatusTooManyRequests, counted(t, f, http.MethodPost, strings.Repeat("x", 1000), read).Code)
	require.Equal(t, f.max-500, f.all)
}
