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

// ErrFileName means that a file has no name, or one that is too long.
var ErrFileName = errors.New("must have a name of 1 to 255 characters")

const maxFileName = 255

// The limits of the files of one end user.
const (
	MaxOwnedFiles = 100
	MaxOwnedBytes = 100 << 20
)

// File is an uploaded document, without its bytes. It never changes.
type File struct {
	ID          uuid.UUID
	WorkspaceID uuid.UUID
	Name        FileName
	ContentType string // detected from the bytes
	Size        int64  // bytes
	SHA256      [32]byte
	CreatedBy   uuid.UUID
	CreatedAt   time.Time
}

// FileName is the name of a file. It contains no path and no characters that change how it is displayed.
type FileName struct{ text string }

const joiners = "\u200c\u200d" // ZWNJ and ZWJ, which Persian, Hindi and emoji are written with

// NewFileName makes a file name of the name that a sender gave: the last part of a path, without characters that
// control a terminal or the direction of writing. It returns ErrFileName where nothing is left, or more than 255
// characters.
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

// RestoreFileName returns a stored name as it is.
func RestoreFileName(stored string) FileName { return FileName{stored} }

// String returns the name.
func (n FileName) String() string { return n.text }
