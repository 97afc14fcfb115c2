package ratelimit

// For the tests: how much a Memory may hold, and does.
const (
	Shards    = len(Memory{}.shards)
	ShardKeys = shardKeys
)

func Keys(m *Memory) (n int) {
	for i := range m.shards {
		n += len(m.shards[i].due)
	}
	return n
}
