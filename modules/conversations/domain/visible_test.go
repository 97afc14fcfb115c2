package domain_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
)

func TestATextIsVisibleWhereAReaderSeesSomethingOfIt(t *testing.T) {
	t.Parallel()
	for text, visible := range map[string]bool{
		"":                                   false,
		" \t\r\n\v\f":                        false,
		"\u00a0\u2003\u3000\u2028\u2029":     false, // Unicode's white space
		"\u200b\u200c\u200d\u2060\ufeff":     false, // zero width
		"\u200e\u200f\u202e\u2066\u2069":     false, // directions
		"\x00\x1b\u0085\u009f":               false, // control
		"\u00ad\u034f\u061c\u180e":           false, // soft hyphen, grapheme joiner, marks
		"\u115f\u1160\u3164\uffa0":           false, // fillers of Hangul
		"\ufe0f\U000e0100":                   false, // variation selectors
		"\U000e0067\U000e007f":               false, // tags
		"\u2800\u2800":                       false, // Braille without dots
		".":                                  true,
		" x ":                                true,
		"\u200bа":                            true,
		"👩\u200d👩\u200d👧":                    true, // an emoji of several with zero-width joiners
		"❤\ufe0f":                            true,
		"\U0001f1e9\U0001f1ea":               true, // a flag
		"می\u200cخواهم":                      true,
		"ㄱ":                                  true,
		"⠁":                                  true,
		"\u0600":                             true, // a format character that has a shape
		"\u0301":                             true, // an accent of nothing
		"\ufffd":                             true,
		"\U0001fae8":                         true,
		"\u200b \u3164 \u2800 \ufeff \u00a0": false,
	} {
		require.Equal(t, visible, domain.IsVisible(text), "%+q", text)
		_, err := domain.NewTurn(uuid.New(), uuid.New(), uuid.New(), text, time.Minute, time.Now())
		switch {
		case visible:
			require.NoError(t, err, "%+q", text)
		case text == "":
			require.ErrorIs(t, err, domain.ErrContent)
		default:
			require.ErrorIs(t, err, domain.ErrBlank, "%+q", text)
		}
	}
}

// A cancelled answer that nobody can see is none.
func TestABlankPartialAnswerIsNone(t *testing.T) {
	t.Parallel()
	turn, err := domain.NewTurn(uuid.New(), uuid.New(), uuid.New(), "Hi", time.Minute, time.Now())
	require.NoError(t, err)
	require.Empty(t, turn.Partial([]string{"\n", " \u200b"}, time.Now()).Content)
	require.Equal(t, "\nHel", turn.Partial([]string{"\n", "Hel"}, time.Now()).Content)
}
