package extract

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/parley/parley/modules/knowledge/domain"
)

// readHTML reads a page without its navigation. A page that is nothing but what is left out is read with it.
func readHTML(text string, out *output) error {
	before := len(out.extracted.Blocks)
	r := htmlReader{out: out, leaveOut: navigation}
	if err := r.read(text); err != nil {
		return err
	}
	if len(out.extracted.Blocks) == before && r.leftOut {
		return (&htmlReader{out: out}).read(text)
	}
	return nil
}

// htmlReader reads the tokens of a page in their order, without a tree: the time is linear and the memory bounded whatever
// is nested in what.
type htmlReader struct {
	out      *output
	leaveOut func(*htmlReader, *html.Token) bool // elements that are no content
	leftOut  bool                                // something has been

	skippedTag string // of the element that is being left out
	skipDepth  int    // elements of the same name within it

	text    strings.Builder // of the block, with one space for white space unless it is preformatted
	space   bool            // white space is to be written before the next word
	pre     int             // open elements of preformatted text
	heading int             // level of the open heading; 0: none
	main    int             // open elements of main content
	lists   []htmlList
	marker  string // of the item of a list whose text has not come yet
	inItem  bool   // of a list
	tables  int    // open tables: one in another is text of its cell
	cells   []string
	inCell  bool
	header  bool // the row is of headers
	rows    int  // of the table
}

type htmlList struct {
	ordered bool
	items   int
}

func (r *htmlReader) read(text string) error {
	tokens := html.NewTokenizer(strings.NewReader(text))
	tokens.SetMaxBuf(len(text) + 1)
	for n := 0; ; n++ {
		kind := tokens.Next()
		if kind == html.ErrorToken {
			if err := tokens.Err(); !errors.Is(err, io.EOF) {
				return err
			}
			return r.endRow()
		}
		if n%1024 == 0 && r.out.ctx.Err() != nil {
			return r.out.ctx.Err()
		}
		if err := r.token(kind, tokens); err != nil {
			return err
		}
	}
}

func (r *htmlReader) token(kind html.TokenType, tokens *html.Tokenizer) error {
	switch kind {
	case html.TextToken:
		if r.skipDepth == 0 {
			r.write(tokens.Token().Data)
		}
	case html.StartTagToken, html.SelfClosingTagToken:
		t := tokens.Token()
		if r.skipDepth > 0 {
			if kind == html.StartTagToken && t.Data == r.skippedTag {
				r.skipDepth++
			}
			return nil
		}
		if t.DataAtom == atom.Title && r.main == 0 {
			if tokens.Next() == html.TextToken {
				r.out.title(tokens.Token().Data)
			}
			return nil
		}
		if never(t.DataAtom) || r.leaveOut != nil && r.leaveOut(r, &t) {
			r.leftOut = true
			if kind == html.StartTagToken && !isVoid(t.DataAtom) {
				r.skippedTag, r.skipDepth = t.Data, 1
			}
			return nil
		}
		return r.start(&t)
	case html.EndTagToken:
		t := tokens.Token()
		if r.skipDepth > 0 {
			if t.Data == r.skippedTag {
				r.skipDepth--
			}
			return nil
		}
		return r.end(t.DataAtom)
	default: // comments and the like
	}
	return nil
}

func (r *htmlReader) start(t *html.Token) error {
	switch a := t.DataAtom; a {
	case atom.Br:
		if r.pre > 0 || !r.inCell && r.heading == 0 {
			r.text.WriteByte('\n')
			r.space = false
		} else {
			r.space = true
		}
	case atom.Table:
		if r.tables++; r.tables == 1 {
			r.rows = 0
			r.out.beginTable()
			return r.flush()
		}
	case atom.Tr:
		if r.tables == 1 {
			return r.endRow()
		}
	case atom.Td, atom.Th:
		if r.tables == 1 {
			r.endCell()
			r.inCell = true
			r.header = a == atom.Th && (len(r.cells) == 0 || r.header)
		} else {
			r.space = true
		}
	case atom.Main, atom.Article, atom.Section:
		r.main++
		return r.flush()
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		err := r.flush()
		r.heading = int(t.Data[1] - '0')
		return err
	case atom.Pre:
		err := r.flush()
		r.pre++
		return err
	case atom.Ul, atom.Ol, atom.Menu:
		err := r.flush()
		if len(r.lists) < r.out.limits.Depth {
			r.lists = append(r.lists, htmlList{ordered: a == atom.Ol})
		}
		return err
	case atom.Li:
		err := r.flush()
		r.inItem, r.marker = true, "- "
		if n := len(r.lists); n > 0 {
			if r.lists[n-1].items++; r.lists[n-1].ordered {
				r.marker = strconv.Itoa(r.lists[n-1].items) + ". "
			}
		}
		return err
	default:
		if isBlock(a) {
			return r.flush()
		}
	}
	return nil
}

