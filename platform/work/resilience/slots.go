package resilience

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// ErrNoSlot says that no slot was free for these parties, and that they may not wait longer for one.
var ErrNoSlot = errors.New("resilience: as many as may run at once are running")

const (
	slotsKept  = 8 // one place in so many is kept for parties that hold none
	slotsShare = 3 // times what is free: that many places a party may hold
)

// Slots divide a bounded number of slots fairly among parties, such as workspaces. A party receives a slot at once while
// it holds fewer than three times the number of free slots. A single party can take two thirds of all slots, and two
// parties three sevenths each, so some slots are always free for the next party. An eighth of the slots is reserved for
// parties that hold none.
//
// A slot that is taken for several parties, such as a workspace and a user, counts for each of them. Slots are safe for
// concurrent use.
type Slots struct {
	mu      sync.Mutex
	total   int
	reserve int
	free    int
	held    map[uuid.UUID]int // places by party
	claims  map[uuid.UUID]int // places and waiters by party
	owners  map[uuid.UUID]int // the same by the first party alone
	queue   []*waiter         // in the order of arrival
}

type waiter struct {
	parties []uuid.UUID
	ready   chan struct{} // closed when it has its place
}

// NewSlots returns Slots with a total number of slots, which must be at least one.
func NewSlots(total int) *Slots {
	return &Slots{
		total: total, free: total, reserve: min(max(1, total/slotsKept), total-1),
		held: map[uuid.UUID]int{}, claims: map[uuid.UUID]int{}, owners: map[uuid.UUID]int{},
	}
}

// Try takes a slot if the parties may have one at once.
func (s *Slots) Try(parties ...uuid.UUID) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mayTake(parties) {
		return nil, false
	}
	s.claim(parties, 1)
	s.take(parties)
	return s.leaver(parties), true
}

// Wait takes a slot, and waits for it for at most wait; the parties that hold the fewest slots are served first. It
// returns ErrNoSlot when that time has passed, and at once if the parties have their equal share of all slots,
// including slots that they already wait for. It returns the cause of the context if the context ends first.
func (s *Slots) Wait(ctx context.Context, wait time.Duration, parties ...uuid.UUID) (leave func(), err error) {
	if leave, ok := s.Try(parties...); ok {
		return leave, nil
	}
	s.mu.Lock()
	if wait <= 0 || !s.mayWait(parties) {
		s.mu.Unlock()
		return nil, ErrNoSlot
	}
	w := &waiter{parties: parties, ready: make(chan struct{})}
	s.queue = append(s.queue, w)
	s.claim(parties, 1)
	s.serve() // a place may have become free since
	s.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-w.ready:
		return s.leaver(parties), nil
	case <-timer.C:
		err = ErrNoSlot
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.queue, w)
	if at < 0 { // it was served at this moment
		return s.leaver(parties), nil
	}
	s.queue = slices.Delete(s.queue, at, at+1)
	s.claim(parties, -1)
	return nil, err
}

// leaver returns the function that releases a slot. That function may be called more than once.
func (s *Slots) leaver(parties []uuid.UUID) func() {
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.free++
		for _, p := range parties {
			add(s.held, p, -1)
		}
		s.claim(parties, -1)
		s.serve()
	})
}

// serve assigns free slots to waiting callers that may have one, first to those that hold the fewest.
func (s *Slots) serve() {
	for {
		next := -1
		for i, w := range s.queue {
			if s.mayTake(w.parties) && (next < 0 || load(s.held, w.parties) < load(s.held, s.queue[next].parties)) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		w := s.queue[next]
		s.queue = slices.Delete(s.queue, next, next+1)
		s.take(w.parties)
		close(w.ready)
	}
}

func (s *Slots) mayTake(parties []uuid.UUID) bool {
	holds := load(s.held, parties)
	return s.free > 0 && (holds == 0 || holds < slotsShare*(s.free-s.reserve))
}

// mayWait reports whether the parties have less than an equal share of the slots, including the slots that they wait
// for.
func (s *Slots) mayWait(parties []uuid.UUID) bool {
	active := len(s.owners)
	if s.owners[parties[0]] == 0 {
		active++
	}
	return load(s.claims, parties) < max(1, s.total/active)
}

func (s *Slots) take(parties []uuid.UUID) {
	s.free--
	for _, p := range parties {
		s.held[p]++
	}
}

func (s *Slots) claim(parties []uuid.UUID, n int) {
	add(s.owners, parties[0], n)
	for _, p := range parties {
		add(s.claims, p, n)
	}
}

// load is how many places the one of several parties holds that holds most.
func load(held map[uuid.UUID]int, parties []uuid.UUID) (most int) {
	for _, p := range parties {
		most = max(most, held[p])
	}
	return most
}

// add counts; what is counted down to nothing takes no memory.
func add(counts map[uuid.UUID]int, key uuid.UUID, n int) {
	if counts[key] += n; counts[key] == 0 {
		delete(counts, key)
	}
}

// Used returns how many slots are taken, and how many callers wait for one.
func (s *Slots) Used() (taken, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total - s.free, len(s.queue)
}

// Claims returns how many slots each first party, such as the workspace, holds and waits for.
func (s *Slots) Claims() map[uuid.UUID]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.owners)
}
