package extract

import (
	"strings"
	"unicode/utf8"

	"github.com/parley/parley/modules/knowledge/domain"
)

const wrappedLine = 200 // code points: a longer line is a paragraph, a shorter one may go on in the next

// readPlain reads a text without markup: paragraphs are divided by blank lines.
func readPlain(text string, out *output) error {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	begin, end := 0, 0
	flush := func() error {
		err := out.add(domain.Paragraph, 0, text[begin:end])
		begin = end
		return err
	}
	for line := range strings.Lines(text) {
		isLong := len(line) > wrappedLine && utf8.RuneCountInString(line) > wrappedLine
		if isLong {
			if err := flush(); err != nil {
				return err
			}
		}
		end += len(line)
		if isLong || strings.TrimSpace(line) == "" || strings.Contains(line, "\f") {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
