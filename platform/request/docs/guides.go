package docs

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
	gmtext "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

const (
	homePath      = "/docs"
	guidesPath    = "/docs/guides"
	referencePath = "/docs/reference"
)

// rendered is a page of Markdown in HTML.
type rendered struct {
	title    string
	body     template.HTML
	sections []section
}

// section is the text below one heading, for the search.
type section struct{ title, anchor, text string }

// menu is a group of links of the sidebar.
type menu struct {
	Title string
	Links []menuLink
}

type menuLink struct{ Title, Path string }

// markdown renders pages. Headings have anchors, and links between pages lead to where the server has them.
type markdown struct {
	goldmark.Markdown

	broken parser.ContextKey // of the error of a link that leads nowhere on the server
}

func newMarkdown() markdown {
	broken := parser.NewContextKey()
	return markdown{broken: broken, Markdown: goldmark.New(
		goldmark.WithExtensions(extension.GFM),
		goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(&anchorLinks{broken}, 100))),
		goldmark.WithRendererOptions(html.WithUnsafe()), // the pages are our own; whatever they have runs under the policy of the page
	)}
}

// anchorLinks rewrites links and adds a link to each heading.
type anchorLinks struct{ broken parser.ContextKey }

// Transform rewrites the links of one parsed page. It records a link without a target in pc.
func (a *anchorLinks) Transform(doc *ast.Document, _ gmtext.Reader, pc parser.Context) {
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			if id, ok := n.AttributeString("id"); ok && n.Level > 1 {
				anchor := ast.NewLink()
				anchor.Destination = append([]byte("#"), id.([]byte)...) //nolint:errcheck,forcetypeassert // goldmark sets bytes
				anchor.SetAttributeString("class", []byte("anchor"))
				anchor.SetAttributeString("aria-label", []byte("Link to this heading"))
				anchor.AppendChild(anchor, ast.NewString([]byte("#")))
				n.AppendChild(n, anchor)
				return ast.WalkSkipChildren, nil
			}
		case *ast.Link:
			target, err := served(string(n.Destination))
			if err != nil {
				pc.Set(a.broken, err)
			}
			n.Destination = []byte(target)
		}
		return ast.WalkContinue, nil
	})
}

// served returns where the server has what a link of a page leads to.
func served(link string) (string, error) {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "#") || strings.HasPrefix(link, "/") {
		return link, nil
	}
	file, anchor, _ := strings.Cut(link, "#")
	if anchor != "" {
		anchor = "#" + anchor
	}
	switch name := path.Base(file); {
	case name == "openapi.yaml":
		return referencePath + anchor, nil
	case name == "README.md":
		return guidesPath + anchor, nil
	case path.Ext(name) == ".md":
		return guidesPath + "/" + strings.ToLower(strings.TrimSuffix(name, ".md")) + anchor, nil
	default:
		return link, fmt.Errorf("a page links to %s, which the server does not have", link)
	}
}

// render makes HTML of a page.
func render(md markdown, source []byte) (rendered, error) {
	pc := parser.NewContext()
	doc := md.Parser().Parse(gmtext.NewReader(source), parser.WithContext(pc))
	if err, _ := pc.Get(md.broken).(error); err != nil {
		return rendered{}, err
	}
	var out bytes.Buffer
	if err := md.Renderer().Render(&out, source, doc); err != nil {
		return rendered{}, fmt.Errorf("render a page: %w", err)
	}
	page := rendered{body: template.HTML(out.String())} //nolint:gosec // our own pages
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		if h, ok := n.(*ast.Heading); ok {
			id, _ := h.AttributeString("id")
			anchor, _ := id.([]byte)
			title := strings.TrimSuffix(plain(h, source), "#")
			if page.title == "" {
				page.title = title
			}
			page.sections = append(page.sections, section{title: title, anchor: string(anchor)})
			continue
		}
		if last := len(page.sections) - 1; last >= 0 {
			page.sections[last].text += plain(n, source) + " "
		}
	}
	return page, nil
}

// plain returns the text of a node without its markup.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			b.Write(n.Segment.Value(source))
			if n.SoftLineBreak() || n.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(n.Value)
		case *ast.FencedCodeBlock:
			for i := range n.Lines().Len() {
				line := n.Lines().At(i)
				b.Write(line.Value(source))
			}
		case *ast.ListItem, *ast.Paragraph:
			b.WriteByte(' ')
		}
		return ast.WalkContinue, nil
	})
	return strings.TrimSpace(b.String())
}

// menus reads the sidebar from the list of guides: a group of links for each of its headings.
func menus(md markdown, source []byte) (groups []menu) {
	doc := md.Parser().Parse(gmtext.NewReader(source))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			if n.Level > 1 {
				groups = append(groups, menu{Title: strings.TrimSuffix(plain(n, source), "#")})
			}
			return ast.WalkSkipChildren, nil
		case *ast.Link:
			if _, listed := n.Parent().Parent().(*ast.ListItem); listed && len(groups) > 0 {
				last := &groups[len(groups)-1]
				last.Links = append(last.Links, menuLink{Title: plain(n, source), Path: string(n.Destination)})
			}
		}
		return ast.WalkContinue, nil
	})
	return groups
}

// readGuides renders every page of a folder, by name without .md.
func readGuides(md markdown, guides fs.FS) (map[string]rendered, error) {
	files, err := fs.Glob(guides, "*.md")
	if err != nil {
		return nil, fmt.Errorf("read the guides: %w", err)
	}
	pages := map[string]rendered{}
	for _, file := range files {
		source, err := fs.ReadFile(guides, file)
		if err != nil {
			return nil, fmt.Errorf("read the guides: %w", err)
		}
		page, err := render(md, source)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		pages[strings.ToLower(strings.TrimSuffix(file, ".md"))] = page
	}
	return pages, nil
}
