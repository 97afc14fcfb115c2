package rest

import (
	"context"
	"strconv"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// position is the position of a stream's reader: the id of the last event that it has received. The zero position is
// the beginning.
type position struct {
	id    int64
	field string // the field of the request that has the position
}

// positionOf reads a position. The header takes precedence over the query, because EventSource sends it when it
// reconnects to the same URL.
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

// positionOfOperation reads the position of a call that takes a turn. The call must be a repetition with the same
// operation id, because another id would take a turn of its own.
func positionOfOperation(ctx context.Context, header, query *string) (position, error) {
	p, err := positionOf(header, query)
	if err == nil && p.id > 0 && !callctx.From(ctx).Operation.Given {
		err = fail.Fields(fail.Field{
			Field: p.field, Code: "INVALID", Message: "continues the stream of an earlier call: send it with the X-Operation-Id of that call",
		})
	}
	return p, err
}

// invalid returns the error for a position that the stream does not have.
func (p position) invalid() error {
	return fail.Fields(fail.Field{Field: p.field, Code: "INVALID", Message: "must be the id of an event of this turn"})
}
