// Package domain has threads, messages and turns, and the rules that hold for them.
package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// ThreadStatus is where a thread is in its life.
type ThreadStatus string

// The statuses of a thread.
const (
	ThreadActive   ThreadStatus = "active"
	ThreadArchived ThreadStatus = "archived"
)

const (
	maxTitle    = 200
	maxMetadata = 16 << 10 // bytes of JSON without spaces
)

// ErrTitle and ErrMetadata say what a thread may be labeled with.
var (
	ErrTitle    = errors.New("must have at most 200 characters")
	ErrMetadata = errors.New("must be an object of at most 16384 bytes of JSON without spaces")
)

// Thread is a conversation, with a bot or without one.
type Thread struct {
	ID            uuid.UUID
	WorkspaceID   uuid.UUID
	BotID         *uuid.UUID // nil: without a bot
	Channel       *Channel   // nil: opened by a call
	Status        ThreadStatus
	Title         string
	Metadata      json.RawMessage // an object
	CreatedBy     uuid.UUID
	CreatedAt     time.Time
	LastMessageAt *time.Time // nil: nothing has been said
}

// NewThread opens a thread.
func NewThread(workspace, by uuid.UUID, bot *uuid.UUID, now time.Time) Thread {
	return Thread{
		ID:          uuid.Must(uuid.NewV7()),
		WorkspaceID: workspace,
		BotID:       bot,
		Status:      ThreadActive,
		Metadata:    json.RawMessage("{}"),
		CreatedBy:   by,
		CreatedAt:   now,
	}
}

// Label sets title and metadata; nil metadata are none: {}.
func (t *Thread) Label(title string, metadata json.RawMessage) error {
	if len(metadata) == 0 {
		metadata = json.RawMessage("{}")
	}
	if err := errors.Join(CheckTitle(title), CheckMetadata(metadata)); err != nil {
		return err
	}
	t.Title, t.Metadata = title, metadata
	return nil
}

// CheckTitle returns ErrTitle for a title that is too long.
func CheckTitle(title string) error {
	if utf8.RuneCountInString(title) > maxTitle {
		return ErrTitle
	}
	return nil
}

// CheckMetadata returns ErrMetadata for what is no object or too large.
func CheckMetadata(metadata json.RawMessage) error {
	var compact bytes.Buffer
	if json.Compact(&compact, metadata) != nil || compact.Len() > maxMetadata || compact.Bytes()[0] != '{' {
		return ErrMetadata
	}
	return nil
}
