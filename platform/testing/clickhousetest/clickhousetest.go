// Package clickhousetest provides tests with a database of their own in a real ClickHouse server, the one of
// TEST_CLICKHOUSE_HTTP. If there is none, the test is skipped, by name.
package clickhousetest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// Server returns the address of the server and the name of a database, which is dropped at the end of the test. It does
// not create the database.
func Server(t testing.TB) (address, database string) {
	t.Helper()
	address = os.Getenv("TEST_CLICKHOUSE_HTTP") //nolint:forbidigo // a setting of the tests, not of the program
	if address == "" {
		t.Skip("TEST_CLICKHOUSE_HTTP is not set: it should be the address of a ClickHouse, such as http://127.0.0.1:8123")
	}
	database = "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	t.Cleanup(func() { Do(t, address, "DROP DATABASE IF EXISTS "+database) })
	return address, database
}

// Do runs a query on the server.
func Do(t testing.TB, address, query string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(query)) //nolint:gosec // the address is a setting of the tests
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req) //nolint:gosec // the same
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode, query)
}

// Proxy forwards requests to a ClickHouse server and fails as a test configures it.
type Proxy struct {
	URL string

	away     atomic.Bool
	cutAfter atomic.Pointer[string]
	cuts     atomic.Int64
}

// NewProxy starts a proxy, which stops at the end of the test.
func NewProxy(t testing.TB, address string) *Proxy {
	t.Helper()
	target, err := url.Parse(address)
	require.NoError(t, err)
	p := &Proxy{}
	forward := httputil.NewSingleHostReverseProxy(target)
	forward.ModifyResponse = func(r *http.Response) error {
		if text := p.cutAfter.Load(); text != nil && r.Request.Header.Get(seen) != "" {
			p.cuts.Add(1)
			panic(http.ErrAbortHandler) // the server has done it, and the caller never hears
		}
		return nil
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.away.Load() {
			panic(http.ErrAbortHandler)
		}
		r.Header.Del(seen)
		if text := p.cutAfter.Load(); text != nil && strings.Contains(r.URL.Query().Get("query"), *text) {
			r.Header.Set(seen, "1")
		}
		forward.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

const seen = "X-Cut"

// Away makes the proxy close every connection, or stop doing so.
func (p *Proxy) Away(away bool) { p.away.Store(away) }

// CutAfter makes the proxy forward requests with this text in their query to the server, but withhold the responses
// from the caller; "" ends that.
func (p *Proxy) CutAfter(text string) {
	if text == "" {
		p.cutAfter.Store(nil)
		return
	}
	p.cutAfter.Store(&text)
}

// Cuts returns how many responses were withheld.
func (p *Proxy) Cuts() int64 { return p.cuts.Load() }
