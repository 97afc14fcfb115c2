package jobs

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
)

// attempt is a job that this process has claimed.
type attempt struct {
	Info
	payload   []byte
	operation uuid.UUID
	trace     string
	target    string
	known     sort // of the target, when the job was claimed
	pool      int
	cancel    context.CancelCauseFunc
	// stuck is when a handler that has outlived its timeout is no longer kept alive.
	stuck time.Time

	slot sort // that it has; guarded by held
}

// held is what runs in this process, and the slots that it takes. It is safe for concurrent use.
type held struct {
	pools pools
	mu    sync.Mutex
	by    map[*attempt]struct{}
	freed chan struct{} // receives a value when a slot becomes free
}

func newHeld(p pools) *held {
	return &held{pools: p, by: map[*attempt]struct{}{}, freed: make(chan struct{}, 1)}
}

func (h *held) add(a *attempt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a.slot = a.known
	h.by[a] = struct{}{}
}

func (h *held) remove(a *attempt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.by, a)
	h.free()
}

func (h *held) free() {
	select {
	case h.freed <- struct{}{}:
	default:
	}
}

// takeSlowSlot exchanges the slot of an attempt that has become slow for a slow slot. It returns false if no slow slot
// is free and the pool says that the attempt ends then.
func (h *held) takeSlowSlot(a *attempt) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, running := h.by[a]; !running || a.slot == slow {
		return true
	}
	pool := h.pools.list[a.pool]
	var all, ofWorkspace, ofTarget, ofBoth int
	for b := range h.by {
		if b.slot != slow || b.pool != a.pool {
			continue
		}
		all++
		if b.WorkspaceID == a.WorkspaceID {
			ofWorkspace++
		}
		if b.target == a.target {
			ofTarget++
		}
		if b.WorkspaceID == a.WorkspaceID && b.target == a.target {
			ofBoth++
		}
	}
	full := all >= pool.Slow || ofWorkspace >= half(pool.Slow) ||
		pool.PerTarget > 0 && a.target != "" && (ofTarget >= pool.PerTarget || ofBoth >= max(1, pool.PerTarget/2))
	if full && pool.EndSlow {
		return false
	}
	a.slot = slow
	h.free()
	return true
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

// freeSlots returns what a claim needs to know about the slots, and whether any is free.
func (h *held) freeSlots(kinds map[string]KindOptions) (p platformdb.TakeJobsParams, free bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	taken := make([][slow + 1]int, len(h.pools.list))
	ofKind := map[string]int{}
	for a := range h.by {
		ofKind[a.Kind]++
		taken[a.pool][a.slot]++
		p.HeldWorkspaces, p.HeldPools = append(p.HeldWorkspaces, a.WorkspaceID), append(p.HeldPools, int32(a.pool))
		p.HeldSorts, p.HeldTargets = append(p.HeldSorts, int32(a.slot)), append(p.HeldTargets, a.target)
	}
	for kind, o := range kinds {
		p.Kinds, p.KindPools = append(p.Kinds, kind), append(p.KindPools, int32(h.pools.of(o)))
		p.KindSlots = append(p.KindSlots, int32(max(0, h.pools.limit(o)-ofKind[kind])))
	}
	p.OtherSlots = int32(half(h.pools.list[commonPool].New))
	for n, pool := range h.pools.list {
		for s := quick; s <= slow; s++ {
			left := max(0, min(pool.slots(s)-taken[n][s], claimBatchSize))
			p.Pools, p.Sorts, p.FreeSlots = append(p.Pools, int32(n)), append(p.Sorts, int32(s)), append(p.FreeSlots, int32(left))
			p.EachWorkspace, p.EachTarget = append(p.EachWorkspace, int32(half(pool.slots(s)))), append(p.EachTarget, int32(pool.PerTarget))
			free = free || left > 0
		}
	}
	return p, free
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
