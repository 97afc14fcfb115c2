package domain

import (
	"errors"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrNameText says what a name that is used in emails must not have.
var ErrNameText = errors.New("must have no control characters and no web address: emails have it")

// webAddress is what a reader of a plain text may be sent to a page by: a scheme, www, or a domain with a path.
var webAddress = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://|\bwww\.\S|\bmailto:|[\pL\pN-]\.\pL{2,}/`)

// dotted is a dot that mail clients may make a link of.
var dotted = regexp.MustCompile(`([\pL\pN])\.([\pL\pN])`)

const mailNameLength = 60 // characters of a name in an email

// checkNameText answers ErrNameText for a new name that may not stand in an email.
func checkNameText(name string) error {
	if strings.ContainsFunc(name, isControl) || webAddress.MatchString(name) {
		return ErrNameText
	}
	return nil
}

// isControl tells whether a character begins a line, or changes the direction of others.
func isControl(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// MailName makes a name harmless in the text of an email, also one that is older than the rules for names: it is in one line
// of 60 characters at the most, and nothing in it is taken for a link.
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

// MailAddress gives an address for the text of an email: as it is where it has the canonical form and is short, else as a
// name.
func MailAddress(address string) string {
	email, err := NewEmail(address)
	if err != nil || email.String() != address || utf8.RuneCountInString(address) > 100 {
		return MailName(address)
	}
	return address
}

// Mailbox gives the mailbox of an address, without the tag that many servers deliver to the same one.
func (e Email) Mailbox() string {
	local, host, _ := strings.Cut(e.address, "@")
	if name, _, tagged := strings.Cut(local, "+"); tagged && name != "" {
		local = name
	}
	return local + "@" + host
}
