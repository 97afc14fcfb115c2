// Package domain has bots and their versions, and the rules that hold for them.
package domain

import (
	"bytes"
	"encoding/json"
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
	maxSettings    = 64 << 10 // bytes of JSON without spaces
)

// Content is the part of a bot that has versions: its instruction and its settings. NewContent checks the limits for
// new content; RestoreContent accepts stored content as it is.
type Content struct {
	instruction string
	settings    json.RawMessage
}

// NewContent checks an instruction and settings; the error is a *RuleError. Nil settings are none: {}.
func NewContent(instruction string, settings json.RawMessage) (Content, error) {
	if len(settings) == 0 {
		settings = json.RawMessage("{}")
	}
	if err := checkInstruction(instruction); err != nil {
		return Content{}, err
	}
	var compact bytes.Buffer
	if json.Compact(&compact, settings) != nil || compact.Bytes()[0] != '{' {
		return Content{}, &RuleError{Field: "settings", Rule: "must be an object"}
	}
	if compact.Len() > maxSettings {
		return Content{}, &RuleError{Field: "settings", Rule: "must have at most 65536 bytes of JSON without spaces"}
	}
	return Content{instruction: instruction, settings: settings}, nil
}

func checkInstruction(instruction string) error {
	if utf8.RuneCountInString(instruction) > maxInstruction {
		return &RuleError{Field: "instruction", Rule: "must have at most 50000 characters"}
	}
	if instruction != "" && !isVisible(instruction) {
		return &RuleError{Field: "instruction", Rule: "must have at least one visible character, where it is not empty", Code: codeBlank}
	}
	return nil
}

// RestoreContent returns stored content. It was checked when it was created and is not checked again: the database
// writes JSON with more spaces than were sent, and a limit may be lower today.
func RestoreContent(instruction string, settings json.RawMessage) Content {
	return Content{instruction: instruction, settings: settings}
}

// WithInstruction gives the content with another instruction and the same settings.
func (c Content) WithInstruction(instruction string) (Content, error) {
	c.instruction = instruction
	return c, checkInstruction(instruction)
}

// Instruction is the text that the model receives before the conversation.
func (c Content) Instruction() string { return c.instruction }

// Settings is a JSON object.
func (c Content) Settings() json.RawMessage { return c.settings }

// Attributes are the fields of a bot that clients set and that have no versions.
type Attributes struct{ Name string }

func (a Attributes) check() error {
	if n := utf8.RuneCountInString(a.Name); n < 1 || n > maxName || !isVisible(a.Name) {
		return &RuleError{Field: "name", Rule: "must have 1 to 200 characters and not be blank"}
	}
	return nil
}

// Bot is a bot with the content of its current version. Turns use the published one.
type Bot struct {
	ID          uuid.UUID
	WorkspaceID uuid.UUID
	Attributes
	Status           Status
	CurrentVersion   int
	PublishedVersion int
	Content          Content
	CreatedBy        uuid.UUID
	CreatedAt        time.Time
	UpdatedAt        time.Time
	Warnings         []Warning // of content that was just written; they are not stored
}

// NewBot returns a draft in version 1, or a *RuleError.
func NewBot(workspace, by uuid.UUID, attributes Attributes, content Content, now time.Time) (Bot, error) {
	if err := attributes.check(); err != nil {
		return Bot{}, err
	}
	return Bot{
		ID:               uuid.Must(uuid.NewV7()),
		WorkspaceID:      workspace,
		Attributes:       attributes,
		Status:           Draft,
		CurrentVersion:   1,
		PublishedVersion: 1,
		Content:          content,
		CreatedBy:        by,
		CreatedAt:        now,
		UpdatedAt:        now,
	}, nil
}

// Changes are the changes that a client makes to a bot without writing a version. A nil field stays as it is.
type Changes struct {
	Name   *string
	Status *Status // Active or Archived: no bot becomes a draft again
}

// Change makes the changes, all of them or none. The error is a *RuleError.
func (b *Bot) Change(c Changes, now time.Time) (Change, error) {
	changed := *b
	if c.Name != nil {
		changed.Name, changed.UpdatedAt = *c.Name, now
		if err := changed.check(); err != nil {
			return Change{}, err
		}
	}
	var done Change
	if c.Status != nil {
		if *c.Status != Active && *c.Status != Archived {
			return Change{}, &RuleError{Field: "status", Rule: "must be active or archived"}
		}
		done.Unarchived = b.Status == Archived && *c.Status == Active
		changed.Status, changed.UpdatedAt = *c.Status, now
	}
	*b = changed
	return done, nil
}

// RuleError is a broken rule about one field. An empty Code is INVALID.
type RuleError struct{ Field, Rule, Code string }

// codeBlank is the code of a text without a visible character.
const codeBlank = "BLANK"

func (e *RuleError) Error() string { return e.Field + " " + e.Rule }
