package live

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
)

const (
	maxWaiting = 8                      // calls that wait for one thread, in this process
	lookAgain  = 250 * time.Millisecond // between checks of a thread in which a turn of another process runs
)

// queueKey identifies the queue of a thread. The workspace is part of it, so that no caller can reach the queue of
// another workspace with any id.
type queueKey struct{ workspace, thread uuid.UUID }

// place is one caller's position in a queue.
type place struct {
	hub   *Hub
	queue queueKey
	wake  chan struct{}
	tried bool
}

func (h *Hub) Enter(ctx context.Context, thread uuid.UUID) (ports.QueuePlace, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := queueKey{callctx.From(ctx).Principal.WorkspaceID, thread}
	if len(h.queues[key]) > maxWaiting { // the first call need not wait
		return nil, ports.ErrThreadBusy
	}
	p := &place{hub: h, queue: key, wake: make(chan struct{}, 1)}
	h.queues[key] = append(h.queues[key], p)
	return p, nil
}

func (p *place) Wait(ctx context.Context) error {
	for {
		p.hub.mu.Lock()
		first := p.hub.queues[p.queue][0] == p
		p.hub.mu.Unlock()
		if first && !p.tried {
			p.tried = true
			return nil
		}
		var again <-chan time.Time
		if first {
			timer := time.NewTimer(lookAgain)
			defer timer.Stop()
			again = timer.C
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.wake: // the first leaves, or its thread's turn has ended
			if first {
				return nil
			}
		case <-again:
			return nil
		}
	}
}

func (p *place) Leave() {
	h := p.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	queue := slices.DeleteFunc(h.queues[p.queue], func(q *place) bool { return q == p })
	if len(queue) == 0 {
		delete(h.queues, p.queue)
		return
	}
	h.queues[p.queue] = queue
	poke(queue[0].wake)
}
