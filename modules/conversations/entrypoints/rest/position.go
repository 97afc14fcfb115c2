package rest

import (
	"context"
	"strconv"

	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
)

// position is where the reader of a stream is: the id of the last event that it has received. The zero position is the
// beginning.
type position struct {
	id    int64
	field string // of the request, that says so
}

// positionOf reads a position. The header is newer than the query: EventSource sends it when it connects again, to the same URL.
func positionOf(header, query *string) (position, error) {
	p, text := position{field: "Last-Event-ID"}, header
	if text == nil || *text == "" {
		p.field, text = "last_event_id", query
	}
	if text == nil || *text == "" {
		return position{}, nil
	}
	var err error
	if p.id, err = strconv.ParseInt(*text, 10, 64); err != nil || p.id < 1 {
		return position{}, p.invalid()
	}
	return p, nil
}

// positionOfOperation reads the position of a call that takes a turn, and that was sent before with the same operation id:
// under another one it would take a turn of its own.
func positionOfOperation(ctx context.Context, header, query *string) (position, error) {
	p, err := positionOf(header, query)
	if err == nil && p.id > 0 && !call.From(ctx).Operation.Given {
		err = fail.Fields(fail.Field{
			Field: p.field, Code: "INVALID", Message: "continues the stream of an earlier call: send it with the X-Operation-Id of that call",
		})
	}
	return p, err
}

// invalid is the refusal of a position that the stream does not have.
func (p position) invalid() error {
	return fail.Fields(fail.Field{Field: p.field, Code: "INVALID", Message: "must be the id of an event of this turn"})
}
