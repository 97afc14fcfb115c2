package domain

import (
	_ "embed"
	"errors"
	"strings"
	"unicode/utf8"
)

// Password is what a user chose, taken as it is: not trimmed, not shortened. It does not print.
type Password struct{ text string }

// Why a password is refused.
var (
	ErrPasswordLength = errors.New("must have 8 to 128 characters")
	ErrPasswordCommon = errors.New("is one of the commonest passwords: choose another")
)

// The 5,000 commonest passwords of at least 8 characters, between empty lines, from the frequency lists of zxcvbn 4.4.2 (MIT).
//
//go:embed common_passwords.txt
var commonPasswords string

// NewPassword checks a password that is to be set.
func NewPassword(text string) (Password, error) {
	if n := utf8.RuneCountInString(text); n < 8 || n > 128 {
		return Password{}, ErrPasswordLength
	}
	if strings.Contains(commonPasswords, "\n"+strings.ToLower(text)+"\n") { // a line of the list; quick beside a hash
		return Password{}, ErrPasswordCommon
	}
	return Password{text}, nil
}

// Reveal gives the text, for hashing.
func (p Password) Reveal() string { return p.text }

func (Password) String() string { return "[password]" }

// GoString keeps it out of %#v too.
func (Password) GoString() string { return "[password]" }
