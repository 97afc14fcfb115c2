package argon2id

import (
	"container/list"
	"context"
	"sync"
)

// lanes shares a few slots between two kinds of waiting callers. Callers from networks and devices that logged in
// before go first, so that a flood of unknown callers does not keep them out. Every fourth slot still goes to an
// unknown caller. It is safe for concurrent use.
type lanes struct {
	mu      sync.Mutex
	free    int
	given   int // slots that were passed from one caller to the next
	longest int // of a queue
	waiting [2]list.List
}

// lane is the queue of a caller.
type lane int

const (
	familiar lane = iota
	unknown
)

const unknownEvery = 4 // of so many slots one goes to an unknown caller

// acquire waits for a slot. It returns false where the queue is full or the context ends first.
func (l *lanes) acquire(ctx context.Context, in lane) bool {
	l.mu.Lock()
	if l.free > 0 {
		l.free--
		l.mu.Unlock()
		return true
	}
	queue := &l.waiting[in]
	if queue.Len() >= l.longest {
		l.mu.Unlock()
		return false
	}
	turn := make(chan struct{})
	place := queue.PushBack(turn)
	l.mu.Unlock()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-turn: // the slot was passed to this caller in the meantime
		l.hand()
	default:
		queue.Remove(place)
	}
	return false
}

// release gives a slot back.
func (l *lanes) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hand()
}

// hand passes a slot to the next caller.
func (l *lanes) hand() {
	first, second := &l.waiting[familiar], &l.waiting[unknown]
	if (l.given+1)%unknownEvery == 0 {
		first, second = second, first
	}
	for _, queue := range []*list.List{first, second} {
		if next := queue.Front(); next != nil {
			l.given++
			close(queue.Remove(next).(chan struct{})) //nolint:errcheck // a queue holds nothing else
			return
		}
	}
	l.free++
}

// queued returns how many callers wait in a lane.
func (l *lanes) queued(in lane) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting[in].Len()
}
