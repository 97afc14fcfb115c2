package domain

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

const maxNote = 500

// Version is the content of a bot at one time, with a note; it is never rewritten.
type Version struct {
	BotID     uuid.UUID
	Number    int
	Content   Content
	Note      string
	CreatedBy uuid.UUID
	CreatedAt time.Time
}

// Pointer is one of the two that a bot has into its versions.
type Pointer string

// The pointers.
const (
	Current   Pointer = "current"   // the newest version
	Published Pointer = "published" // the one that answers
)

// Cause is why a pointer was changed.
type Cause string

// The causes.
const (
	Create   Cause = "create"
	Edit     Cause = "edit"
	Rollback Cause = "rollback"
	Publish  Cause = "publish"
)

// PointerChange says that a pointer named another version from then on; it is never rewritten.
type PointerChange struct {
	Number  int // the order of a bot's pointer changes; 0 until it is stored
	Pointer Pointer
	From    int // 0: it is the first
	To      int
	Cause   Cause
	By      uuid.UUID
	At      time.Time
}

// Change is what a use case did to a bot: a version that it wrote, pointers that it changed.
type Change struct {
	Version    *Version // nil: none was written
	Pointers   []PointerChange
	Unarchived bool // the bot was archived and is active now, so that it counts towards the limit of bots again
}

// Edition says who writes a version, when and why.
type Edition struct {
	By   uuid.UUID
	At   time.Time
	Note string
	Hold bool // the published version stays what it is
}

// ErrArchived says that a bot is archived.
var ErrArchived = errors.New("the bot is archived")

// First is how the bot began: version 1, current and published.
func (b *Bot) First() Change {
	e := Edition{By: b.CreatedBy, At: b.CreatedAt}
	v := Version{BotID: b.ID, Number: 1, Content: b.Content, CreatedBy: b.CreatedBy, CreatedAt: b.CreatedAt}
	return Change{Version: &v, Pointers: []PointerChange{e.point(Current, 0, 1, Create), e.point(Published, 0, 1, Create)}}
}

// Rewrite gives the bot new content as its next version.
func (b *Bot) Rewrite(content Content, e Edition) (Change, error) {
	if content.instruction == "" {
		return Change{}, &RuleError{Field: "instruction", Rule: "must not be empty"}
	}
	return b.write(content, e, Edit)
}

// RollBack gives the bot the content of an old version as its next one. An old version may be what no new one may: its
// content is not looked at.
func (b *Bot) RollBack(old Version, e Edition) (Change, error) {
	if e.Note == "" {
		e.Note = fmt.Sprintf("back to version %d", old.Number)
	}
	return b.write(old.Content, e, Rollback)
}

func (b *Bot) write(content Content, e Edition, cause Cause) (Change, error) {
	if utf8.RuneCountInString(e.Note) > maxNote {
		return Change{}, &RuleError{Field: "note", Rule: "must have at most 500 characters"}
	}
	next := b.CurrentVersion + 1
	v := Version{BotID: b.ID, Number: next, Content: content, Note: e.Note, CreatedBy: e.By, CreatedAt: e.At}
	c := Change{Version: &v, Pointers: []PointerChange{e.point(Current, b.CurrentVersion, next, cause)}}
	if !e.Hold {
		c.Pointers = append(c.Pointers, e.point(Published, b.PublishedVersion, next, cause))
		b.PublishedVersion = next
	}
	b.CurrentVersion, b.Content, b.UpdatedAt = next, content, e.At
	return c, nil
}

// Publish has a version of the bot answer, and makes a draft active. ErrArchived: it would not answer.
func (b *Bot) Publish(version int, by uuid.UUID, now time.Time) (Change, error) {
	if b.Status == Archived {
		return Change{}, ErrArchived
	}
	var c Change
	if version != b.PublishedVersion {
		c.Pointers = []PointerChange{Edition{By: by, At: now}.point(Published, b.PublishedVersion, version, Publish)}
	}
	b.Status, b.PublishedVersion, b.UpdatedAt = Active, version, now
	return c, nil
}

func (e Edition) point(p Pointer, from, to int, cause Cause) PointerChange {
	return PointerChange{Pointer: p, From: from, To: to, Cause: cause, By: e.By, At: e.At}
}

// Difference is what has to be done to one version to get another.
type Difference struct {
	Instruction string // a unified diff
	Settings    []byte // a JSON patch (RFC 6902)
}
