package domain

import (
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// KeptText is the whole text of a document as it is stored. Offsets count Unicode code points from its beginning.
type KeptText struct {
	Text  string
	Pages []int // the offset at which each page begins, page 1 first; empty in documents without pages
}

// PageAt returns the page that an offset lies on, from 1 on; 0 in documents without pages.
func (k KeptText) PageAt(offset int) int {
	return sort.SearchInts(k.Pages, offset+1)
}

// Page returns the text of a page with its offsets, and false where there is no such page.
func (k KeptText) Page(page int) (text string, start, end int, ok bool) {
	if page < 1 || page > len(k.Pages) {
		return "", 0, 0, false
	}
	start = k.Pages[page-1]
	if page < len(k.Pages) {
		end = k.Pages[page]
		text = k.Slice(start, end)
	} else {
		text = k.Slice(start, len(k.Text))
		end = start + utf8.RuneCountInString(text)
	}
	return text, start, end, true
}

// Slice returns the text between two offsets, cut at the ends of the text.
func (k KeptText) Slice(start, end int) string {
	if start < 0 {
		start = 0
	}
	if end <= start {
		return ""
	}
	from := advance(k.Text, 0, start)
	return k.Text[from:advance(k.Text, from, end-start)]
}

// advance returns the position in bytes that is n code points after a position in bytes, at most the end of the text.
func advance(text string, at, n int) int {
	for ; n > 0 && at < len(text); n-- {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return at
}

// part is a block in the kept text.
type part struct {
	block      Block // its text is that of the kept text
	start, end place
	path       []string // headings above it, itself included
}

// place is a position in the kept text, in both units.
type place struct{ byte, rune int }

// join builds the kept text of the blocks that have one.
func join(e Extracted) (KeptText, []part) {
	var (
		text  strings.Builder
		kept  KeptText
		parts []part
		at    place
		path  headingPath
		pages = e.Pages
	)
	for _, b := range e.Blocks {
		b.Text = Clean(b.Text)
		b.Text = strings.TrimRightFunc(b.Text, unicode.IsSpace)
		if b.Kind == Code { // keeps how its first line is indented
			b.Text = strings.TrimLeft(b.Text, "\n")
		} else {
			b.Text = strings.TrimLeftFunc(b.Text, unicode.IsSpace)
		}
		if b.Text == "" {
			continue
		}
		if len(parts) > 0 {
			separator := "\n\n"
			if last := parts[len(parts)-1].block.Kind; last == b.Kind && (last == TableRow || last == List) {
				separator = "\n"
			}
			text.WriteString(separator)
			at = place{at.byte + len(separator), at.rune + len(separator)}
		}
		pages = max(pages, b.Page)
		for len(kept.Pages) < b.Page {
			kept.Pages = append(kept.Pages, at.rune)
		}
		if b.Kind == Heading {
			path.enter(b)
		}
		end := place{at.byte + len(b.Text), at.rune + utf8.RuneCountInString(b.Text)}
		text.WriteString(b.Text)
		parts = append(parts, part{block: b, start: at, end: end, path: path.names})
		at = end
	}
	for len(kept.Pages) < pages {
		kept.Pages = append(kept.Pages, at.rune)
	}
	kept.Text = text.String()
	for i := range parts { // the blocks' own copies need not be kept in memory
		parts[i].block.Text = kept.Text[parts[i].start.byte:parts[i].end.byte]
	}
	return kept, parts
}

// headingPath is the headings above a block, the highest first.
type headingPath struct {
	names  []string
	levels []int
}

const maxHeading = 200 // code points of a heading in a path

func (p *headingPath) enter(h Block) {
	n := 0
	for n < len(p.levels) && p.levels[n] < h.Level {
		n++
	}
	name := strings.Join(strings.Fields(h.Text[:advance(h.Text, 0, maxHeading)]), " ")
	p.levels = append(p.levels[:n:n], h.Level)
	p.names = append(p.names[:n:n], name) // a new slice: earlier blocks keep theirs
}

// TextOf returns the whole text of a file.
func TextOf(e Extracted) string {
	kept, _ := join(e)
	return kept.Text
}
