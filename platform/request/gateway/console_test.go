package gateway_test

import (
	"io"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryPageOfTheConsoleIsTheApplication(t *testing.T) {
	t.Parallel()
	h := documented(t, io.Discard)
	page := get(t, h, "/console").Body.String()
	require.Contains(t, page, `<div id="app">`)
	for _, path := range []string{"/console/", "/console/bots", "/console/bots/1/versions", "/console/index.html", "/console/nothing.js"} {
		res := get(t, h, path)
		require.Equal(t, http.StatusOK, res.Code, path)
		require.Equal(t, page, res.Body.String(), path)
		require.Equal(t, "text/html; charset=utf-8", res.Header().Get("Content-Type"), path)
		require.Equal(t, "no-store", res.Header().Get("Cache-Control"), "a page must not name the assets of another version")
		require.Equal(t, "same-origin", res.Header().Get("Cross-Origin-Opener-Policy"), path)
	}
}

func TestTheAssetsOfTheConsoleAreKeptByBrowsers(t *testing.T) {
	t.Parallel()
	h := documented(t, io.Discard)
	assets := regexp.MustCompile(`(?:src|href)="(/console/assets/[^"]*)"`).FindAllStringSubmatch(get(t, h, "/console").Body.String(), -1)
	require.GreaterOrEqual(t, len(assets), 3)
	for _, asset := range assets {
		res := get(t, h, asset[1], "Accept-Encoding", "gzip")
		require.Equal(t, http.StatusOK, res.Code, asset[1])
		require.Equal(t, "public, max-age=31536000, immutable", res.Header().Get("Cache-Control"), asset[1])
		require.Regexp(t, `^(text/javascript|text/css|image/svg\+xml)`, res.Header().Get("Content-Type"), asset[1])
		require.Equal(t, "gzip", res.Header().Get("Content-Encoding"), asset[1])
	}
	res := get(t, h, "/console/assets/nothing.js")
	require.Equal(t, http.StatusNotFound, res.Code, "an old page must not run a page as a script")
	require.Contains(t, res.Body.String(), `"code":"NOT_FOUND"`)
	require.Contains(t, get(t, h, "/console/LICENSE.txt").Body.String(), "Preact")
}

func TestThePolicyOfTheConsoleLetsNoOtherScriptRun(t *testing.T) {
	t.Parallel()
	h := documented(t, io.Discard)
	for _, path := range []string{"/console", "/console/bots"} {
		policy := get(t, h, path).Header().Get("Content-Security-Policy")
		for _, directive := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'",
			"require-trusted-types-for 'script'", "trusted-types 'none'",
		} {
			require.Contains(t, policy, directive, path)
		}
		require.NotRegexp(t, `unsafe|http|\*`, policy, path)
	}
}

func TestABrowserIsLedToTheConsole(t *testing.T) {
	t.Parallel()
	h := documented(t, io.Discard)
	for accept, location := range map[string]string{
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "/console",
		"application/json": "/docs",
		"*/*":              "/docs",
		"":                 "/docs",
	} {
		res := get(t, h, "/", "Accept", accept)
		require.Equal(t, http.StatusFound, res.Code, accept)
		require.Equal(t, location, res.Header().Get("Location"), accept)
		require.Contains(t, res.Header().Values("Vary"), "Accept", accept)
	}
}
