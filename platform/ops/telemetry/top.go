package telemetry

import (
	"cmp"
	"container/heap"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	topSlots  = 10               // of the window
	topSlot   = 30 * time.Second // the time of one
	topShards = 8                // locks, so that calls do not wait for each other
	topKeys   = 64               // that a slot of a shard knows
)

// TopWindow is the period that a Top covers.
const TopWindow = topSlots * topSlot

// Other is the label of all workspaces that are not among those with the highest totals.
const Other = "other"

// Top counts an amount by workspace over the last TopWindow, and finds the workspaces with the highest totals. It uses
// less than 600 KB of memory, however many workspaces there are. The algorithm is space-saving (Metwally, Agrawal, El
// Abbadi, 2005) with amounts. The figure of a workspace is never above the true value. It is exact while a 30th of a
// window contains no more than a few hundred workspaces. The total is always exact. It is safe for concurrent use.
type Top struct {
	now    func() time.Time
	shards [topShards]topShard
}

// NewTop returns a Top that uses the clock now.
func NewTop(now func() time.Time) *Top { return &Top{now: now} }

// Add adds an amount for a workspace. It ignores the zero workspace id and amounts that are not positive.
func (t *Top) Add(workspace uuid.UUID, amount float64) {
	if workspace == uuid.Nil || amount <= 0 {
		return
	}
	t.shards[workspace[len(workspace)-1]%topShards].add(t.slot(), workspace, amount)
}

func (t *Top) slot() int64 { return t.now().UnixNano() / int64(topSlot) }

// Samples returns the k workspaces with the highest totals, by id, and the rest as Other. A total of zero within the
// window has no sample.
func (t *Top) Samples(k int) []Sample {
	counts, total := map[uuid.UUID]float64{}, 0.0
	for i := range t.shards {
		total += t.shards[i].read(t.slot(), counts)
	}
	return TopSamples(counts, total, k)
}

// TopSamples returns a sample for each of the k workspaces with the highest counts, and one for the rest of the total,
// as Other.
func TopSamples(counts map[uuid.UUID]float64, total float64, k int) []Sample {
	if total <= 0 {
		return nil
	}
	keys := make([]uuid.UUID, 0, len(counts))
	for key := range counts {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b uuid.UUID) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), slices.Compare(a[:], b[:]))
	})
	keys = keys[:min(k, len(keys))]
	samples := make([]Sample, 0, len(keys)+1)
	for _, key := range keys {
		samples = append(samples, Sample{Labels: []string{key.String()}, Value: counts[key]})
		total -= counts[key]
	}
	return append(samples, Sample{Labels: []string{Other}, Value: max(0, total)})
}

type topShard struct {
	mu    sync.Mutex
	slots [topSlots]*spaceSaving
}

func (s *topShard) add(slot int64, key uuid.UUID, amount float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := &s.slots[slot%topSlots]
	if *at == nil || (*at).slot != slot {
		*at = &spaceSaving{slot: slot, places: map[uuid.UUID]int{}}
	}
	(*at).add(key, amount)
}

// read adds the amounts of the slots of the window to counts, returns their total, and removes older slots.
func (s *topShard) read(slot int64, counts map[uuid.UUID]float64) (total float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, of := range s.slots {
		switch {
		case of == nil:
			continue
		case of.slot <= slot-topSlots:
			s.slots[i] = nil
			continue
		}
		total += of.total
		for _, e := range of.entries {
			counts[e.key] += e.count - e.inherited
		}
	}
	return total
}

// spaceSaving is one slot: a heap with the smallest count first.
type spaceSaving struct {
	slot    int64
	total   float64
	entries []topEntry
	places  map[uuid.UUID]int // in entries
}

type topEntry struct {
	key       uuid.UUID
	count     float64
	inherited float64 // the part of count that may be of keys which had the place before
}

func (s *spaceSaving) add(key uuid.UUID, amount float64) {
	s.total += amount
	place, known := s.places[key]
	switch {
	case known:
		s.entries[place].count += amount
	case len(s.entries) < topKeys:
		heap.Push(s, topEntry{key: key, count: amount})
		return
	default:
		delete(s.places, s.entries[0].key)
		least := s.entries[0].count
		s.entries[0] = topEntry{key: key, count: least + amount, inherited: least}
		s.places[key] = 0
		place = 0
	}
	heap.Fix(s, place)
}

func (s *spaceSaving) Len() int           { return len(s.entries) }
func (s *spaceSaving) Less(i, j int) bool { return s.entries[i].count < s.entries[j].count }

func (s *spaceSaving) Swap(i, j int) {
	s.entries[i], s.entries[j] = s.entries[j], s.entries[i]
	s.places[s.entries[i].key], s.places[s.entries[j].key] = i, j
}

func (s *spaceSaving) Push(e any) {
	entry, _ := e.(topEntry) // heap.Push passes on what add gives it
	s.places[entry.key] = len(s.entries)
	s.entries = append(s.entries, entry)
}

// Pop is not used: entries are replaced.
func (s *spaceSaving) Pop() any {
	last := s.entries[len(s.entries)-1]
	s.entries = s.entries[:len(s.entries)-1]
	delete(s.places, last.key)
	return last
}
