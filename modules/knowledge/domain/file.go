// Package domain has the rules of files.
package domain

import (
	"errors"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// ErrFileName says that a file has no name, or one that is too long.
var ErrFileName = errors.New("must have a name of 1 to 255 characters")

const maxFileName = 255

// File is a document that was uploaded, without its bytes. It is never changed.
type File struct {
	ID          uuid.UUID
	WorkspaceID uuid.UUID
	Name        FileName
	ContentType string // found out from the bytes
	Size        int64  // bytes
	SHA256      [32]byte
	CreatedBy   uuid.UUID
	CreatedAt   time.Time
}

// FileName is what a file is called: a name that leads nowhere and shows as what it is.
type FileName struct{ text string }

const joiners = "\u200c\u200d" // ZWNJ and ZWJ, which Persian, Hindi and emoji are written with

// NewFileName makes a name of what a sender calls a file: of a path the last part, without characters that control a
// terminal or the direction of writing. It returns ErrFileName where none is left, or more than 255 characters.
func NewFileName(sent string) (FileName, error) {
	name := path.Base(strings.ReplaceAll(strings.ToValidUTF8(sent, "\uFFFD"), `\`, "/"))
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !strings.ContainsRune(joiners, r) && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, name))
	if strings.Trim(name, joiners+" ") == "" || name == "." || name == ".." || name == "/" || utf8.RuneCountInString(name) > maxFileName {
		return FileName{}, ErrFileName
	}
	return FileName{name}, nil
}

// RestoreFileName gives a name that is stored, as it is.
func RestoreFileName(stored string) FileName { return FileName{stored} }

// String gives the name.
func (n FileName) String() string { return n.text }
