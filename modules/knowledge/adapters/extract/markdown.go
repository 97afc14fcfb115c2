package extract

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/parley/parley/modules/knowledge/domain"
)

const markdownPiece = 32 << 10 // bytes that are parsed at once, so that the parser's time is bounded

// readMarkdown reads Markdown with tables. Long documents are parsed in pieces. A piece does not know what links of others
// refer to, but the text of a link is enough.
func readMarkdown(source string, out *output) error {
	source = frontMatter(strings.ReplaceAll(source, "\r\n", "\n"), out)
	p := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.TaskList)).Parser()
	for isLong := len(source) > markdownPiece; source != ""; {
		piece := source[:pieceLength(source, markdownPiece)]
		source = source[len(piece):]
		if err := out.ctx.Err(); err != nil {
			return err
		}
		if isLong {
			piece = reference.ReplaceAllString(piece, "$1$2")
		}
		m := markdownReader{out: out, source: []byte(piece)}
		if err := m.blocks(p.Parse(text.NewReader(m.source), parser.WithContext(parser.NewContext())), 0); err != nil {
			return err
		}
	}
	return nil
}

// pieceLength returns where a text is divided: at its end, or else before the last heading, after the last blank line or
// block of code, after the last line, within the first most bytes.
func pieceLength(source string, most int) int {
	if len(source) <= most {
		return len(source)
	}
	at, heading, blank, fence := 0, 0, 0, ""
	for line := range strings.Lines(source[:most]) {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence != "":
			if strings.HasPrefix(trimmed, fence) {
				fence, blank = "", at+len(line)
			}
		case strings.HasPrefix(trimmed, "```"), strings.HasPrefix(trimmed, "~~~"):
			fence = trimmed[:3]
		case strings.HasPrefix(line, "#") && at > 0:
			heading = at
		case trimmed == "" && strings.HasSuffix(line, "\n"):
			blank = at + len(line)
		}
		if at += len(line); at == most && !strings.HasSuffix(line, "\n") {
			at -= len(line)
		}
	}
	for _, end := range []int{heading, blank, at} {
		if end > most/4 {
			return end
		}
	}
	return len(strings.ToValidUTF8(source[:most], "")) // one line
}

var reference = regexp.MustCompile(`(^|[^!])\[([^\[\]\n]{1,500})\]\[[^\[\]\n]{0,100}\]`)

var titleOfFrontMatter = regexp.MustCompile(`(?m)^title:[ \t]*["']?(.*?)["']?[ \t]*$`)

// frontMatter returns the source without the settings at its beginning, and takes the title from them.
func frontMatter(source string, out *output) string {
	body, found := strings.CutPrefix(source, "---\n")
	if !found {
		return source
	}
	settings, body, found := strings.Cut(body, "\n---\n")
	if !found || len(settings) > 8<<10 {
		return source
	}
	if m := titleOfFrontMatter.FindStringSubmatch(settings); m != nil {
		out.title(m[1])
	}
	return body
}

type markdownReader struct {
	out    *output
	source []byte
	marker string // of the item of a list whose text has not come yet
}

// blocks adds the blocks within a node. level counts the lists around them.
func (m *markdownReader) blocks(parent ast.Node, level int) error {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		if err := m.block(n, level); err != nil {
			return err
		}
	}
	return nil
}

func (m *markdownReader) block(n ast.Node, level int) error {
	switch n := n.(type) {
	case *ast.Heading:
		title := m.inline(n)
		if n.Level == 1 {
			m.out.title(title)
		}
		return m.out.add(domain.Heading, n.Level, oneLine(title))
	case *ast.Paragraph, *ast.TextBlock:
		kind, item := domain.Paragraph, m.marker
		if level > 0 {
			kind = domain.List
		}
		m.marker = ""
		if words := m.inline(n); words != "" {
			return m.out.add(kind, level, item+words)
		}
		return nil
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		m.marker = ""
		return m.out.add(domain.Code, 0, string(n.Lines().Value(m.source)))
	case *ast.HTMLBlock:
		return readHTML(string(n.Lines().Value(m.source)), m.out)
	case *ast.List:
		number := n.Start
		for item := n.FirstChild(); item != nil; item = item.NextSibling() {
			m.marker = "- "
			if n.IsOrdered() {
				m.marker = strconv.Itoa(number) + ". "
				number++
			}
			if err := m.blocks(item, level+1); err != nil {
				return err
			}
		}
		return nil
	case *east.Table:
		m.out.beginTable()
		for row := n.FirstChild(); row != nil; row = row.NextSibling() {
			var cells []string
			for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
				cells = append(cells, m.inline(cell))
			}
			if err := m.out.row(cells, row.Kind() == east.KindTableHeader); err != nil {
				return err
			}
		}
		return nil
	default:
		return m.blocks(n, level)
	}
}

// inline returns the text within a node, without markup.
func (m *markdownReader) inline(parent ast.Node) string {
	var b strings.Builder
	_ = ast.Walk(parent, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			if value := n.Value(m.source); n.IsRaw() {
				b.Write(value)
			} else {
				b.Write(util.ResolveEntityNames(util.ResolveNumericReferences(util.UnescapePunctuations(value))))
			}
			switch {
			case n.HardLineBreak():
				b.WriteByte('\n')
			case n.SoftLineBreak():
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(n.Value)
		case *ast.AutoLink:
			b.Write(n.Label(m.source))
		}
		return ast.WalkContinue, nil
	})
	return strings.TrimSpace(b.String())
}
