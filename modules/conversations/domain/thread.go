// Package domain has threads, messages and turns, and their rules.
package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// ThreadStatus is whether a thread is active or archived.
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

// ErrTitle and ErrMetadata state the rules for the labels of a thread.
var (
	ErrTitle    = errors.New("must have at most 200 characters")
	ErrMetadata = errors.New("must be an object of at most 16384 bytes of JSON without spaces")
)

// Thread is a conversation, with a bot or without one.
type Thread struct {
	ID            uuid.UUID
	WorkspaceID   uuid.UUID
	BotID         *uuid.UUID // nil: without a bot
	Channel       *Channel   // nil: opened by an API call
	Status        ThreadStatus
	Title         string
	Metadata      json.RawMessage // an object
	Variables     Variables       // for each turn
	CreatedBy     uuid.UUID
	EndUserID     *uuid.UUID // whose thread it is; nil: of no end user
	CreatedAt     time.Time
	ExpiresAt     *time.Time // when the thread is deleted; nil: it stays
	Trial         bool       // an editor tries a version of the bot in it
	LastMessageAt *time.Time // nil: the thread has no message
	CurrentTurnID *uuid.UUID // the last turn of the current branch; nil: there is none
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

// CheckMetadata returns ErrMetadata for metadata that are not an object or are too large.
func CheckMetadata(metadata json.RawMessage) error {
	var compact bytes.Buffer
	if json.Compact(&compact, metadata) != nil || compact.Len() > maxMetadata || compact.Bytes()[0] != '{' {
		return ErrMetadata
	}
	return nil
}

// Channel is a conversation in an outside system, with the name that the system gave it. Its events arrive at an
// endpoint of the channels module.
type Channel struct {
	EndpointID     uuid.UUID
	ConversationID string
}
