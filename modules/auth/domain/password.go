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

// Password is what a user chose, in Unicode normalization form C: two keyboards that write the same character differently
// give the same password. It is neither trimmed nor shortened, and does not print.
type Password struct{ text string }

// Why a password is refused.
var (
	ErrPasswordLength = errors.New("must have 8 to 128 characters")
	ErrPasswordWeak   = errors.New("is too easy to guess: use several words that do not belong together, and none of your address or workspace")
)

const (
	minPasswordScore = 2  // of zxcvbn, 0 to 4: a million guesses or more
	estimatedLength  = 32 // characters that are estimated at a time, for the time of an estimate grows with their cube
)

// NewPassword checks a password that is to be set. Words of the context, such as the user's address, make it no stronger.
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

// KnownPassword gives a password that was verified, to be hashed anew. It may be older than the rules of NewPassword.
func KnownPassword(text string) Password { return Password{norm.NFC.String(text)} }

// PasswordForms gives the texts that a hash may have been made of when this is the right password: its normal form, and
// the text as it is, which was hashed before passwords were normalised.
func PasswordForms(text string) []string {
	normal := norm.NFC.String(text)
	if normal == text {
		return []string{text}
	}
	return []string{normal, text}
}

// PasswordContext gives the words that a password must not be made of: those of the user's address and workspace.
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

// isStrong estimates how hard a password is to guess. A long one is as strong as its beginning or its end.
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

// ends gives a text, or the beginning and the end of a long one.
func ends(text string) []string {
	if len(text) <= estimatedLength {
		return []string{text}
	}
	return []string{text[:estimatedLength], text[len(text)-estimatedLength:]}
}

// inASCII writes letters of other scripts as Latin ones, neighbors as neighbors, for the estimator knows repetitions and
// sequences of those only.
func inASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf {
			return r
		}
		return 'a' + unicode.ToLower(r)%26
	}, text)
}

// Reveal gives the text, for hashing.
func (p Password) Reveal() string { return p.text }

func (Password) String() string { return "[password]" }

// GoString keeps it out of %#v too.
func (Password) GoString() string { return "[password]" }
