package page

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/ops/secret"
)

// defaultLimit is the number of rows of a page if the client names no limit, unless the list has another default.
const defaultLimit = 20

// Key signs the cursors of all lists; former keys verify the cursors that they have signed.
type Key = secret.Keys

// List describes a paginated list. T is a row. P is the position of a row, a small struct with JSON tags.
type List[T, P any] struct {
	Name string // goes into the signature of the cursors, so that no list takes another's
	// Filter is the filter of the list: a cursor is valid only for the filter that it was created with. A string is
	// used as it is, any other value as its JSON.
	Filter   any
	Read     func(ctx context.Context, after *P, limit int) ([]T, error)
	Position func(T) P
	Size     func(T) int // bytes of the texts of a row, for CutBytes; nil where all rows are small
	Limit    int         // rows of a page where the client names no limit; 0: defaultLimit
}

// Page is one page of a list.
type Page[T any] struct {
	Items      []T
	HasMore    bool
	NextCursor *string // nil on the last page
}

// Page returns the page after a cursor. A nil cursor stands for the first page, and a nil limit for the Limit of the
// list. It returns ErrCursor for a cursor that was not created for this list.
func (l List[T, P]) Page(ctx context.Context, key Key, cursor *string, limit *int) (Page[T], error) {
	filter, ok := l.Filter.(string)
	if !ok && l.Filter != nil {
		encoded, err := json.Marshal(l.Filter)
		if err != nil {
			return Page[T]{}, fmt.Errorf("encode the filter of %s: %w", l.Name, err)
		}
		filter = string(encoded)
	}
	cursors := newSigner[P](key, l.Name)
	after, err := cursors.Decode(ctx, filter, cursor)
	if err != nil {
		return Page[T]{}, err
	}
	count := rowLimit(limit, cmp.Or(l.Limit, defaultLimit))
	rows, err := l.Read(ctx, after, count+1)
	if err != nil {
		return Page[T]{}, err
	}
	items, more := cut(rows, count)
	if l.Size != nil {
		items, more = CutBytes(rows, count, l.Size)
	}
	next, err := nextCursor(ctx, cursors, filter, items, more, l.Position)
	return Page[T]{Items: items, HasMore: more, NextCursor: next}, err
}

// IDPosition is a place in a list that is sorted by id.
type IDPosition struct {
	ID uuid.UUID `json:"i"`
}

// Before returns the id that the page begins before; nil for the first page.
func (p *IDPosition) Before() *uuid.UUID {
	if p == nil {
		return nil
	}
	return &p.ID
}
