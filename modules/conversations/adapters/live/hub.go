// Package live holds the attempts at turns that run in this process. It cancels them, and lets the readers of a turn
// read its text while it is generated. Readers share one log and read it at their own pace: a slow reader delays no
// other and needs no buffer.
package live

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
)

var (
	_ ports.Live        = (*Hub)(nil)
	_ ports.ThreadQueue = (*Hub)(nil)
)

// Hub holds the attempts that run in this process, their readers, and the calls that wait for a thread. It is safe for
// concurrent use.
type Hub struct {
	chunks  ports.Chunks
	cancels ports.Cancels
	log     *slog.Logger
	writes  writes

	mu       sync.Mutex
	running  map[uuid.UUID]*attempt
	under    map[operation]uuid.UUID // streamed turns by their operation
	watchers map[uuid.UUID]map[chan struct{}]struct{}
	early    [maxEarly]attemptKey // cancelled before they were registered, the newest ones
	next     int
	queues   map[queueKey][]*place
	closed   bool          // no attempt begins any more
	ended    chan struct{} // receives when an attempt has ended
}

type operation struct{ workspace, actor, id uuid.UUID }

type attemptKey struct {
	turn   uuid.UUID
	number int
}

const maxEarly = 64 // cancellations that are remembered

// NewHub makes a Hub.
func NewHub(chunks ports.Chunks, cancels ports.Cancels, log *slog.Logger) *Hub {
	return &Hub{
		chunks: chunks, cancels: cancels, log: log,
		running: map[uuid.UUID]*attempt{}, under: map[operation]uuid.UUID{},
		watchers: map[uuid.UUID]map[chan struct{}]struct{}{}, queues: map[queueKey][]*place{}, ended: make(chan struct{}, 1),
	}
}

func (h *Hub) Begin(ctx context.Context, t domain.Turn, streamed bool) (context.Context, ports.StreamWriter) {
	ctx, cancel := context.WithCancelCause(ctx)
	c := callctx.From(ctx)
	a := &attempt{
		hub: h, ctx: ctx, cancel: cancel, view: t.View(), streamed: streamed,
		operation: operation{c.Principal.WorkspaceID, c.Principal.UserID, c.Operation.ID},
	}
	a.written = sync.NewCond(&a.mu)
	h.mu.Lock()
	h.running[t.ID] = a
	if streamed {
		h.under[a.operation] = t.ID
	}
	if slices.Contains(h.early[:], attemptKey{t.ID, t.Attempt}) {
		cancel(ports.ErrCancel)
	}
	if h.closed {
		cancel(ports.ErrCut)
	}
	h.mu.Unlock()
	h.changed(t.ID)
	return ctx, a
}

// pause is how long a stream waits between two batches.
func (h *Hub) pause() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(batchTime, time.Duration(len(h.under))*streamTime)
}

func (h *Hub) Streaming(turn uuid.UUID) ports.Log {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.running[turn]; a != nil && a.streamed {
		return a
	}
	return nil
}

func (h *Hub) StreamingUnder(ctx context.Context) uuid.UUID {
	c := callctx.From(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.under[operation{c.Principal.WorkspaceID, c.Principal.UserID, c.Operation.ID}]
}

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

// changed wakes the watchers of a turn.
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
	default: // it will read the turn anyway
	}
}

func (h *Hub) Cancel(turn uuid.UUID, number int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.running[turn]
	if a == nil {
		h.early[h.next%maxEarly] = attemptKey{turn, number}
		h.next++
		return
	}
	if a.view.Attempt == number {
		a.cancel(ports.ErrCancel)
	}
}

// OnTurnChanged is called for notifications that something has changed in a turn; the empty one says that some were missed.
func (h *Hub) OnTurnChanged(payload string) {
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

// OnCancelRequested is called for notifications that an attempt is to be cancelled; the empty one says that some were missed.
func (h *Hub) OnCancelRequested(payload string) {
	id, number, _ := strings.Cut(payload, "/")
	turn, err := uuid.Parse(id)
	n, wrong := strconv.Atoi(number)
	if err == nil && wrong == nil {
		h.Cancel(turn, n)
		return
	}
	h.mu.Lock()
	missed := make([]*attempt, 0, len(h.running))
	for _, a := range h.running {
		missed = append(missed, a)
	}
	h.mu.Unlock()
	if len(missed) > 0 {
		go h.recheck(missed)
	}
}

// recheck cancels the attempts whose turns are to be cancelled.
func (h *Hub) recheck(running []*attempt) {
	for _, a := range running {
		ctx, cancel := context.WithTimeout(a.ctx, writeTimeout)
		wanted, err := h.cancels.Requested(ctx, a.view.ID, a.view.Attempt)
		cancel()
		if err != nil && a.ctx.Err() == nil {
			h.log.WarnContext(a.ctx, "reading whether a turn is to be cancelled failed", "error", err)
		}
		if wanted {
			a.cancel(ports.ErrCancel)
		}
	}
}

const writeTimeout = 5 * time.Second // for one statement
