package gateway_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/parley/parley/api"
	"github.com/parley/parley/platform/request/console"
	"github.com/parley/parley/platform/request/contract"
	"github.com/parley/parley/platform/request/docs"
	"github.com/parley/parley/platform/request/gateway"
)

// documented is a gateway with the real document and no calls behind it. What it logs goes to log.
func documented(t *testing.T, log io.Writer) http.Handler {
	t.Helper()
	document, err := api.JSON()
	require.NoError(t, err)
	anything := contract.Format{Name: "email", Check: func(string) error { return nil }}
	calls, err := contract.Load(document, anything)
	require.NoError(t, err)
	permissions := map[string]gateway.Permission{}
	for _, op := range calls.Each() {
		permissions[op.Permission] = gateway.Permission{}
	}
	e, err := gateway.New(gateway.Options{
		Permissions: permissions, Contract: calls, Docs: docs.New(source(t)), Deadline: time.Minute,
		Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	require.NoError(t, err)
	gateway.MountConsole(e, console.New(built(t)))
	return e
}

// built is the folder of the real console.
func built(t *testing.T) fs.FS {
	t.Helper()
	folder, err := api.Console()
	require.NoError(t, err)
	return folder
}

// source is that of the real site.
func source(t *testing.T) docs.Source {
	t.Helper()
	guides, err := api.Guides()
	require.NoError(t, err)
	return docs.Source{Document: api.YAML, Examples: api.Examples, Guides: guides, Changelog: api.Changelog}
}

func get(t *testing.T, h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res := httptest.NewRecorder()
	h.ServeHTTP(res, req)
	return res
}

// named finds what a page loads or links to.
var named = regexp.MustCompile(`(?:src|href|spec-url)="([^"]*)"`)

// Every page loads and links to what this server has, and to the web by https alone.
func TestThePagesOfTheDocumentationLeadToWhatThisServerHas(t *testing.T) {
	t.Parallel()
	h := documented(t, io.Discard)
	require.Equal(t, get(t, h, "/docs").Body.String(), get(t, h, "/docs/").Body.String(), "with a trailing slash too")
	seen, queue := map[string]bool{}, []string{"/docs"}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		res := get(t, h, path)
		require.Equal(t, http.StatusOK, res.Code, path)
		require.NotEmpty(t, res.Body.Bytes(), path)
		if !strings.HasPrefix(res.Header().Get("Content-Type"), "text/html") {
			continue
		}
		for _, link := range named.FindAllStringSubmatch(res.Body.String(), -1) {
			target, anchor, _ := strings.Cut(link[1], "#")
			switch {
			case strings.HasPrefix(target, "/"):
				queue = append(queue, target)
			case target == "":
				require.Contains(t, res.Body.String(), `id="`+anchor+`"`, path)
			default:
				require.Regexp(t, `^https://|^http://127\.0\.0\.1:8080`, target, "%s", path)
			}
		}
	}
	for _, path := range []string{
		"/docs/guides/start", "/docs/guides/running", "/docs/guides/changelog", "/docs/reference", "/docs/reference/bots",
		"/docs/reference/bots.json", "/docs/openapi-explorer.min.js", "/docs/docs.css", "/docs/docs.js", "/docs/icon.svg",
	} {
		require.True(t, seen[path], "no page leads to %s", path)
	}
	require.GreaterOrEqual(t, len(seen), 30)
	require.Regexp(t, `<h2 id="what-a-role-may-do">`, get(t, h, "/docs/guides/people").Body.String(), "headings have anchors")
	require.Contains(t, get(t, h, "/docs/guides").Body.String(), "<h1", "the list of guides")
	require.Contains(t, get(t, h, "/docs/LICENSE.openapi-explorer.txt").Body.String(), "Apache License")
}

func TestThePolicyOfTheReferencePageLetsNothingInFromElsewhere(t *testing.T) {
	t.Parallel()
	h := documented(t, io.Discard)
	for _, path := range []string{"/docs", "/docs/docs.js", "/docs/openapi-explorer.min.js"} {
		policy := get(t, h, path).Header().Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'self'", path)
		require.Contains(t, policy, "frame-ancestors 'none'", path)
		require.NotContains(t, policy, "http", path)
		require.NotContains(t, policy, "unsafe-eval", path)
		require.NotRegexp(t, `(script|default)-src[^;]*unsafe`, policy, path)
	}
	require.Contains(t, get(t, h, "/healthz").Header().Get("Content-Security-Policy"), "default-src 'none'", "for the page alone")
}

func TestACompressedAssetIsTheSameFile(t *testing.T) {
	t.Parallel()
	h := documented(t, io.Discard)
	const path = "/docs/docs.css"
	plain := get(t, h, path)
	require.Empty(t, plain.Header().Get("Content-Encoding"))
	require.Equal(t, "Accept-Encoding", plain.Header().Get("Vary"))
	packed := get(t, h, path, "Accept-Encoding", "br, gzip;q=0.8")
	require.Equal(t, "gzip", packed.Header().Get("Content-Encoding"))
	require.Equal(t, "Accept-Encoding", packed.Header().Get("Vary"))
	require.Equal(t, plain.Header().Get("Content-Type"), packed.Header().Get("Content-Type"))
	require.Less(t, packed.Body.Len(), plain.Body.Len())

	unpacked, err := gzip.NewReader(packed.Body)
	require.NoError(t, err)
	content, err := io.ReadAll(unpacked)
	require.NoError(t, err)
	require.Equal(t, plain.Body.Bytes(), content)

	for _, refused := range []string{"br", "identity", "gzip;q=0", "gzip; q=0.000", "gzip;q=nonsense"} {
		require.Empty(t, get(t, h, path, "Accept-Encoding", refused).Header().Get("Content-Encoding"), refused)
	}
}

func TestAnAssetIsSentAgainOnlyWhenItHasChanged(t *testing.T) {
	t.Parallel()
	h := documented(t, io.Discard)
	for _, path := range []string{"/docs", "/docs/docs.js", "/docs/openapi-explorer.min.js", "/docs/guides/start"} {
		var tags []string
		for _, coding := range []string{"gzip", "identity"} {
			first := get(t, h, path, "Accept-Encoding", coding)
			tag := first.Header().Get("ETag")
			require.Regexp(t, `^"[0-9a-f]{16}(-gzip)?"$`, tag, path)
			require.Equal(t, "no-cache", first.Header().Get("Cache-Control"), path)
			again := get(t, h, path, "Accept-Encoding", coding, "If-None-Match", tag)
			require.Equal(t, http.StatusNotModified, again.Code, path)
			require.Empty(t, again.Body.Bytes(), path)
			require.Equal(t, http.StatusOK, get(t, h, path, "If-None-Match", `"another"`).Code, path)
			tags = append(tags, tag)
		}
		require.NotEqual(t, tags[0], tags[1], "two encodings are two representations")
	}
}

func TestAReferencePageThatIsNotThereIsAnErrorLikeAnyOther(t *testing.T) {
	t.Parallel()
	h := documented(t, io.Discard)
	for _, path := range []string{"/docs/nothing.js", "/docs/guides/nothing", "/docs/page.html", "/docs/../docs.go", "/docs/index.html"} {
		res := get(t, h, path)
		require.Equal(t, http.StatusNotFound, res.Code, path)
		require.Contains(t, res.Body.String(), `"code":"NOT_FOUND"`, path)
	}
	require.Equal(t, "/docs", get(t, h, "/", "Accept", "application/json").Header().Get("Location"))
}

// goesAway takes the head of an answer and no more, like a client that has gone.
type goesAway struct {
	header http.Header
	heads  int
}

func (g *goesAway) Header() http.Header       { return g.header }
func (g *goesAway) WriteHeader(int)           { g.heads++ }
func (g *goesAway) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAClientThatGoesAwayInTheMiddleIsNoErrorOfOurs(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	h := documented(t, &log)
	for _, coding := range []string{"gzip", "identity"} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/docs/openapi-explorer.min.js", nil)
		req.Header.Set("Accept-Encoding", coding)
		res := &goesAway{header: http.Header{}}
		h.ServeHTTP(res, req)
		require.Equal(t, 1, res.heads, "the head is written once")
	}
	require.Contains(t, log.String(), "level=INFO")
	require.NotContains(t, log.String(), "level=ERROR")
	require.NotContains(t, log.String(), "level=WARN")
}