func (r *htmlReader) end(a atom.Atom) error {
	switch a {
	case atom.Table:
		if r.tables == 1 {
			if err := r.endRow(); err != nil {
				return err
			}
		}
		r.tables = max(r.tables-1, 0)
	case atom.Tr:
		if r.tables == 1 {
			return r.endRow()
		}
	case atom.Td, atom.Th:
		if r.tables == 1 {
			r.endCell()
		}
	case atom.Main, atom.Article, atom.Section:
		r.main = max(r.main-1, 0)
		return r.flush()
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		err := r.flush()
		r.heading = 0
		return err
	case atom.Pre:
		err := r.flush()
		r.pre = max(r.pre-1, 0)
		return err
	case atom.Ul, atom.Ol, atom.Menu:
		err := r.flush()
		r.lists = r.lists[:max(len(r.lists)-1, 0)]
		r.inItem = len(r.lists) > 0
		return err
	case atom.Li:
		err := r.flush()
		r.inItem, r.marker = false, ""
		return err
	default:
		if isBlock(a) {
			return r.flush()
		}
	}
	return nil
}

// write appends text to the block.
func (r *htmlReader) write(text string) {
	if r.pre > 0 && !r.inCell {
		r.text.WriteString(text)
		return
	}
	for text != "" {
		word := strings.IndexFunc(text, unicode.IsSpace)
		if word < 0 {
			word = len(text)
		}
		if word > 0 {
			if r.space && r.text.Len() > 0 {
				r.text.WriteByte(' ')
			}
			r.text.WriteString(text[:word])
			r.space = false
			text = text[word:]
		}
		rest := strings.TrimLeftFunc(text, unicode.IsSpace)
		r.space = r.space || len(rest) < len(text)
		text = rest
	}
}

// flush ends the block. In a cell of a table it only ends a word.
func (r *htmlReader) flush() error {
	if r.inCell {
		r.space = true
		return nil
	}
	text := r.text.String()
	r.text.Reset()
	r.space = false
	if strings.TrimSpace(text) == "" {
		return nil
	}
	marker := r.marker
	r.marker = ""
	switch {
	case r.heading > 0:
		return r.out.add(domain.Heading, r.heading, oneLine(text))
	case r.pre > 0:
		return r.out.add(domain.Code, 0, text)
	case r.inItem:
		return r.out.add(domain.List, max(len(r.lists), 1), marker+text)
	default:
		return r.out.add(domain.Paragraph, 0, text)
	}
}

func (r *htmlReader) endCell() {
	if !r.inCell {
		return
	}
	r.cells = append(r.cells, r.text.String())
	r.text.Reset()
	r.inCell, r.space = false, false
}

// endRow ends a row of a table, or what is outside of rows.
func (r *htmlReader) endRow() error {
	r.endCell()
	if err := r.flush(); err != nil {
		return err
	}
	cells, isHeader := r.cells, r.header && r.rows == 0
	r.cells, r.header = r.cells[:0], false
	if len(cells) == 0 {
		return nil
	}
	if len(cells) == 1 && r.rows == 0 { // a table that only places what is in it
		return r.out.add(domain.Paragraph, 0, cells[0])
	}
	r.rows++
	return r.out.row(cells, isHeader)
}

// navigation reports whether an element is no content, but leads to other pages or is hidden.
func navigation(r *htmlReader, t *html.Token) bool {
	switch t.DataAtom {
	case atom.Nav, atom.Footer:
		return true
	case atom.Header, atom.Aside:
		return r.main == 0
	default:
	}
	for _, a := range t.Attr {
		switch v := strings.ToLower(a.Val); a.Key {
		case "hidden":
			return v != "until-found"
		case "aria-hidden":
			return v == "true"
		case "role":
			return slices.Contains([]string{"navigation", "banner", "contentinfo", "search", "menu", "menubar"}, v)
		case "style":
			v = strings.ReplaceAll(v, " ", "")
			return strings.Contains(v, "display:none") || strings.Contains(v, "visibility:hidden")
		}
	}
	return false
}

// never reports whether an element has no text that is shown as such.
func never(a atom.Atom) bool {
	switch a {
	case atom.Script, atom.Style, atom.Template, atom.Noscript, atom.Svg, atom.Math, atom.Iframe, atom.Object, atom.Button, atom.Select, atom.Textarea, atom.Canvas, atom.Audio, atom.Video:
		return true
	default:
		return false
	}
}

func isVoid(a atom.Atom) bool {
	switch a {
	case atom.Area, atom.Base, atom.Br, atom.Col, atom.Embed, atom.Hr, atom.Img, atom.Input, atom.Link, atom.Meta, atom.Source, atom.Track, atom.Wbr:
		return true
	default:
		return false
	}
}

func isBlock(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Div, atom.Blockquote, atom.Dl, atom.Dt, atom.Dd, atom.Figure, atom.Figcaption, atom.Header, atom.Aside, atom.Body, atom.Hr,
		atom.Address, atom.Fieldset, atom.Legend, atom.Form, atom.Details, atom.Summary, atom.Caption, atom.Thead, atom.Tbody, atom.Tfoot, atom.Center:
		return true
	default:
		return false
	}
}
