package operations

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/dedupe"
)

// Cached is a finished operation as a cache keeps it.
type Cached struct {
	Fingerprint []byte
	Answer      Answer
}

// Cache makes replays quicker and nothing else: Postgres decides, and losing a cache loses nothing. What it holds is
// only ever an answer that has been committed. Neither method fails; a cache that is away has nothing.
type Cache interface {
	Get(ctx context.Context, key string) (Cached, bool)
	Put(ctx context.Context, key string, c Cached)
}

const (
	cacheLife    = 10 * time.Minute
	cacheEntries = 4096
	cacheLargest = 16 << 10 // bytes; larger answers are left to Postgres
)

// CacheKey names this call's operation.
func CacheKey(ctx context.Context) string {
	c := call.From(ctx)
	return "operation:" + c.Principal.WorkspaceID.String() + ":" + c.Principal.UserID.String() + ":" + c.Operation.ID.String()
}

// MarkedCache keeps answers as marks, of this process or of all.
type MarkedCache struct{ marks dedupe.Marks }

// NewMemoryCache makes a Cache of the newest answers of this process.
func NewMemoryCache() *MarkedCache { return &MarkedCache{dedupe.NewMemory(cacheLife, cacheEntries)} }

// NewRedisCache makes a Cache that processes share.
func NewRedisCache(client *redis.Client, log *slog.Logger) *MarkedCache {
	return &MarkedCache{dedupe.NewRedis(client, cacheLife, log)}
}

// Get implements Cache.
func (m *MarkedCache) Get(ctx context.Context, key string) (c Cached, found bool) {
	text, ok := m.marks.Find(ctx, key)
	if !ok || json.Unmarshal([]byte(text), &c) != nil {
		return Cached{}, false
	}
	return c, true
}

// Put implements Cache.
func (m *MarkedCache) Put(ctx context.Context, key string, c Cached) {
	if len(c.Answer.Body) > cacheLargest {
		return
	}
	text, err := json.Marshal(c)
	if err != nil {
		return // an answer of bytes and strings can be encoded
	}
	m.marks.Put(ctx, key, string(text))
}
