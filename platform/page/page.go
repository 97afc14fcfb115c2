// Package page cuts lists into pages. A cursor is opaque to clients, signed, and bound to the workspace and the list
// that it was made for: anything else is refused.
package page

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/secret"
)

// ErrCursor says that a cursor was not made by us for this list.
var ErrCursor = fail.New(fail.Malformed, "BAD_REQUEST", "cursor is not one that this list gave: start again without it")

const macSize = 16 // bytes of HMAC-SHA-256 that are kept

// Cursors makes and reads cursors. P is the position of the last row of a page, a small struct with JSON tags.
type Cursors[P any] struct {
	keys secret.Keys
	list string
}

// NewCursors makes the cursors of one list. Its name goes into the signature, so that no list takes another's.
// Cursors are signed with the current key; those that were signed with a former one are taken too.
func NewCursors[P any](keys secret.Keys, list string) Cursors[P] {
	return Cursors[P]{keys: keys, list: list}
}

// Encode makes the cursor that goes on after a position. Filter is whatever narrows the list, in a stable form.
func (c Cursors[P]) Encode(ctx context.Context, filter string, after P) (string, error) {
	position, err := json.Marshal(after)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(slices.Concat(c.sign(ctx, c.keys.Current().Bytes, filter, position), position)), nil
}

// Decode reads a cursor; nil stands for the first page. The error is ErrCursor.
func (c Cursors[P]) Decode(ctx context.Context, filter string, cursor *string) (*P, error) {
	if cursor == nil {
		return nil, nil //nolint:nilnil // no cursor is no position
	}
	raw, err := base64.RawURLEncoding.DecodeString(*cursor)
	// The decoder passes over line breaks and loose bits: only the one spelling that we give is taken.
	if err != nil || len(raw) < macSize || base64.RawURLEncoding.EncodeToString(raw) != *cursor {
		return nil, ErrCursor
	}
	ours := func(key []byte) bool { return hmac.Equal(raw[:macSize], c.sign(ctx, key, filter, raw[macSize:])) }
	if !c.keys.Any(ours) {
		return nil, ErrCursor
	}
	var after P
	if err := json.Unmarshal(raw[macSize:], &after); err != nil {
		return nil, ErrCursor.Because(err)
	}
	return &after, nil
}

func (c Cursors[P]) sign(ctx context.Context, key []byte, filter string, position []byte) []byte {
	workspace := call.From(ctx).Principal.WorkspaceID
	mac := hmac.New(sha256.New, key)
	for _, part := range [][]byte{[]byte(c.list), workspace[:], []byte(filter), position} {
		mac.Write([]byte{byte(len(part) >> 24), byte(len(part) >> 16), byte(len(part) >> 8), byte(len(part))})
		mac.Write(part)
	}
	return mac.Sum(nil)[:macSize]
}

// Cut takes one row more than limit has, as it was read, and gives the page and whether more follow.
func Cut[T any](rows []T, limit int) (items []T, more bool) {
	if len(rows) > limit {
		return rows[:limit], true
	}
	return rows, false
}

// MaxBytes is how many bytes the texts of the rows of a page may have together.
const MaxBytes = 512 << 10

// CutBytes is Cut for rows whose texts may be large, of which size gives the bytes: a page ends before the row with which it
// would have more than MaxBytes. Its first row is always on it.
func CutBytes[T any](rows []T, limit int, size func(T) int) (items []T, more bool) {
	total := 0
	for i, row := range rows {
		if total += size(row); i > 0 && (i == limit || total > MaxBytes) {
			return rows[:i], true
		}
	}
	return rows, false
}

// Next makes the cursor behind the last item of a page; nil where none follows.
func Next[T, P any](ctx context.Context, c Cursors[P], filter string, items []T, more bool, position func(T) P) (*string, error) {
	if !more {
		return nil, nil //nolint:nilnil // the last page has no next
	}
	next, err := c.Encode(ctx, filter, position(items[len(items)-1]))
	return &next, err
}

// Limit is how many rows a page has: what the client asked for, or the list's default.
func Limit(asked *int, otherwise int) int {
	if asked == nil {
		return otherwise
	}
	return *asked
}

// Map translates the rows of a page; never nil, so that an empty page is [] in JSON.
func Map[From, To any](rows []From, translate func(From) To) []To {
	out := make([]To, len(rows))
	for i, row := range rows {
		out[i] = translate(row)
	}
	return out
}
