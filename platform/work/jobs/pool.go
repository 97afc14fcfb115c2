package jobs

import (
	"errors"
	"math"
	"slices"
	"time"
)

// Pool limits how many attempts at the jobs of some kinds run at once in a process. Each attempt takes a slot. There
// are three sorts of slots, so that targets which are slow, or may be, take no slots from quick targets.
//
// A workspace takes at most half of the slots of each sort, rounded up.
type Pool struct {
	Quick int // for jobs whose target was quick
	New   int // for jobs whose target is not known
	Slow  int // for jobs whose target was slow in the last 10 minutes
	// SlowAfter is the duration after which an attempt is slow. A slow attempt returns its slot and takes a slow one.
	// 0: no attempt is slow, and all targets are new.
	SlowAfter time.Duration
	// EndSlow says what happens to a slow attempt if no slow slot is free. True: its context is canceled with the cause
	// ErrNoSlowSlot, and the job waits for a slow slot, which does not count as a failure. False: it continues without
	// a slot, so that at most (Quick + New) × (timeout / SlowAfter) attempts do so.
	EndSlow bool
	// PerTarget is how many slots of each sort one target may take over all workspaces. One workspace takes at most
	// half of them. 0: no limit.
	PerTarget int
}

// NewPool divides a number of slots, at least 4, into the three sorts.
func NewPool(slots int, slowAfter time.Duration) Pool {
	p := Pool{New: slots / 4, Slow: max(1, slots*3/8), SlowAfter: slowAfter}
	p.Quick = slots - p.New - p.Slow
	return p
}

// sort is one of the sorts of slots, and of targets.
type sort int32

const (
	quick sort = iota + 1
	fresh
	slow
)

// slots returns the number of slots of a sort.
func (p Pool) slots(s sort) int { return [...]int{quick: p.Quick, fresh: p.New, slow: p.Slow}[s] }

// ErrNoSlowSlot is the cause with which the context of a handler is canceled if its target is slow and no slow slot is
// free.
var ErrNoSlowSlot = errors.New("jobs: the target is slow, and no slot for slow targets is free")

// How long a target is remembered as slow, unless it becomes quick earlier, or as quick.
const (
	slowFor  = 10 * time.Minute
	quickFor = 30 * 24 * time.Hour
)

// half is the part that one workspace, or one kind of the common pool, may take.
func half(n int) int { return (n + 1) / 2 }

const commonPool = 0 // of the kinds that name no pool: RunnerOptions.Workers

// pools are those of a Runner: the common one first.
type pools struct {
	list   []Pool
	number map[string]int
}

func newPools(workers int, named map[string]Pool) pools {
	p := pools{list: []Pool{{New: workers}}, number: map[string]int{}}
	names := make([]string, 0, len(named))
	for name := range named {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p.number[name] = len(p.list)
		p.list = append(p.list, named[name])
	}
	return p
}

// of returns the index of the pool of a kind: the common pool if the kind names no existing pool.
func (p pools) of(k KindOptions) int { return p.number[k.Pool] }

// limit is how many jobs of a kind run at once, beside what the slots bound. Of the common pool no kind takes more than half.
func (p pools) limit(k KindOptions) int {
	limit := math.MaxInt32
	if p.of(k) == commonPool {
		limit = half(p.list[commonPool].New)
	}
	if k.Concurrency > 0 {
		limit = min(limit, k.Concurrency)
	}
	return limit
}
