// Package console serves the web console at /console: one page, and the scripts and styles that it loads.
package console

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/parley/parley/platform/request/static"
)

// root is the path of the console, assets that of its scripts and styles, and page that of its page.
const (
	root   = "/console"
	assets = root + "/assets/"
	page   = root + "/index.html"
)

// policy lets the page run its own scripts and styles and call this server, and nothing else. A script cannot make
// markup of a text: the page has no policy for trusted types, so that innerHTML and its like throw.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Site is the console of a server. Its files are compressed at the first request, so that the start of the server does
// not wait for it. It is safe for concurrent use.
type Site struct {
	files func() (map[string]static.File, error)
}

// New returns the console of a folder with index.html and the folder assets, whose names have a hash of their content.
func New(folder fs.FS) *Site {
	return &Site{files: sync.OnceValues(func() (map[string]static.File, error) { return read(folder) })}
}

// Serve responds to a GET request for a path at /console or below. A path that is no file is a page of the application,
// which it draws itself. Serve returns false for an asset that does not exist.
func (s *Site) Serve(w http.ResponseWriter, r *http.Request, path string) (bool, error) {
	files, err := s.files()
	if err != nil {
		return false, err
	}
	h := w.Header()
	file, found := files[path]
	if strings.HasPrefix(path, assets) {
		if !found {
			return false, nil
		}
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else if !found || path == page {
		file = files[page] // not stored by browsers: it names the assets of this version of the program
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	h.Set("Content-Security-Policy", policy)
	return true, file.Serve(w, r)
}

func read(folder fs.FS) (map[string]static.File, error) {
	files := map[string]static.File{}
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		files[path.Join(root, name)] = static.New(mediaType(name), content)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the console: %w", err)
	}
	if _, found := files[page]; !found {
		return nil, errors.New("read the console: index.html is missing")
	}
	return files, nil
}

// mediaType returns the media type of a file, which does not depend on the tables of the machine.
func mediaType(name string) string {
	known := map[string]string{
		".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8", ".woff2": "font/woff2",
	}
	if kind, found := known[path.Ext(name)]; found {
		return kind
	}
	return "application/octet-stream"
}
