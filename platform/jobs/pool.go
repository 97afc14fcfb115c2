package jobs

import (
	"errors"
	"math"
	"slices"
	"time"
)

// Pool bounds how many attempts at the jobs of some kinds a process runs at once. Each takes a slot. There are three sorts of
// slots, so that targets which are slow, or may be, take none from those that are quick.
//
// A workspace takes at most half of each sort, rounded up.
type Pool struct {
	Quick int // for jobs whose target was quick
	New   int // for jobs whose target is not known
	Slow  int // for jobs whose target was slow in the last 10 minutes
	// SlowAfter is after how long an attempt is slow: it gives its slot back then and takes a slow one. 0: no attempt is
	// slow, and all targets are new.
	SlowAfter time.Duration
	// EndSlow says what becomes of a slow attempt for which no slow slot is free. True: its context is ended with the cause
	// ErrNoSlowSlot, and the job waits for one, which is no failure. False: it goes on beside those that have one, so that
	// at most (Quick + New) × (timeout / SlowAfter) attempts do.
	EndSlow bool
	// PerTarget is how many slots of each sort go to one target over all workspaces, of which one workspace takes half; 0: no
	// bound.
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

// slots gives how many there are of a sort.
func (p Pool) slots(s sort) int { return [...]int{quick: p.Quick, fresh: p.New, slow: p.Slow}[s] }

// ErrNoSlowSlot is the cause of the end of a handler's context where its target is slow and all slow slots are taken.
var ErrNoSlowSlot = errors.New("jobs: the target is slow, and no slot for slow targets is free")

// For how long it is remembered of a target that it was slow, unless it is quick again before, or that it was quick.
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

// of gives the number of a kind's pool: the common one where it names none that there is.
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
