// Package domain has bots and the versions of what they are told, and the rules that hold for them.
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

// Content is what a bot is told: the part of it that has versions. NewContent holds it to the limits, which are for what
// comes in; RestoreContent takes what is stored as it is.
type Content struct {
	instruction string
	settings    json.RawMessage
}

// NewContent checks what a bot is to be told. Nil settings are none: {}.
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

// RestoreContent gives content that is stored. It was checked when it came in and is not checked again: the database writes
// JSON with more spaces than came in, and a limit may be lower today.
func RestoreContent(instruction string, settings json.RawMessage) Content {
	return Content{instruction: instruction, settings: settings}
}

// WithInstruction gives the content with another instruction and the same settings.
func (c Content) WithInstruction(instruction string) (Content, error) {
	c.instruction = instruction
	return c, checkInstruction(instruction)
}

// Instruction is what the model is told, in words.
func (c Content) Instruction() string { return c.instruction }

// Settings is a JSON object.
func (c Content) Settings() json.RawMessage { return c.settings }

// Bot is a bot with the content of its current version. Turns use the published one.
type Bot struct {
	ID               uuid.UUID
	WorkspaceID      uuid.UUID
	Name             string
	Status           Status
	CurrentVersion   int
	PublishedVersion int
	Content          Content
	CreatedBy        uuid.UUID
	CreatedAt        time.Time
	UpdatedAt        time.Time
	Warnings         []Warning // of content that was just written; they are not stored
}

// NewBot makes a bot in version 1, a draft.
func NewBot(workspace, by uuid.UUID, name string, content Content, now time.Time) (Bot, error) {
	if err := checkName(name); err != nil {
		return Bot{}, err
	}
	return Bot{
		ID:               uuid.Must(uuid.NewV7()),
		WorkspaceID:      workspace,
		Name:             name,
		Status:           Draft,
		CurrentVersion:   1,
		PublishedVersion: 1,
		Content:          content,
		CreatedBy:        by,
		CreatedAt:        now,
		UpdatedAt:        now,
	}, nil
}

func checkName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > maxName || !isVisible(name) {
		return &RuleError{Field: "name", Rule: "must have 1 to 200 characters and not be blank"}
	}
	return nil
}

// Rename gives the bot another name.
func (b *Bot) Rename(name string, now time.Time) error {
	if err := checkName(name); err != nil {
		return err
	}
	b.Name, b.UpdatedAt = name, now
	return nil
}

// Settle makes the bot active or archives it; a bot that was either does not become a draft again.
func (b *Bot) Settle(status Status, now time.Time) (Change, error) {
	if status != Active && status != Archived {
		return Change{}, &RuleError{Field: "status", Rule: "must be active or archived"}
	}
	c := Change{Unarchived: b.Status == Archived && status == Active}
	b.Status, b.UpdatedAt = status, now
	return c, nil
}

// RuleError is a broken rule about one field. An empty Code is INVALID.
type RuleError struct{ Field, Rule, Code string }

// codeBlank is the code of a text without a visible character.
const codeBlank = "BLANK"

func (e *RuleError) Error() string { return e.Field + " " + e.Rule }
