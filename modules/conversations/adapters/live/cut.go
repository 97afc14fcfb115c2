package live

import (
	"context"

	"github.com/parley/parley/modules/conversations/ports"
)

// Cut cuts short the attempts that run here. It does not wait for them.
func (h *Hub) Cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.running {
		a.cancel(ports.ErrCut)
	}
}

// Close cuts short the attempts that run here, and those that begin from now on, and waits until what came of them is stored,
// or the context ends. It says how many there were.
func (h *Hub) Close(ctx context.Context) (attempts int) {
	h.mu.Lock()
	h.closed = true
	attempts = len(h.running)
	h.mu.Unlock()
	h.Cut()
	for h.any() {
		select {
		case <-h.ended:
		case <-ctx.Done():
			return attempts
		}
	}
	return attempts
}

func (h *Hub) any() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.running) > 0
}
