package domain

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// BlockKind is what a block of a document is.
type BlockKind uint8

// The kinds of blocks.
const (
	Paragraph BlockKind = iota
	Heading
	List
	TableRow
	Code
)

// Block is a piece of a document in reading order: a paragraph, a heading, an item of a list, a row of a table, or code.
type Block struct {
	Kind   BlockKind
	Level  int // of a heading 1 (the highest) to 9, of an item of a list its nesting from 1 on, else 0
	Page   int // from 1 on; 0 in documents without pages
	Text   string
	Header string // of a row of a table: the text of the header row; empty for the header row itself
}

// Extracted is the text of a file, before it is cleaned and joined by Split.
type Extracted struct {
	Title  string // empty where the file names none
	Pages  int    // pages, slides; 0 in documents without pages
	Blocks []Block
}

// Clean returns a text that every store accepts and in which equal letters are equal: valid UTF-8 in the normal form NFC,
// without NUL and other control characters, soft hyphens and byte order marks, with lines ended by "\n". Cleaning a clean
// text changes nothing.
func Clean(s string) string {
	if isPlain(s) {
		return s
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	var b strings.Builder
	b.Grow(len(s))
	after := rune(0)
	for _, r := range s {
		switch {
		case r == '\r', r == '\f', r == '\v', r == '\u0085', r == '\u2028', r == '\u2029':
			b.WriteByte('\n')
		case r == '\n' && after == '\r': // it has been written
		case r == '\n', r == '\t':
			b.WriteRune(r)
		case unicode.IsControl(r), r == '\u00ad', r == '\ufeff':
		default:
			b.WriteRune(r)
		}
		after = r
	}
	return norm.NFC.String(b.String())
}

// isPlain reports whether a text is printable ASCII with lines and tabs, as most texts without letters of other
// alphabets are.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x7f || c < ' ' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}
