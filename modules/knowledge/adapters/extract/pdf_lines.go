package extract

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/parley/parley/modules/knowledge/domain"
)

type paragraph struct {
	kind domain.BlockKind
	text string
}

// paragraphs divides the lines of a page of a PDF, which knows no paragraphs, where a line ends early, or after a
// sentence that does not fill its line, and before an item of a list. Words that are divided at the end of a line are
// joined.
func paragraphs(page string) (all []paragraph) {
	lines := strings.Split(lineEnds().Replace(page), "\n")
	widths := make([]int, 0, len(lines))
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
		if w := utf8.RuneCountInString(lines[i]); w > 0 {
			widths = append(widths, w)
		}
	}
	slices.Sort(widths)
	full := 0
	if len(widths) > 0 {
		full = widths[len(widths)*3/4]
	}
	var text strings.Builder
	kind := domain.Paragraph
	flush := func() {
		if text.Len() > 0 {
			all = append(all, paragraph{kind, text.String()})
		}
		text.Reset()
		kind = domain.Paragraph
	}
	last := ""
	for _, line := range lines {
		switch {
		case line == "":
			flush()
		case isItem(line):
			flush()
			kind = domain.List
			text.WriteString(line)
		case text.Len() == 0:
			text.WriteString(line)
		case endsParagraph(last, line, full):
			flush()
			text.WriteString(line)
		default:
			joined := text.String()
			divided, compound := isDivided(last, line)
			if divided {
				text.Reset()
				text.WriteString(strings.TrimSuffix(joined, "-"))
			} else if !compound {
				text.WriteByte(' ')
			}
			text.WriteString(line)
		}
		last = line
	}
	flush()
	return all
}

// lineEnds is for how PDFium writes the ends of lines, and of lines that end with a hyphen.
func lineEnds() *strings.Replacer {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n", "\ufffe", "-\n", "\x02", "-\n")
}

var sectionNumber = regexp.MustCompile(`^\d{1,3}(\.\d{1,3}){1,4}\.?\s+\pL`)

// endsParagraph reports whether a line is the last one of its paragraph. full is how long lines are that are filled.
func endsParagraph(line, next string, full int) bool {
	width := utf8.RuneCountInString(line)
	last, _ := utf8.DecodeLastRuneInString(line)
	first, _ := utf8.DecodeRuneInString(next)
	switch {
	case unicode.IsLower(first):
		return false
	case sectionNumber.MatchString(next):
		return true
	case strings.ContainsRune(".!?:;…。！？", last):
		return width < full*9/10
	default:
		return width < full*6/10
	}
}

// isDivided reports whether the word at the end of a line goes on in the next one: as the same word, or as the second of
// two that a hyphen joins.
func isDivided(line, next string) (divided, compound bool) {
	body, ok := strings.CutSuffix(line, "-")
	before, _ := utf8.DecodeLastRuneInString(body)
	after, _ := utf8.DecodeRuneInString(next)
	if !ok || !unicode.IsLetter(before) {
		return false, false
	}
	return unicode.IsLower(after), unicode.IsUpper(after)
}

// isItem reports whether a line begins with the mark of an item of a list.
func isItem(line string) bool {
	mark, rest, ok := strings.Cut(line, " ")
	if !ok || strings.TrimSpace(rest) == "" {
		return false
	}
	switch mark {
	case "•", "◦", "▪", "■", "●", "○", "‣", "∙", "·", "–", "—", "-", "*", "\uf0b7":
		return true
	}
	number := strings.TrimRight(mark, ".)")
	return len(number) < len(mark) && len(number) > 0 && len(number) <= 3 && strings.Trim(number, "0123456789") == ""
}
