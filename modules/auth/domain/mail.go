package domain

import (
	"errors"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrNameText states what a name must not contain that is used in emails.
var ErrNameText = errors.New("must have no control characters and no web address: emails have it")

// webAddress matches what a mail client may turn into a link in a plain text: a scheme, www, or a domain with a path.
var webAddress = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://|\bwww\.\S|\bmailto:|[\pL\pN-]\.\pL{2,}/`)

// dotted matches a dot that mail clients may turn into part of a link.
var dotted = regexp.MustCompile(`([\pL\pN])\.([\pL\pN])`)

const mailNameLength = 60 // characters of a name in an email

// checkNameText returns ErrNameText for a new name that must not be used in an email.
func checkNameText(name string) error {
	if strings.ContainsFunc(name, isControl) || webAddress.MatchString(name) {
		return ErrNameText
	}
	return nil
}

// isControl reports whether a character begins a line, or changes the direction of others.
func isControl(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// MailName makes a name safe for the text of an email, including names that are older than the rules for names. The
// result is one line of at most 60 characters, and mail clients take nothing in it for a link.
func MailName(name string) string {
	name = strings.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	if utf8.RuneCountInString(name) > mailNameLength {
		name = string([]rune(name)[:mailNameLength]) + "…"
	}
	name = strings.NewReplacer("://", "[:]//", "@", "[at]", `"`, "'").Replace(name)
	for dotted.MatchString(name) { // a match takes the letter that the next one would begin with
		name = dotted.ReplaceAllString(name, "$1[.]$2")
	}
	return name
}

// MailAddress returns an address for the text of an email. A short address in canonical form is returned as it is; any
// other is treated as a name, by MailName.
func MailAddress(address string) string {
	email, err := NewEmail(address)
	if err != nil || email.String() != address || utf8.RuneCountInString(address) > 100 {
		return MailName(address)
	}
	return address
}

// Mailbox returns the mailbox of an address, without the tag: many servers deliver all tags to the same mailbox.
func (e Email) Mailbox() string {
	local, host, _ := strings.Cut(e.address, "@")
	if name, _, tagged := strings.Cut(local, "+"); tagged && name != "" {
		local = name
	}
	return local + "@" + host
}
