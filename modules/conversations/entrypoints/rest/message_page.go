package rest

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/gateway"
)

// messagePage is a MessageList that is written directly from the messages. It is the longest of the frequent responses,
// and encoding/json took a quarter of the processor time of the call.
type messagePage struct {
	items []domain.Message
	more  bool
	next  *string
}

// messageBytes is the size of a message in JSON without its content, with a little room for escapes in the content.
const messageBytes = 384

// bodies are buffers for pages, which are reused.
var bodies = sync.Pool{New: func() any { return new([]byte) }} //nolint:gochecknoglobals // buffers have no state

const (
	// largestBody is the largest buffer that is kept for the next page, and the largest body that is sent in one piece.
	largestBody = 64 << 10
	// pieceSize is how much of a larger body is collected for a piece, before the message that exceeds it.
	pieceSize = 32 << 10
)

// VisitListMessagesResponse writes the page. A large page is sent in pieces, because in JSON its contents may have six
// times their bytes.
func (p messagePage) VisitListMessagesResponse(w http.ResponseWriter) error {
	size := 256
	for _, m := range p.items {
		size += messageBytes + bytesOfMessage(m)
	}
	kept, _ := bodies.Get().(*[]byte) // the pool contains nothing else
	body := (*kept)[:0]
	defer func() {
		if *kept = body; cap(body) <= largestBody {
			bodies.Put(kept)
		}
	}()
	if size > largestBody {
		release, err := gateway.Hold(w, int64(size))
		if err != nil {
			return err
		}
		defer release()
		w.Header().Set("Content-Type", "application/json")
		body, err = p.append(slices.Grow(body, pieceSize), func(piece []byte) ([]byte, error) {
			if len(piece) < pieceSize {
				return piece, nil
			}
			_, err := w.Write(piece)
			return piece[:0], err
		})
		if err == nil {
			_, err = w.Write(body)
		}
		return err
	}
	body, err := p.append(slices.Grow(body, size), func(whole []byte) ([]byte, error) { return whole, nil })
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(body)
	return err
}

// append appends the page to b. After each message it calls flush with what there is so far.
func (p messagePage) append(b []byte, flush func(b []byte) ([]byte, error)) ([]byte, error) {
	b = append(b, `{"has_more":`...)
	b = strconv.AppendBool(b, p.more)
	b = append(b, `,"items":[`...)
	var err error
	for i, m := range p.items {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendMessage(b, m); err == nil {
			b, err = flush(b)
		}
		if err != nil {
			return nil, err
		}
	}
	b = append(b, `],"next_cursor":`...)
	if p.next == nil {
		return append(b, "null}\n"...), nil
	}
	b = append(b, '"')
	b = append(b, *p.next...) // base64url needs no escaping
	return append(b, "\"}\n"...), nil
}

// appendMessage appends the same JSON as toMessage. It returns an error where the content is not UTF-8, which Postgres
// cannot store.
func appendMessage(b []byte, m domain.Message) ([]byte, error) {
	b, err := appendList(append(b, `{"attachments":[`...), m.Attachments, toAttachment)
	if err != nil {
		return nil, err
	}
	if b, err = appendList(append(b, `],"citations":[`...), m.Citations, toCitation); err != nil {
		return nil, err
	}
	b = append(b, `],"content":`...)
	b, err = jsontext.AppendQuote(b, m.Content)
	if err != nil {
		return nil, err
	}
	b = append(b, `,"created_at":`...)
	b = appendTime(b, m.CreatedAt)
	b = append(b, `,"feedback":`...)
	if f := m.Feedback; f != nil {
		b = append(b, `{"comment":`...)
		if b, err = jsontext.AppendQuote(b, f.Comment); err != nil {
			return nil, err
		}
		b = append(b, `,"rating":"`...)
		b = append(b, f.Rating...)
		b = append(b, `","updated_at":`...)
		b = append(appendTime(b, f.At), '}')
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"id":`...)
	b = appendID(b, m.ID)
	b = append(b, `,"operation_id":`...)
	if m.OperationID != nil {
		b = appendID(b, *m.OperationID)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"output":`...)
	if output := m.Output(); output != nil {
		b = append(b, output...)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"role":"`...)
	b = append(b, m.Role...)
	b = append(b, `","seq":`...)
	b = strconv.AppendInt(b, m.Seq, 10)
	b = append(b, `,"status":"`...)
	b = append(b, statusOf(m)...)
	b = append(b, `","thread_id":`...)
	b = append(appendID(b, m.ThreadID), `,"turn_id":`...)
	if m.TurnID == nil {
		return append(b, "null}"...), nil
	}
	return append(appendID(b, *m.TurnID), '}'), nil
}

// appendList appends the items of a list with commas between them.
func appendList[T, U any](b []byte, list []T, as func(T) U) ([]byte, error) {
	for i, item := range list {
		if i > 0 {
			b = append(b, ',')
		}
		raw, err := json.Marshal(as(item))
		if err != nil {
			return nil, err
		}
		b = append(b, raw...)
	}
	return b, nil
}

func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	return append(t.AppendFormat(b, time.RFC3339Nano), '"')
}

func appendID(b []byte, id uuid.UUID) []byte {
	b = append(b, '"')
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return append(b, '"')
}
