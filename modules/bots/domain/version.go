package domain

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

const maxNote = 500

// Version is the content of a bot at one time, with a note. A version never changes.
type Version struct {
	BotID     uuid.UUID
	Number    int
	Content   Content
	Note      string
	CreatedBy uuid.UUID
	CreatedAt time.Time
}

// Pointer names one of the two pointers that a bot has into its versions.
type Pointer string

// The pointers.
const (
	Current   Pointer = "current"   // the newest version
	Published Pointer = "published" // the version that turns use
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

// PointerChange records that a pointer names another version from then on. It never changes.
type PointerChange struct {
	Number  int // the order of a bot's pointer changes; 0 until it is stored
	Pointer Pointer
	From    int // 0: it is the first
	To      int
	Cause   Cause
	By      uuid.UUID
	At      time.Time
}

// Change is the result of a use case: the version that it wrote, and the pointers that it changed.
type Change struct {
	Version    *Version // nil: none was written
	Pointers   []PointerChange
	Unarchived bool // the bot was archived and is active now, so that it counts towards the limit of bots again
}

// Edition is who writes a version, when and why.
type Edition struct {
	By   uuid.UUID
	At   time.Time
	Note string
	Hold bool // the published version stays the same
}

// ErrArchived says that a bot is archived.
var ErrArchived = errors.New("the bot is archived")

// First returns the change that creates the bot: version 1, current and published.
func (b *Bot) First() Change {
	e := Edition{By: b.CreatedBy, At: b.CreatedAt}
	v := Version{BotID: b.ID, Number: 1, Content: b.Content, CreatedBy: b.CreatedBy, CreatedAt: b.CreatedAt}
	return Change{Version: &v, Pointers: []PointerChange{e.point(Current, 0, 1, Create), e.point(Published, 0, 1, Create)}}
}

// Rewrite makes new content the next version of the bot.
func (b *Bot) Rewrite(content Content, e Edition) (Change, error) {
	if content.instruction == "" {
		return Change{}, &RuleError{Field: "instruction", Rule: "must not be empty"}
	}
	return b.write(content, e, Edit)
}

// RollBack makes the content of an old version the next version of the bot. The content is not checked, because old
// versions may break rules that hold for new ones.
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

// Publish makes a version of the bot the one that turns use, and makes a draft active. It returns ErrArchived for an
// archived bot.
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

// Difference is the difference between two versions.
type Difference struct {
	Instruction string // a unified diff
	Settings    []byte // a JSON patch (RFC 6902)
}