func TestTheDocumentIsTheSameInYAMLAndInJSON(t *testing.T) {
	t.Parallel()
	h := documented(t, io.Discard)
	asYAML, asJSON := get(t, h, "/openapi.yaml"), get(t, h, "/openapi.json")
	require.Equal(t, "application/yaml", asYAML.Header().Get("Content-Type"))
	require.Equal(t, "application/json", asJSON.Header().Get("Content-Type"))
	require.NotContains(t, asYAML.Body.String(), "x-go-", "keys of our generator")
	var one, other any
	require.NoError(t, yaml.Unmarshal(asYAML.Body.Bytes(), &one))
	require.NoError(t, json.Unmarshal(asJSON.Body.Bytes(), &other))
	require.Equal(t, one, other)
	require.Contains(t, other, "paths")
}

// Not parallel: it counts what the process allocates.
func TestAnUnpackedAssetIsUnpackedOnce(t *testing.T) { //nolint:paralleltest // see above
	h := documented(t, io.Discard)
	size := get(t, h, "/docs/openapi-explorer.min.js", "Accept-Encoding", "identity").Body.Len()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		r := httptest.NewRequest(http.MethodGet, "/docs/openapi-explorer.min.js", nil)
		h.ServeHTTP(&goesAway{header: http.Header{}}, r)
	}
	runtime.ReadMemStats(&after)
	require.Less(t, int(after.TotalAlloc-before.TotalAlloc), 10*size/2, "slow clients that ask often would fill the memory")
}
