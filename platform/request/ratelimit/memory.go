package ratelimit

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// Memory limits within one process. Its memory is bounded: keys that have their whole limit available are forgotten,
// and if a shard is full anyway, some other keys are forgotten too.
type Memory struct {
	now    func() time.Time
	seed   maphash.Seed
	shards [32]shard
}

type shard struct {
	mu  sync.Mutex
	due map[string]time.Time
}

const shardKeys = 8192 // 32 shards of these, some 40 MB at the very most

// NewMemory returns a Memory.
func NewMemory(now func() time.Time) *Memory {
	m := &Memory{now: now, seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].due = map[string]time.Time{}
	}
	return m
}

func (m *Memory) Peek(_ context.Context, key string, l Limit) Result {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	result, _ := decide(s.due[key], m.now(), l)
	return result
}

func (m *Memory) shard(key string) *shard {
	return &m.shards[maphash.String(m.seed, key)%uint64(len(m.shards))]
}

func (m *Memory) Allow(_ context.Context, key string, l Limit) Result {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := m.now()
	result, next := decide(s.due[key], now, l)
	if result.Allowed {
		if len(s.due) >= shardKeys {
			s.sweep(now)
		}
		s.due[key] = next
	}
	return result
}

// sweep makes room: first those that owe nothing, then, if it has to be, any.
func (s *shard) sweep(now time.Time) {
	for key, due := range s.due {
		if !due.After(now) {
			delete(s.due, key)
		}
	}
	for key := range s.due {
		if len(s.due) < shardKeys/2 {
			return
		}
		delete(s.due, key)
	}
}
