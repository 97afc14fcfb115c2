package domain

import (
	"errors"
	"unicode/utf8"
)

// Password is what a user chose, taken as it is: not trimmed, not shortened. It does not print.
type Password struct{ text string }

// ErrPassword says how long a password is.
var ErrPassword = errors.New("must have 8 to 128 characters")

// NewPassword checks a password that is to be set.
func NewPassword(text string) (Password, error) {
	if n := utf8.RuneCountInString(text); n < 8 || n > 128 {
		return Password{}, ErrPassword
	}
	return Password{text}, nil
}

// Reveal gives the text, for hashing.
func (p Password) Reveal() string { return p.text }

func (Password) String() string { return "[password]" }

// GoString keeps it out of %#v too.
func (Password) GoString() string { return "[password]" }
