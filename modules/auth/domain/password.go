package domain

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trustelem/zxcvbn"
	"golang.org/x/text/unicode/norm"
)

// Password is a password that a user chose, in Unicode normalization form C, so that keyboards that encode the same
// character differently produce the same password. It is neither trimmed nor shortened. Formatting it does not print
// the text.
type Password struct{ text string }

// Errors of NewPassword.
var (
	ErrPasswordLength = errors.New("must have 8 to 128 characters")
	ErrPasswordWeak   = errors.New("is too easy to guess: use several words that do not belong together, and none of your address or workspace")
)

const (
	minPasswordScore = 2  // of zxcvbn, 0 to 4: a million guesses or more
	estimatedLength  = 32 // characters that are estimated at a time, for the time of an estimate grows with their cube
)

// NewPassword checks a password that is to be set. Words of the context, such as the user's address, add nothing to its
// strength.
func NewPassword(text string, context ...string) (Password, error) {
	text = norm.NFC.String(text)
	if n := utf8.RuneCountInString(text); n < 8 || n > 128 {
		return Password{}, ErrPasswordLength
	}
	if !isStrong(text, context) {
		return Password{}, ErrPasswordWeak
	}
	return Password{text}, nil
}

// KnownPassword returns a password that was verified, to be hashed again. It may be older than the rules of
// NewPassword.
func KnownPassword(text string) Password { return Password{norm.NFC.String(text)} }

// PasswordForms returns the texts from which a hash may have been made when this is the right password: its normal
// form, and the unchanged text, which was hashed before passwords were normalized.
func PasswordForms(text string) []string {
	normal := norm.NFC.String(text)
	if normal == text {
		return []string{text}
	}
	return []string{normal, text}
}

// PasswordContext returns the words that a password must not be made of: those of the user's address and workspace.
func PasswordContext(email, workspace string) []string {
	local, host, _ := strings.Cut(email, "@")
	context := []string{email}
	apart := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	for _, text := range []string{local, host, workspace} {
		words := strings.FieldsFunc(text, apart)
		context = append(context, text, strings.Join(words, ""))
		context = append(context, words...)
	}
	return context
}

// isStrong reports whether a password is hard to guess. A long password is strong if its beginning or its end is
// strong.
func isStrong(text string, context []string) bool {
	var words []string
	for _, word := range context {
		if utf8.RuneCountInString(word) > 2 {
			words = append(words, ends(inASCII(word))...)
		}
	}
	return slices.ContainsFunc(ends(inASCII(text)), func(part string) bool {
		return zxcvbn.PasswordStrength(part, words).Score >= minPasswordScore
	})
}

// ends returns a text, or the beginning and the end of a long one.
func ends(text string) []string {
	if len(text) <= estimatedLength {
		return []string{text}
	}
	return []string{text[:estimatedLength], text[len(text)-estimatedLength:]}
}

// inASCII maps letters of other scripts to Latin ones, so that neighbors stay neighbors. The estimator finds
// repetitions and sequences in Latin letters only.
func inASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf {
			return r
		}
		return 'a' + unicode.ToLower(r)%26
	}, text)
}

// Reveal returns the text, for hashing.
func (p Password) Reveal() string { return p.text }

func (Password) String() string { return "[password]" }

// GoString keeps the text out of %#v.
func (Password) GoString() string { return "[password]" }
