package gateway_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/testing/browsertest"
)

// explored is a script that is true once the reference shows a text.
func explored(text string) string {
	return `(() => {
		const all = (root) => [...root.querySelectorAll("*")].map((e) => (e.shadowRoot ? all(e.shadowRoot) : "") +
			[...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent).join(" ")).join(" ");
		const explorer = document.querySelector("openapi-explorer");
		return !!explorer?.shadowRoot && all(explorer.shadowRoot).includes(` + "`" + text + "`" + `);
	})()`
}

// The documentation works in a real browser, on a desk and on a phone: guides first, a sidebar, a search, calls with their
// permission and an example of each answer, nothing refused by the policy, nothing wider than the screen.
func TestTheDocumentationWorksInABrowser(t *testing.T) {
	t.Parallel()
	for name, size := range map[string][2]int{"a desk": {1280, 900}, "a phone": {390, 844}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(documented(t, io.Discard))
			t.Cleanup(server.Close)
			page := browsertest.Open(t, size[0], size[1])
			until := func(script string) { page.Until(t, script) }
			open := func(path, script string) {
				t.Helper()
				page.Open(t, server.URL+path, script)
				until(`document.documentElement.scrollWidth <= innerWidth`)
			}
			open("/docs", `document.querySelector("main h1").textContent === "Guides"`)
			if size[0] < 900 {
				page.Do(t, chromedp.Click("#menu"))
			}
			until(`document.querySelector('#sidebar a[href="/docs/guides/start"]').checkVisibility()`)
			groups := page.Text(t, `[...document.querySelectorAll("#sidebar h2")].map((h) => h.textContent.trim()).join()`)
			require.Equal(t, "Using the API,Running it,Reference", groups)
			pages := page.Text(t, `[...document.querySelectorAll("#sidebar a")].map((a) => a.getAttribute("href")).join()`)
			page.Do(t, chromedp.Click(`#sidebar a[href="/docs/guides/people"]`))
			until(`!!document.querySelector("#what-a-role-may-do")`)
			until(`document.documentElement.scrollWidth <= innerWidth`)

			page.Do(t, chromedp.SendKeys(`#search input`, "publish version"))
			until(`!!document.querySelector('#found a[href*="post-/v1/bots/-bot_id-/publish"]')`)
			page.Do(t, chromedp.Click(`#found a[href*="post-/v1/bots/-bot_id-/publish"]`))
			until(explored("bots.write"))
			until(explored("published_version"))
			open("/docs/reference/conversations#?route=post-/v1/conversations/threads/-thread_id-/turn", explored("turns.take"))
			for path := range strings.SplitSeq(pages, ",") {
				if strings.HasPrefix(path, "/docs/guides/") {
					open(path, `!!document.querySelector("main h1")`)
				}
			}
			require.Empty(t, page.Complaints())
		})
	}
}

func TestABrowserReadsFewBytesForAPageOfTheReference(t *testing.T) {
	t.Parallel()
	h := documented(t, io.Discard)
	sum := 0
	for _, path := range []string{"/docs/reference/bots", "/docs/docs.css", "/docs/docs.js", "/docs/openapi-explorer.min.js", "/docs/reference/bots.json"} {
		sum += get(t, h, path, "Accept-Encoding", "gzip").Body.Len()
	}
	require.Less(t, sum, 260<<10)
}
