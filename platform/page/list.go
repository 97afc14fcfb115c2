package page

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/parley/parley/platform/secret"
)

// DefaultLimit is how many rows a page has where the client names no limit, unless the list says otherwise.
const DefaultLimit = 20

// Key signs the cursors of all lists; former keys check those that they have signed.
type Key = secret.Keys

// List describes a list that is read page by page. T is a row, P the position of a row, a small struct with JSON tags.
type List[T, P any] struct {
	Name string // goes into the signature of the cursors, so that no list takes another's
	// Filter is whatever narrows the list: a cursor holds only for the filter that it was made with. A string is used as it is,
	// any other value as its JSON.
	Filter   any
	Read     func(ctx context.Context, after *P, limit int) ([]T, error)
	Position func(T) P
	Size     func(T) int // bytes of the texts of a row, for CutBytes; nil where all rows are small
	Limit    int         // rows of a page where the client names no limit; 0: DefaultLimit
}

// Page is a part of a list.
type Page[T any] struct {
	Items      []T
	HasMore    bool
	NextCursor *string // nil on the last page
}

// Page reads the page behind a cursor; nil stands for the first page, and for the Limit of the list. A cursor that was not made for
// this list gives ErrCursor.
func (l List[T, P]) Page(ctx context.Context, key Key, cursor *string, limit *int) (Page[T], error) {
	filter, ok := l.Filter.(string)
	if !ok && l.Filter != nil {
		encoded, err := json.Marshal(l.Filter)
		if err != nil {
			return Page[T]{}, fmt.Errorf("encode the filter of %s: %w", l.Name, err)
		}
		filter = string(encoded)
	}
	cursors := NewCursors[P](key, l.Name)
	after, err := cursors.Decode(ctx, filter, cursor)
	if err != nil {
		return Page[T]{}, err
	}
	count := Limit(limit, cmp.Or(l.Limit, DefaultLimit))
	rows, err := l.Read(ctx, after, count+1)
	if err != nil {
		return Page[T]{}, err
	}
	items, more := Cut(rows, count)
	if l.Size != nil {
		items, more = CutBytes(rows, count, l.Size)
	}
	next, err := Next(ctx, cursors, filter, items, more, l.Position)
	return Page[T]{Items: items, HasMore: more, NextCursor: next}, err
}
