// Package modelstream reads the responses of models' servers: server-sent events, or one JSON document where a server
// does not stream. It is independent of the provider. It collects the text, the usage and the reason of the end.
package modelstream

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

const (
	maxEvent    = 8 << 20  // bytes of one event
	maxDocument = 16 << 20 // bytes of an answer that is JSON
)

var errEventTooLong = errors.New("an event of the answer is too long")

// event is one server-sent event, or one JSON document.
type event struct {
	kind string // the field event; "" where there is none
	data []byte // valid until the next event is read
}

// decoder reads the events of an answer. It accepts lines that end with LF, CRLF or CR alone, as the specification has it
// (https://html.spec.whatwg.org/multipage/server-sent-events.html). Unlike the specification it also gives the event that
// the end of the answer cuts short of its blank line, since some servers leave that line out after the last event. The time
// that it takes grows with the length of an event, not with its square.
type decoder struct {
	in       *bufio.Reader
	document *json.Decoder // of an answer that is JSON
	current  []byte        // the line that is read
	data     []byte        // of the event that is read
	begun    bool
	afterCR  bool // the last line has ended with a CR, to which an LF may belong
	ended    bool
}

func newDecoder(body io.Reader) *decoder { return &decoder{in: bufio.NewReader(body)} }

// next returns the next event; after the last one it returns io.EOF.
func (d *decoder) next() (event, error) {
	if !d.begun {
		if err := d.begin(); err != nil {
			return event{}, err
		}
	}
	if d.document != nil {
		var raw json.RawMessage
		err := d.document.Decode(&raw)
		return event{data: raw}, err
	}
	d.data = d.data[:0]
	kind, has := "", false
	for !d.ended {
		line, err := d.line()
		d.ended = errors.Is(err, io.EOF)
		if err != nil && !d.ended {
			return event{}, err
		}
		if len(line) == 0 {
			if has {
				break
			}
			kind = ""
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "event":
			kind = string(value)
		case "data":
			if has {
				d.data = append(d.data, '\n')
			}
			d.data, has = append(d.data, value...), true
		}
		if len(d.data) > maxEvent {
			return event{}, errEventTooLong
		}
	}
	if !has {
		return event{}, io.EOF
	}
	return event{kind, d.data}, nil
}

// begin detects the format of the response. The content type is not reliable: some servers stream as application/json,
// some send a document as text/event-stream. No event begins with a brace.
func (d *decoder) begin() error {
	d.begun = true
	for {
		first, err := d.in.Peek(1)
		if err != nil {
			return err
		}
		switch first[0] {
		case ' ', '\t', '\r', '\n', 0xEF, 0xBB, 0xBF: // blank lines keep a connection alive; the rest is a byte order mark
			_, _ = d.in.Discard(1)
		case '{', '[':
			d.document = json.NewDecoder(io.LimitReader(d.in, maxDocument))
			return nil
		default:
			return nil
		}
	}
}

// line reads a line, without its end. With the last line it returns io.EOF.
func (d *decoder) line() ([]byte, error) {
	d.current = d.current[:0]
	for {
		if _, err := d.in.Peek(1); err != nil {
			return d.current, err
		}
		chunk, _ := d.in.Peek(d.in.Buffered())
		if d.afterCR && chunk[0] == '\n' {
			_, _ = d.in.Discard(1)
			d.afterCR = false
			continue
		}
		d.afterCR = false
		end := bytes.IndexAny(chunk, "\r\n")
		if end < 0 {
			d.current = append(d.current, chunk...)
			_, _ = d.in.Discard(len(chunk))
			if len(d.current) > maxEvent {
				return nil, errEventTooLong
			}
			continue
		}
		d.afterCR = chunk[end] == '\r'
		d.current = append(d.current, chunk[:end]...)
		_, _ = d.in.Discard(end + 1)
		return d.current, nil
	}
}
