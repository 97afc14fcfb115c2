package gateway_test

import (
	"context"
	"io"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// browser opens a Chromium window of a size and returns what its console complained of so far: errors, exceptions, and what the
// content security policy refused. It skips the test where there is no Chromium.
func browser(t *testing.T, width, height int) (page context.Context, complaints func() []string) {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		t.Skip("chromium is not installed (package chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WindowSize(width, height),
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute))
	allocated, release := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(release)
	page, stop := chromedp.NewContext(allocated)
	t.Cleanup(stop)
	page, cancel := context.WithTimeout(page, 3*time.Minute)
	t.Cleanup(cancel)
	var mu sync.Mutex
	var said []string
	require.NoError(t, chromedp.Do(page, chromedp.EmulateViewport(int64(width), int64(height))))
	require.NoError(t, chromedp.Listen(page, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded: // what the network and the policy refused is here
			if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
				said = append(said, e.Entry.Text+" "+e.Entry.URL)
			}
		case *runtime.EventExceptionThrown:
			said = append(said, e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
				for _, argument := range e.Args {
					said = append(said, string(argument.Value)+argument.Description)
				}
			}
		}
	}))
	return page, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(said)
	}
}

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
			page, complaints := browser(t, size[0], size[1])
			until := func(script string) { // chromedp's own waiting builds code from text, which the policy refuses
				t.Helper()
				require.Eventually(t, func() bool {
					yes, err := chromedp.Run(page, chromedp.Evaluate[bool](script))
					return err == nil && yes
				}, time.Minute, 50*time.Millisecond, script)
			}
			open := func(path, script string) {
				t.Helper()
				require.NoError(t, chromedp.Do(page, chromedp.Navigate("about:blank"), chromedp.Navigate(server.URL+path)))
				until(script)
				until(`document.documentElement.scrollWidth <= innerWidth`)
			}
			open("/docs", `document.querySelector("main h1").textContent === "Guides"`)
			if size[0] < 900 {
				require.NoError(t, chromedp.Do(page, chromedp.Click("#menu")))
			}
			until(`document.querySelector('#sidebar a[href="/docs/guides/start"]').checkVisibility()`)
			groups, err := chromedp.Run(page, chromedp.Evaluate[string](`[...document.querySelectorAll("#sidebar h2")].map((h) => h.textContent.trim()).join()`))
			require.NoError(t, err)
			require.Equal(t, "Using the API,Running it,Reference", groups)
			pages, err := chromedp.Run(page, chromedp.Evaluate[string](`[...document.querySelectorAll("#sidebar a")].map((a) => a.getAttribute("href")).join()`))
			require.NoError(t, err)
			require.NoError(t, chromedp.Do(page, chromedp.Click(`#sidebar a[href="/docs/guides/people"]`)))
			until(`!!document.querySelector("#what-a-role-may-do")`)
			until(`document.documentElement.scrollWidth <= innerWidth`)

			require.NoError(t, chromedp.Do(page, chromedp.SendKeys(`#search input`, "publish version")))
			until(`!!document.querySelector('#found a[href*="post-/v1/bots/-bot_id-/publish"]')`)
			require.NoError(t, chromedp.Do(page, chromedp.Click(`#found a[href*="post-/v1/bots/-bot_id-/publish"]`)))
			until(explored("bots.write"))
			until(explored("published_version"))
			open("/docs/reference/conversations#?route=post-/v1/conversations/threads/-thread_id-/turn", explored("turns.take"))
			for path := range strings.SplitSeq(pages, ",") {
				if strings.HasPrefix(path, "/docs/guides/") {
					open(path, `!!document.querySelector("main h1")`)
				}
			}
			require.Empty(t, complaints())
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
