package gateway_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
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
	"github.com/parley/parley/platform/contract"
	"github.com/parley/parley/platform/gateway"
)

// docs is a gateway with the real document and no calls behind it. What it logs goes to log.
func docs(t *testing.T, log io.Writer) http.Handler {
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
		Permissions: permissions, Contract: calls, Document: api.YAML, DocumentJSON: document, Deadline: time.Minute,
		Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	require.NoError(t, err)
	return e
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

// named finds what a page loads.
var named = regexp.MustCompile(`(?:src|href)="([^"]*)"`)

func TestTheReferencePageLoadsOnlyWhatThisServerHas(t *testing.T) {
	t.Parallel()
	h := docs(t, io.Discard)
	page := get(t, h, "/docs")
	require.Equal(t, http.StatusOK, page.Code)
	require.Equal(t, "text/html; charset=utf-8", page.Header().Get("Content-Type"))
	require.Equal(t, page.Body.String(), get(t, h, "/docs/").Body.String(), "with a trailing slash too")

	kinds := map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".png": "image/png",
	}
	links := named.FindAllStringSubmatch(page.Body.String(), -1)
	require.Len(t, links, 4)
	for _, link := range links {
		path := link[1]
		require.Regexp(t, `^/docs/[a-z0-9.-]+$`, path, "its own files only")
		res := get(t, h, path)
		require.Equal(t, http.StatusOK, res.Code, path)
		require.NotEmpty(t, res.Body.Bytes(), path)
		require.Equal(t, kinds[path[strings.LastIndex(path, "."):]], res.Header().Get("Content-Type"), path)
	}
	script := get(t, h, "/docs/docs.js").Body.String()
	for _, text := range []string{page.Body.String(), script} {
		require.NotContains(t, text, "//cdn")
		require.NotContains(t, text, "http:")
		require.NotContains(t, text, "https:")
	}
	require.Contains(t, script, `"/openapi.yaml"`)
}

func TestThePolicyOfTheReferencePageLetsNothingInFromElsewhere(t *testing.T) {
	t.Parallel()
	h := docs(t, io.Discard)
	for _, path := range []string{"/docs", "/docs/docs.js", "/docs/swagger-ui-bundle.js"} {
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
	h := docs(t, io.Discard)
	const path = "/docs/swagger-ui.css"
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
	h := docs(t, io.Discard)
	for _, path := range []string{"/docs", "/docs/docs.js", "/docs/swagger-ui-bundle.js", "/docs/favicon-32x32.png"} {
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
		if strings.Contains(path, "swagger-ui") {
			require.NotEqual(t, tags[0], tags[1], "two encodings are two representations")
		}
	}
}

func TestAReferencePageThatIsNotThereIsAnErrorLikeAnyOther(t *testing.T) {
	t.Parallel()
	h := docs(t, io.Discard)
	for _, path := range []string{"/docs/nothing.js", "/docs/swagger-ui.js", "/docs/../docs.go", "/docs/index.html"} {
		res := get(t, h, path)
		require.Equal(t, http.StatusNotFound, res.Code, path)
		require.Contains(t, res.Body.String(), `"code":"NOT_FOUND"`, path)
	}
	require.Equal(t, "/docs", get(t, h, "/").Header().Get("Location"))
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
	h := docs(t, &log)
	for _, coding := range []string{"gzip", "identity"} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/docs/swagger-ui-bundle.js", nil)
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
	h := docs(t, io.Discard)
	asYAML, asJSON := get(t, h, "/openapi.yaml"), get(t, h, "/openapi.json")
	require.Equal(t, "application/yaml", asYAML.Header().Get("Content-Type"))
	require.Equal(t, "application/json", asJSON.Header().Get("Content-Type"))
	require.Equal(t, string(api.YAML), asYAML.Body.String())
	var one, other any
	require.NoError(t, yaml.Unmarshal(asYAML.Body.Bytes(), &one))
	require.NoError(t, json.Unmarshal(asJSON.Body.Bytes(), &other))
	require.Equal(t, one, other)
	require.Contains(t, other, "paths")
}

// Not parallel: it counts what the process allocates.
func TestAnUnpackedAssetIsUnpackedOnce(t *testing.T) { //nolint:paralleltest // see above
	h := docs(t, io.Discard)
	size := get(t, h, "/docs/swagger-ui-bundle.js", "Accept-Encoding", "identity").Body.Len()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		r := httptest.NewRequest(http.MethodGet, "/docs/swagger-ui-bundle.js", nil)
		h.ServeHTTP(&goesAway{header: http.Header{}}, r)
	}
	runtime.ReadMemStats(&after)
	require.Less(t, int(after.TotalAlloc-before.TotalAlloc), 10*size/2, "slow clients that ask often would fill the memory")
}
