package operations

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	cache "github.com/go-pkgz/expirable-cache/v3"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/parley/parley/platform/data/dedupe"
	"github.com/parley/parley/platform/request/callctx"
)

// Cached is a finished operation in a cache.
type Cached struct {
	Fingerprint []byte
	Version     int // of the fingerprint; 0 in what the release before has kept, whose version is 1
	Answer      Answer
}

// Cache makes replays faster. It is an optimization only: Postgres decides, and losing the cache is harmless. It holds
// only responses that have been committed. Its methods do not fail; an unavailable cache returns nothing.
type Cache interface {
	Get(ctx context.Context, key string) (Cached, bool)
	Put(ctx context.Context, key string, c Cached)
}

const (
	cacheLife    = 10 * time.Minute
	cacheEntries = 4096
	cacheLargest = 16 << 10 // bytes; larger answers are left to Postgres
)

// CacheKey returns the key of the operation of the call.
func CacheKey(ctx context.Context) string {
	c := callctx.From(ctx)
	return cacheKey(c.Principal.WorkspaceID, c.Principal.UserID, c.Operation.ID)
}

func cacheKey(workspace, actor, operation uuid.UUID) string {
	return "operation:" + workspace.String() + ":" + actor.String() + ":" + operation.String()
}

// MemoryCache holds the newest responses of this process.
type MemoryCache struct {
	entries cache.Cache[string, Cached]
}

// NewMemoryCache returns a MemoryCache.
func NewMemoryCache() *MemoryCache {
	return &MemoryCache{cache.NewCache[string, Cached]().WithLRU().WithMaxKeys(cacheEntries).WithTTL(cacheLife)}
}

func (m *MemoryCache) Get(_ context.Context, key string) (Cached, bool) { return m.entries.Get(key) }

func (m *MemoryCache) Put(_ context.Context, key string, c Cached) {
	if len(c.Answer.Body) <= cacheLargest {
		m.entries.Add(key, c)
	}
}

// RedisCache holds responses that processes share, as marks.
type RedisCache struct{ marks dedupe.Marks }

// NewRedisCache returns a RedisCache.
func NewRedisCache(client *redis.Client, log *slog.Logger) *RedisCache {
	return &RedisCache{dedupe.NewRedis(client, cacheLife, log)}
}

func (m *RedisCache) Get(ctx context.Context, key string) (c Cached, found bool) {
	text, ok := m.marks.Find(ctx, key)
	if !ok || json.Unmarshal([]byte(text), &c) != nil {
		return Cached{}, false
	}
	return c, true
}

func (m *RedisCache) Put(ctx context.Context, key string, c Cached) {
	if len(c.Answer.Body) > cacheLargest {
		return
	}
	text, err := json.Marshal(c)
	if err != nil {
		return // an answer of bytes and strings can be encoded
	}
	m.marks.Put(ctx, key, string(text))
}
