// Package live knows the attempts that run in this process: it cancels them, and lets those who follow a turn read what
// it says while it says it. Followers read one log, each at its own pace, so that a slow one holds nothing and keeps
// nobody waiting.
package live

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/call"
)

// Hub implements ports.Live and ports.Room.
type Hub struct {
	pieces  ports.Pieces
	cancels ports.Cancels
	log     *slog.Logger
	writes  writes

	mu       sync.Mutex
	running  map[uuid.UUID]*voice
	under    map[operation]uuid.UUID // streamed turns by their operation
	watchers map[uuid.UUID]map[chan struct{}]struct{}
	early    [earlyMost]attempt // cancelled before they were heard of, the newest of them
	next     int
	queues   map[queueKey][]*place
	closed   bool          // no attempt begins any more
	ended    chan struct{} // told when an attempt has ended
}

type operation struct{ workspace, actor, id uuid.UUID }

type attempt struct {
	turn   uuid.UUID
	number int
}

const earlyMost = 64 // cancellations that are remembered

// NewHub makes a Hub.
func NewHub(pieces ports.Pieces, cancels ports.Cancels, log *slog.Logger) *Hub {
	return &Hub{
		pieces: pieces, cancels: cancels, log: log,
		running: map[uuid.UUID]*voice{}, under: map[operation]uuid.UUID{},
		watchers: map[uuid.UUID]map[chan struct{}]struct{}{}, queues: map[queueKey][]*place{}, ended: make(chan struct{}, 1),
	}
}

// Begin implements ports.Live.
func (h *Hub) Begin(ctx context.Context, t domain.Turn, streamed bool) (context.Context, ports.Voice) {
	ctx, cancel := context.WithCancelCause(ctx)
	c := call.From(ctx)
	v := &voice{
		hub: h, ctx: ctx, cancel: cancel, record: t.Record(), streamed: streamed,
		operation: operation{c.Principal.WorkspaceID, c.Principal.UserID, c.Operation.ID},
	}
	v.written = sync.NewCond(&v.mu)
	h.mu.Lock()
	h.running[t.ID] = v
	if streamed {
		h.under[v.operation] = t.ID
	}
	for _, a := range h.early {
		if a == (attempt{t.ID, t.Attempt}) {
			cancel(ports.ErrCancel)
		}
	}
	if h.closed {
		cancel(ports.ErrCut)
	}
	h.mu.Unlock()
	h.changed(t.ID)
	return ctx, v
}

// pause is how long a stream waits between two batches.
func (h *Hub) pause() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(batchTime, time.Duration(len(h.under))*streamTime)
}

// Streaming implements ports.Live.
func (h *Hub) Streaming(turn uuid.UUID) ports.Log {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v := h.running[turn]; v != nil && v.streamed {
		return v
	}
	return nil
}

// StreamingUnder implements ports.Live.
func (h *Hub) StreamingUnder(ctx context.Context) uuid.UUID {
	c := call.From(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.under[operation{c.Principal.WorkspaceID, c.Principal.UserID, c.Operation.ID}]
}

// Watch implements ports.Live.
func (h *Hub) Watch(turn uuid.UUID) (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers[turn] == nil {
		h.watchers[turn] = map[chan struct{}]struct{}{}
	}
	h.watchers[turn][ch] = struct{}{}
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if delete(h.watchers[turn], ch); len(h.watchers[turn]) == 0 {
			delete(h.watchers, turn)
		}
	}
}

// changed tells the watchers of a turn.
func (h *Hub) changed(turn uuid.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.watchers[turn] {
		poke(ch)
	}
}

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default: // it will look anyway
	}
}

// Cancel implements ports.Live.
func (h *Hub) Cancel(turn uuid.UUID, number int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.running[turn]
	if v == nil {
		h.early[h.next%earlyMost] = attempt{turn, number}
		h.next++
		return
	}
	if v.record.Attempt == number {
		v.cancel(ports.ErrCancel)
	}
}

// HearTurn is for notifications that something has changed in a turn; the empty one says that some were missed.
func (h *Hub) HearTurn(payload string) {
	if id, err := uuid.Parse(payload); err == nil {
		h.changed(id)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, watchers := range h.watchers {
		for ch := range watchers {
			poke(ch)
		}
	}
}

// HearCancel is for notifications that an attempt is to be cancelled; the empty one says that some were missed.
func (h *Hub) HearCancel(payload string) {
	id, number, _ := strings.Cut(payload, "/")
	turn, err := uuid.Parse(id)
	n, wrong := strconv.Atoi(number)
	if err == nil && wrong == nil {
		h.Cancel(turn, n)
		return
	}
	h.mu.Lock()
	missed := make([]*voice, 0, len(h.running))
	for _, v := range h.running {
		missed = append(missed, v)
	}
	h.mu.Unlock()
	if len(missed) > 0 {
		go h.recheck(missed)
	}
}

// recheck asks for each attempt that runs whether it is wanted to be cancelled.
func (h *Hub) recheck(running []*voice) {
	for _, v := range running {
		ctx, cancel := context.WithTimeout(v.ctx, writePatience)
		wanted, err := h.cancels.Requested(ctx, v.record.ID, v.record.Attempt)
		cancel()
		if err != nil && v.ctx.Err() == nil {
			h.log.WarnContext(v.ctx, "whether a turn is to be cancelled cannot be read", "error", err)
		}
		if wanted {
			v.cancel(ports.ErrCancel)
		}
	}
}

const writePatience = 5 * time.Second // for one statement
