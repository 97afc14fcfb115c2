package domain

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Word is a word of a text as searches compare it.
type Word struct {
	Text       string // in lower case, without accents
	Start, End int    // where it stands in the text, in code points
}

// maxWord is how many code points of a word are compared.
const maxWord = 64

// Words divides a text into words: runs of letters and digits, between any other characters. Texts in Chinese, Japanese and
// Korean, which have no spaces between words, give each two neighboring characters.
func Words(text string) (words []Word) {
	at, begin := 0, -1
	var run []rune
	end := func() {
		if begin >= 0 {
			words = append(words, wordsOf(run, begin)...)
		}
		run, begin = run[:0], -1
	}
	cjk := false
	for _, r := range text {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if is := isCJK(r); begin >= 0 && is != cjk {
				end()
				cjk = is
			} else {
				cjk = is
			}
			if begin < 0 {
				begin = at
			}
			run = append(run, r)
		case unicode.IsMark(r) && begin >= 0:
			run = append(run, r)
		default:
			end()
		}
		at++
	}
	end()
	return words
}

// wordsOf returns the words of a run of letters that begins at an offset.
func wordsOf(run []rune, begin int) []Word {
	if !isCJK(run[0]) || len(run) == 1 {
		if text := fold(run); text != "" {
			return []Word{{Text: text, Start: begin, End: begin + len(run)}}
		}
		return nil
	}
	words := make([]Word, 0, len(run)-1)
	for i := range len(run) - 1 {
		words = append(words, Word{Text: fold(run[i : i+2]), Start: begin + i, End: begin + i + 2})
	}
	return words
}

// isCJK reports whether a letter is of a script without spaces between words.
func isCJK(r rune) bool {
	return r >= 0x2e80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// fold returns a word in lower case, in its compatibility form, with ё as е, and without the accents of Latin and Greek
// letters. Marks of other scripts make other letters, as й of и, and stay.
func fold(run []rune) string {
	ascii := true
	for _, r := range run {
		ascii = ascii && r < utf8.RuneSelf
	}
	if len(run) > maxWord {
		run = run[:maxWord]
	}
	if ascii {
		return strings.ToLower(string(run))
	}
	var b strings.Builder
	accented := false
	for _, r := range norm.NFKD.String(strings.ToLower(string(run))) {
		switch {
		case unicode.IsMark(r):
			if accented {
				continue
			}
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			accented = unicode.In(r, unicode.Latin, unicode.Greek)
		default:
			continue // such as the dots that a compatibility form may have
		}
		b.WriteRune(r)
	}
	return strings.ReplaceAll(norm.NFC.String(b.String()), "ё", "е")
}

// JoinWords returns the words of a text with single spaces between them, which Postgres divides again in the same way.
func JoinWords(text string) string {
	var b strings.Builder
	for i, w := range Words(text) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w.Text)
	}
	return b.String()
}

// HeadingWords returns the words of the headings above a chunk, and of the header of its table.
func HeadingWords(c Chunk) string {
	return JoinWords(strings.Join(c.Headings, " ") + " " + c.TableHeader)
}
