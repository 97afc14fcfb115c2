package jobs

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// attempt is a job that this process has claimed.
type attempt struct {
	Info
	payload   []byte
	operation uuid.UUID
	trace     string
	cancel    context.CancelCauseFunc
	// stuck is when a handler that has outlived its timeout is no longer kept alive.
	stuck time.Time
}

// held is what runs in this process.
type held struct {
	mu    sync.Mutex
	by    map[*attempt]struct{}
	kinds map[string]int
	freed chan struct{} // told when an attempt has ended
}

func newHeld() *held {
	return &held{by: map[*attempt]struct{}{}, kinds: map[string]int{}, freed: make(chan struct{}, 1)}
}

func (h *held) add(a *attempt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.by[a] = struct{}{}
	h.kinds[a.Kind]++
}

func (h *held) remove(a *attempt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.by, a)
	h.kinds[a.Kind]--
	select {
	case h.freed <- struct{}{}:
	default:
	}
}

func (h *held) all() []*attempt {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]*attempt, 0, len(h.by))
	for a := range h.by {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *attempt) int { return slices.Compare(a.ID[:], b.ID[:]) }) // one order, no deadlock
	return list
}

// room is how many more may run, in all and of each kind that has a limit.
func (h *held) room(workers int, limits map[string]int) (total int, kinds []string, each []int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for kind, limit := range limits {
		kinds = append(kinds, kind)
		each = append(each, int32(max(0, limit-h.kinds[kind])))
	}
	return workers - len(h.by), kinds, each
}

// wait returns when nothing runs any more, or the context ends.
func (h *held) wait(ctx context.Context) {
	for len(h.all()) > 0 {
		select {
		case <-h.freed:
		case <-ctx.Done():
			return
		}
	}
}
