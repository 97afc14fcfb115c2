package rest

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/gateway"
)

// messagePage is a MessageList, written straight from the messages: it is the longest of the answers that are asked for
// often, and encoding/json took a quarter of the processor time of the call.
type messagePage struct {
	items []domain.Message
	more  bool
	next  *string
}

// messageBytes is what a message takes in JSON beside its content, and a little for what has to be escaped in that.
const messageBytes = 384

// bodies are what pages were written into, to be used again.
var bodies = sync.Pool{New: func() any { return new([]byte) }} //nolint:gochecknoglobals // buffers have no state

const (
	// largestBody is what a body may have to be kept for the next page, and to be sent in one piece.
	largestBody = 64 << 10
	// pieceSize is what a body that is sent in pieces collects for each of them, beside the message that goes over it.
	pieceSize = 32 << 10
)

// VisitListMessagesResponse writes the page. A large one is sent in pieces: in JSON its contents may have six times their bytes.
func (p messagePage) VisitListMessagesResponse(w http.ResponseWriter) error {
	size := 256
	for _, m := range p.items {
		size += messageBytes + len(m.Content)
	}
	kept, _ := bodies.Get().(*[]byte) // nothing else is put there
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

// append writes the page behind b. After each message it lets flush take what there is so far.
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
	b = append(b, *p.next...) // base64url: nothing to escape
	return append(b, "\"}\n"...), nil
}

// appendMessage writes what toMessage gives. It fails where the content is not UTF-8, which Postgres does not keep.
func appendMessage(b []byte, m domain.Message) ([]byte, error) {
	b = append(b, `{"content":`...)
	b, err := jsontext.AppendQuote(b, m.Content)
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
	b = append(b, `,"role":"`...)
	b = append(b, m.Role...)
	b = append(b, `","seq":`...)
	b = strconv.AppendInt(b, m.Seq, 10)
	b = append(b, `,"status":"`...)
	b = append(b, statusOf(m)...)
	b = append(b, `","thread_id":`...)
	return append(appendID(b, m.ThreadID), '}'), nil
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
