package modeltest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Listing is how one call for the list of models is answered. The zero Listing lists none.
type Listing struct {
	Names   []string
	HasMore bool   // there are others
	Status  int    // other than 0: it refuses with this
	Code    string // of the refusal
	Hangs   bool   // it says nothing
	Bytes   int    // of white space before the list
}

// Catalog is a Server that lists models too, as both providers do. It answers every call for the list as its Listing says.
type Catalog struct {
	*Server
	URL string // without a path

	mu      sync.Mutex
	listing Listing
	asked   []Call
}

// NewCatalog starts a Catalog for the length of a test.
func NewCatalog(t testing.TB, listing Listing, scripts ...Script) *Catalog {
	t.Helper()
	c := &Catalog{Server: New(t, scripts...), listing: listing}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

// Lists has calls for the list answered in another way from now on.
func (c *Catalog) Lists(l Listing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listing = l
}

// Listed are the calls for the list.
func (c *Catalog) Listed() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Call{}, c.asked...)
}

// ServeHTTP answers one call.
func (c *Catalog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/models") {
		c.Server.ServeHTTP(w, r)
		return
	}
	c.mu.Lock()
	c.asked = append(c.asked, Call{Path: r.URL.RequestURI(), Header: r.Header.Clone()})
	l := c.listing
	c.mu.Unlock()
	switch {
	case l.Hangs:
		<-r.Context().Done()
	case l.Status != 0:
		refuse(w, r, Script{Status: l.Status, Code: l.Code}, "")
	default:
		list := []any{}
		for _, name := range l.Names {
			list = append(list, map[string]any{
				"id": name, "object": "model", "created": 1686935002, "owned_by": "test", "type": "model", "display_name": name, "created_at": "2026-01-01T00:00:00Z",
			})
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, strings.Repeat(" ", l.Bytes))
		_, _ = fmt.Fprint(w, encode(map[string]any{"object": "list", "data": list, "has_more": l.HasMore, "first_id": nil, "last_id": nil}))
	}
}
