package harness

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// NewBase creates a knowledge base and returns its path.
func (c *Caller) NewBase(t *testing.T, more ...map[string]any) string {
	t.Helper()
	body := map[string]any{"name": "Manuals"}
	for _, m := range more {
		maps.Copy(body, m)
	}
	a := c.Post(t, "/v1/knowledge-bases", body)
	require.Equal(t, http.StatusCreated, a.Status, a)
	require.Equal(t, "/v1/knowledge-bases/"+a.Text("id"), a.Header.Get("Location"))
	return a.Header.Get("Location")
}

// AddText adds a text to a knowledge base and returns the path of the document.
func (c *Caller) AddText(t *testing.T, base, title, text string, more ...map[string]any) string {
	t.Helper()
	body := map[string]any{"title": title, "text": text}
	for _, m := range more {
		maps.Copy(body, m)
	}
	a := c.Post(t, base+"/documents", body)
	require.Equal(t, http.StatusAccepted, a.Status, a)
	require.Equal(t, "queued", a.Text("status"))
	return a.Header.Get("Location")
}

// Indexed adds a text to a knowledge base, and returns the path of the document when it can be found.
func (c *Caller) Indexed(t *testing.T, base, title, text string, more ...map[string]any) string {
	t.Helper()
	path := c.AddText(t, base, title, text, more...)
	c.WaitUntil(t, path, "status", "ready")
	return path
}

// Find searches a knowledge base.
func (c *Caller) Find(t *testing.T, base, query string, more ...map[string]any) Answer {
	t.Helper()
	body := map[string]any{"query": query}
	for _, m := range more {
		maps.Copy(body, m)
	}
	a := c.Post(t, base+"/search", body)
	require.Equal(t, http.StatusOK, a.Status, a)
	return a
}

// Titles are the titles of what a search has found, in their order.
func Titles(a Answer) (titles []string) {
	for _, item := range a.Items() {
		title, _ := item["title"].(string)
		titles = append(titles, title)
	}
	return titles
}

// IndexedBy creates a base with a document, and stores what its job would store. It returns their ids.
func (c *Caller) IndexedBy(t *testing.T, super *pgx.Conn) (base, document string) {
	t.Helper()
	_, base, _ = strings.Cut(c.NewBase(t), "bases/")
	_, document, _ = strings.Cut(c.AddText(t, "/v1/knowledge-bases/"+base, "Kettle", "secret"), "documents/")
	for sql, args := range map[string][]any{
		`INSERT INTO document_texts (workspace_id, document_id, generation, text, outline) VALUES ($1, $2, 1, 'secret', '')`: {c.Workspace, document},
		`SELECT app.store_chunks($1, $2, $3, 1, 'russian', jsonb_build_array(jsonb_build_object('id', $4::uuid, 'ordinal', 0, 'start', 0, 'end', 6,
			'headings', '[]'::jsonb, 'table_header', '', 'text', 'secret', 'heading_words', '', 'words', 'secret')))`: {c.Workspace, base, document, uuid.Must(uuid.NewV7())},
		`UPDATE documents SET generation = 1, building = NULL, status = 'ready', chunks = 1 WHERE workspace_id = $1 AND id = $2`: {c.Workspace, document},
	} {
		_, err := super.Exec(t.Context(), sql, args...)
		require.NoError(t, err, sql)
	}
	return base, document
}
