// Package domain has users, workspaces and sessions, and the rules that hold for them whatever stores or serves them.
package domain

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Email is an address, trimmed and lower-cased. The zero Email is none.
type Email struct{ address string }

// ErrEmail says what an address must look like.
var ErrEmail = errors.New("must be an e-mail address of 3 to 320 characters, such as ada@example.com")

// NewEmail checks an address. Whether a mailbox is behind it, only a letter to it could tell (RFC 5321, 3.5.3).
func NewEmail(text string) (Email, error) {
	address := strings.ToLower(strings.TrimSpace(text))
	local, host, ok := strings.Cut(address, "@")
	n := utf8.RuneCountInString(address)
	if !ok || local == "" || host == "" || n < 3 || n > 320 || strings.Contains(host, "@") ||
		strings.ContainsFunc(address, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return Email{}, ErrEmail
	}
	return Email{address}, nil
}

func (e Email) String() string { return e.address }
