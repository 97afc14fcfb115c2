package live

import (
	"context"

	"github.com/parley/parley/modules/conversations/ports"
)

// Cut stops the attempts that run here. It does not wait for them.
func (h *Hub) Cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.running {
		a.cancel(ports.ErrCut)
	}
}

// Close stops the attempts that run here, and those that begin from now on, and waits until their results are stored or
// the context ends. It returns how many there were.
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
