// Package domain has users, workspaces and sessions, and their rules.
package domain

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/secure/precis"
)

// Email is an e-mail address in canonical form: a plain addr-spec (RFC 5322) in lower case, whose local part has no
// invisible characters and whose domain is in ASCII (IDNA). The zero Email is no address.
type Email struct {
	address string
	given   string // as it was written, trimmed and lower-cased; "" for an address without a canonical form
}

// ErrEmail states what an address must look like.
var ErrEmail = errors.New("must be a plain e-mail address of 3 to 320 characters, such as ada@example.com: no name, comment, quotes or invisible characters")

// NewEmail returns the canonical form of an address, or ErrEmail where there is none. It does not check that the
// mailbox exists (RFC 5321, 3.5.3).
func NewEmail(text string) (Email, error) {
	given := strings.ToLower(strings.TrimSpace(text))
	if n := utf8.RuneCountInString(given); n < 3 || n > 320 {
		return Email{}, ErrEmail
	}
	if strings.ContainsFunc(given, isInvisible) {
		return Email{}, ErrEmail
	}
	local, host, _ := strings.Cut(given, "@")
	local, err := precis.UsernameCaseMapped.String(local)
	if err != nil || !isDotAtom(local) {
		return Email{}, ErrEmail
	}
	if host, err = hosts().ToASCII(host); err != nil || strings.HasSuffix(host, ".") {
		return Email{}, ErrEmail
	}
	address := local + "@" + strings.ToLower(host)
	if utf8.RuneCountInString(address) > 320 {
		return Email{}, ErrEmail
	}
	return Email{address: address, given: given}, nil
}

// GivenEmail returns an address in a form that accounts older than the canonical form may have. It returns ErrEmail
// where no account can have the address.
func GivenEmail(text string) (Email, error) {
	if email, err := NewEmail(text); err == nil {
		return email, nil
	}
	given := strings.ToLower(strings.TrimSpace(text))
	local, host, ok := strings.Cut(given, "@")
	n := utf8.RuneCountInString(given)
	if !ok || local == "" || host == "" || n < 3 || n > 320 || strings.Contains(host, "@") ||
		strings.ContainsFunc(given, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return Email{}, ErrEmail
	}
	return Email{address: given}, nil
}

func (e Email) String() string { return e.address }

// Forms returns the forms in which an account of this address may be stored, the most likely first: as it was written,
// in canonical form, and with the domain in Unicode, which older accounts may have. Most addresses have one form.
func (e Email) Forms() []string {
	if e.given == "" {
		return []string{e.address}
	}
	forms := []string{e.given}
	local, host, _ := strings.Cut(e.address, "@")
	unicodeHost, err := hosts().ToUnicode(host)
	if err != nil {
		unicodeHost = host
	}
	for _, form := range []string{e.address, local + "@" + unicodeHost} {
		if !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

// hosts returns the profile that converts domains to ASCII (UTS 46, non-transitional).
func hosts() *idna.Profile {
	return idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.Transitional(false), idna.VerifyDNSLength(true))
}

// isDotAtom reports whether a local part needs no quotes (RFC 5322, 3.2.3; RFC 6532 for what is not ASCII).
func isDotAtom(local string) bool {
	if local == "" || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return false
	}
	return !strings.ContainsFunc(local, func(r rune) bool {
		return r < utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r)
	})
}

// isInvisible reports whether a character is invisible or changes how others are shown: spaces, controls, format
// characters such as U+200B and those of bidirectional text, and variation selectors.
func isInvisible(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Zs, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}
