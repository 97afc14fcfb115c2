package docs

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"sync"

	"github.com/parley/parley/platform/request/static"
)

//go:embed site/docs.css site/docs.js site/icon.svg site/page.html site/openapi-explorer.min.js.gz site/LICENSE.openapi-explorer.txt
var files embed.FS

// policy lets a page run its own scripts and call this very server, nothing else. The reference writes style attributes.
const policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Source is the input of a site.
type Source struct {
	Document  []byte // the OpenAPI document, YAML
	Examples  []byte // examples of its answers, YAML: operation id, status, example
	Guides    fs.FS  // pages of Markdown; README.md lists them
	Changelog []byte // Markdown
}

// Site is the documentation of a server. It is built at the first request, so that the start of the server does not
// wait for it. It is safe for concurrent use.
type Site struct {
	build func() (map[string]static.File, error)
}

// New returns the site of a source.
func New(source Source) *Site {
	return &Site{build: sync.OnceValues(func() (map[string]static.File, error) { return build(source) })}
}

// Serve responds to a GET request for a path. It returns false if the site has no such page. Its error is an error in
// the source of the site.
func (s *Site) Serve(w http.ResponseWriter, r *http.Request, path string) (bool, error) {
	assets, err := s.build()
	if err != nil {
		return false, err
	}
	a, found := assets[path]
	if !found {
		return false, nil
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	// A page and a script of two versions of the program must not meet: clients ask each time whether a file has changed.
	h.Set("Cache-Control", "no-cache")
	return true, a.Serve(w, r)
}

// tag is a group of calls in the sidebar and the reference.
type tag struct {
	Name, Path, Description string
	Calls                   []linkedCall
}

// linkedCall is a call with where the reference shows it.
type linkedCall struct {
	Operation

	Link string
}

// page is what page.html shows. Spec is the document of the calls that the page describes, if it does.
type page struct {
	Title, Path, Spec string
	Body              template.HTML
	Lists             []tag
	Menus             []menu
	Tags              []tag
}

func build(source Source) (map[string]static.File, error) {
	document, err := Publish(source.Document, source.Examples)
	if err != nil {
		return nil, err
	}
	md := newMarkdown()
	guides, err := readGuides(md, source.Guides)
	if err != nil {
		return nil, err
	}
	if guides["changelog"], err = render(md, source.Changelog); err != nil {
		return nil, fmt.Errorf("CHANGELOG.md: %w", err)
	}
	index, err := fs.ReadFile(source.Guides, "README.md")
	if err != nil {
		return nil, fmt.Errorf("read the guides: %w", err)
	}
	b := builder{assets: map[string]static.File{}, menus: menus(md, index), tags: tagsOf(document)}
	b.template, err = template.ParseFS(files, "site/page.html")
	if err != nil {
		return nil, fmt.Errorf("read the template of the pages: %w", err)
	}
	b.addFiles()
	b.addDocument(document)
	for name, guide := range guides {
		at := guidesPath + "/" + name
		if name == "readme" {
			b.addPage(page{Title: guide.title, Path: homePath, Body: guide.body})
			at = guidesPath
		}
		b.addPage(page{Title: guide.title, Path: at, Body: guide.body})
	}
	head, err := render(md, []byte("# Reference\n\n"+document.Description()))
	if err != nil {
		return nil, fmt.Errorf("the description of the OpenAPI document: %w", err)
	}
	b.addPage(page{Title: "Reference", Path: referencePath, Body: head.body, Lists: b.tags})
	for _, t := range b.tags {
		spec := t.Path + ".json"
		b.addPage(page{Title: t.Name, Path: t.Path, Spec: spec, Lists: []tag{t}})
		b.addJSON(spec, document.ForTag(t.Name).JSON)
	}
	b.addJSON("/docs/search.json", func() ([]byte, error) { return json.Marshal(searchIndex(guides, b.tags)) })
	return b.assets, b.err
}

// builder collects the assets of a site and keeps the first error.
type builder struct {
	assets   map[string]static.File
	template *template.Template
	menus    []menu
	tags     []tag
	err      error
}

func (b *builder) addPage(p page) {
	p.Menus, p.Tags = b.menus, b.tags
	var out bytes.Buffer
	if err := b.template.Execute(&out, p); err != nil && b.err == nil {
		b.err = fmt.Errorf("make the page %s: %w", p.Path, err)
	}
	b.assets[p.Path] = static.New("text/html; charset=utf-8", out.Bytes())
}

func (b *builder) addJSON(path string, content func() ([]byte, error)) {
	raw, err := content()
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("make %s: %w", path, err)
	}
	b.assets[path] = static.New("application/json", raw)
}

func (b *builder) addDocument(document Document) {
	b.addJSON("/openapi.json", document.JSON)
	b.addJSON("/openapi.yaml", document.YAML)
	b.assets["/openapi.yaml"] = b.assets["/openapi.yaml"].WithKind("application/yaml")
}

func (b *builder) addFiles() {
	for name, kind := range map[string]string{
		"docs.css": "text/css; charset=utf-8", "docs.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
		"openapi-explorer.min.js.gz": "text/javascript; charset=utf-8", "LICENSE.openapi-explorer.txt": "text/plain; charset=utf-8",
	} {
		content, err := files.ReadFile("site/" + name)
		if err != nil && b.err == nil {
			b.err = fmt.Errorf("read %s: %w", name, err)
		}
		plain, packed := strings.CutSuffix(name, ".gz")
		if packed {
			b.assets["/docs/"+plain] = static.Packed(kind, content)
		} else {
			b.assets["/docs/"+plain] = static.New(kind, content)
		}
	}
}

// tagsOf returns the groups of calls, in the order of the document's tags.
func tagsOf(document Document) (tags []tag) {
	names, descriptions := document.Tags()
	operations := document.Operations()
	for _, name := range names {
		t := tag{Name: name, Path: referencePath + "/" + name, Description: descriptions[name]}
		for _, op := range operations {
			if op.Tag == name {
				t.Calls = append(t.Calls, linkedCall{Operation: op, Link: t.Path + "#?route=" + op.Method + "-" + routeName(op.Path)})
			}
		}
		tags = append(tags, t)
	}
	return tags
}

// routeName returns how the reference's renderer names a path in an address.
func routeName(path string) string { return strings.NewReplacer("{", "-", "}", "-").Replace(path) }

// entry is a place that the search finds.
type entry struct {
	Title string `json:"title"`
	Page  string `json:"page"`
	Path  string `json:"path"`
	Text  string `json:"text"`
}

func searchIndex(guides map[string]rendered, tags []tag) (entries []entry) {
	for name, guide := range guides {
		if name == "readme" {
			continue
		}
		for _, s := range guide.sections {
			entries = append(entries, entry{Title: s.title, Page: guide.title, Path: guidesPath + "/" + name + "#" + s.anchor, Text: s.text})
		}
	}
	for _, t := range tags {
		for _, op := range t.Calls {
			entries = append(entries, entry{
				Title: op.Summary, Page: strings.ToUpper(op.Method) + " " + op.Path, Path: op.Link,
				Text: strings.Join([]string{op.ID, op.Permission, t.Name, op.Description}, " "),
			})
		}
	}
	return entries
}
