package gateway

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/parley/parley/platform/request/access"
)

// MediaEventStream is the media type of server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html.
const MediaEventStream = "text/event-stream"

// closeTimeout is how long a reader whose right has ended may take to receive what is being written, including the last
// event.
const closeTimeout = 500 * time.Millisecond

// EventStream writes a response of server-sent events. It is for one goroutine.
type EventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool

	mu     sync.Mutex
	closes bool // the reader's right has ended
}

// NewEventStream returns a response that has not begun. The context is that of access.Watcher: when the reader's right
// ends, a reader who does not read is disconnected. Stop must be called when the response is complete.
func NewEventStream(ctx context.Context, w http.ResponseWriter) (s *EventStream, stop func() bool) {
	s = &EventStream{w: w, control: http.NewResponseController(w)}
	return s, context.AfterFunc(ctx, func() {
		if access.EndOf(ctx, nil) == nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closes = true
		_ = s.control.SetWriteDeadline(time.Now().Add(closeTimeout))
	})
}

// Begun reports whether a part of the response was written.
func (s *EventStream) Begun() bool { return s.begun }

// Close gives the reader a last moment for what is written from now on.
func (s *EventStream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closes = true
}

// Write sends bytes at once, in chunks. Written bytes count as in flight for the reader until they are received. A long
// text that is not read must not use up the reader's limit for its other calls.
func (s *EventStream) Write(p []byte) error {
	if !s.begun {
		s.begun = true
		h := s.w.Header()
		h.Set("Content-Type", MediaEventStream)
		h.Set("X-Accel-Buffering", "no") // https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
		s.w.WriteHeader(http.StatusOK)
	}
	for chunk := range slices.Chunk(p, writeChunk) {
		if err := s.setDeadline(); err != nil {
			return err
		}
		if _, err := s.w.Write(chunk); err != nil {
			return err
		}
	}
	return s.control.Flush()
}

func (s *EventStream) setDeadline() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	deadline := time.Time{} // none: CloseStalled disconnects a reader who does not read
	if s.closes {
		deadline = time.Now().Add(closeTimeout)
	}
	return s.control.SetWriteDeadline(deadline)
}
