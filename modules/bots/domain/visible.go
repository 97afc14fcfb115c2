package domain

import (
	"strings"
	"unicode"
)

// isVisible reports whether a text has at least one character that a reader can see. The rule is the same as in
// conversations, because models refuse blank texts. A test of cmd/parley compares the two, because domains do not
// import each other.
func isVisible(text string) bool { return strings.ContainsFunc(text, isVisibleRune) }

const (
	brailleBlank  = '\u2800'     // a symbol without dots
	nullNoteHead  = '\U0001D159' // a symbol without ink
	noncharacters = 0xFFFE       // and 0xFFFF: the last two code points of each plane
)

func isVisibleRune(r rune) bool {
	switch {
	case r == brailleBlank || r == nullNoteHead || r&0xFFFF >= noncharacters:
		return false
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r): // format characters with a shape, such as the Arabic number sign
		return true
	}
	return !unicode.In(r, unicode.White_Space, unicode.Cc, unicode.Cf, unicode.Cs, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
