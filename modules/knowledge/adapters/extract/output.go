package extract

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/parley/parley/modules/knowledge/domain"
)

// output collects the blocks of a document, within the limits.
type output struct {
	ctx        context.Context // of one extraction, to whose parsers the output is given
	limits     Limits
	extracted  domain.Extracted
	characters int
	page       int    // on which what is added lies
	header     string // of the table whose rows are added
}

// add appends a block, unless it is blank. It fails where a limit is reached or the time is over, and so ends every parser.
func (o *output) add(kind domain.BlockKind, level int, text string) error {
	return o.addBlock(domain.Block{Kind: kind, Level: level, Page: o.page, Text: text})
}

func (o *output) addBlock(b domain.Block) error {
	if err := o.ctx.Err(); err != nil {
		return err
	}
	if strings.TrimSpace(b.Text) == "" {
		return nil
	}
	if o.characters += utf8.RuneCountInString(b.Text); o.characters > o.limits.Characters {
		return tooLarge("characters", int64(o.limits.Characters))
	}
	if len(o.extracted.Blocks) >= o.limits.Blocks {
		return tooLarge("blocks", int64(o.limits.Blocks))
	}
	o.extracted.Blocks = append(o.extracted.Blocks, b)
	return nil
}

// nextPage begins a page.
func (o *output) nextPage() error {
	if o.page++; o.page > o.limits.Pages {
		return tooLarge("pages", int64(o.limits.Pages))
	}
	o.extracted.Pages = o.page
	return o.ctx.Err()
}

// title sets the title of the document where it has none.
func (o *output) title(text string) {
	if o.extracted.Title == "" {
		o.extracted.Title = oneLine(text)
	}
}

// beginTable makes the next row that is not blank a header row, if the table has one.
func (o *output) beginTable() { o.header = "" }

const betweenCells = " | "

// row appends a row of a table. The header row is repeated beside all rows of its table that follow.
func (o *output) row(cells []string, isHeader bool) error {
	last := len(cells)
	for last > 0 && strings.TrimSpace(cells[last-1]) == "" {
		last--
	}
	clean := make([]string, last)
	for i, c := range cells[:last] {
		clean[i] = oneLine(c)
	}
	text := strings.Join(clean, betweenCells)
	if text == "" {
		return nil
	}
	b := domain.Block{Kind: domain.TableRow, Page: o.page, Text: text, Header: o.header}
	if isHeader {
		b.Header, o.header = "", text
	}
	return o.addBlock(b)
}

// oneLine returns a text with one space wherever it has white space.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
