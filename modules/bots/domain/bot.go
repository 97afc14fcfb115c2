// Package domain has bots and the versions of what they are told, and the rules that hold for them.
package domain

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Status is where a bot is in its life.
type Status string

// The statuses.
const (
	Draft    Status = "draft"
	Active   Status = "active"
	Archived Status = "archived"
)

const (
	maxName        = 200
	maxInstruction = 50_000
	maxSettings    = 64 << 10 // bytes of JSON
)

// Content is what a bot is told: the part of it that has versions. It cannot be built invalid.
type Content struct {
	instruction string
	settings    json.RawMessage
}

// NewContent checks what a bot is to be told. Nil settings are none: {}.
func NewContent(instruction string, settings json.RawMessage) (Content, error) {
	if len(settings) == 0 {
		settings = json.RawMessage("{}")
	}
	if utf8.RuneCountInString(instruction) > maxInstruction {
		return Content{}, &RuleError{Field: "instruction", Rule: "must have at most 50000 characters"}
	}
	if !json.Valid(settings) || bytes.TrimSpace(settings)[0] != '{' {
		return Content{}, &RuleError{Field: "settings", Rule: "must be an object"}
	}
	if len(settings) > maxSettings {
		return Content{}, &RuleError{Field: "settings", Rule: "must have at most 65536 bytes of JSON"}
	}
	return Content{instruction: instruction, settings: settings}, nil
}

// Instruction is what the model is told, in words.
func (c Content) Instruction() string { return c.instruction }

// Settings is a JSON object.
func (c Content) Settings() json.RawMessage { return c.settings }

// Bot is a bot with the content of its current version.
type Bot struct {
	ID             uuid.UUID
	WorkspaceID    uuid.UUID
	Name           string
	Status         Status
	CurrentVersion int
	Content        Content
	CreatedBy      uuid.UUID
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Version is what a bot was told at one time; it is never rewritten.
type Version struct {
	BotID     uuid.UUID
	Number    int
	Content   Content
	CreatedBy uuid.UUID
	CreatedAt time.Time
}

// NewBot makes a bot in version 1, a draft.
func NewBot(workspace, by uuid.UUID, name string, content Content, now time.Time) (Bot, error) {
	if n := utf8.RuneCountInString(name); n < 1 || n > maxName || strings.TrimSpace(name) == "" {
		return Bot{}, &RuleError{Field: "name", Rule: "must have 1 to 200 characters and not be blank"}
	}
	return Bot{
		ID:             uuid.Must(uuid.NewV7()),
		WorkspaceID:    workspace,
		Name:           name,
		Status:         Draft,
		CurrentVersion: 1,
		Content:        content,
		CreatedBy:      by,
		CreatedAt:      now,
		UpdatedAt:      now,
	}, nil
}

// First is the version that the bot was made with.
func (b *Bot) First() Version {
	return Version{BotID: b.ID, Number: 1, Content: b.Content, CreatedBy: b.CreatedBy, CreatedAt: b.CreatedAt}
}

// Rewrite gives the bot new content as its next version.
func (b *Bot) Rewrite(content Content, by uuid.UUID, now time.Time) (Version, error) {
	if content.instruction == "" {
		return Version{}, &RuleError{Field: "instruction", Rule: "must not be empty"}
	}
	b.CurrentVersion++
	b.Content = content
	b.UpdatedAt = now
	return Version{BotID: b.ID, Number: b.CurrentVersion, Content: content, CreatedBy: by, CreatedAt: now}, nil
}

// RuleError is a broken rule about one field.
type RuleError struct{ Field, Rule string }

func (e *RuleError) Error() string { return e.Field + " " + e.Rule }
