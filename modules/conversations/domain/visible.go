package domain

import (
	"strings"
	"unicode"
)

// IsVisible reports whether a text has at least one character that a reader can see. White space, control and format characters
// (zero width, byte order marks, marks of direction), characters that are drawn as nothing by default (variation selectors,
// fillers of Hangul) and blank symbols are not visible. Providers of models refuse messages without a visible character.
func IsVisible(text string) bool { return strings.ContainsFunc(text, isVisibleRune) }

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
