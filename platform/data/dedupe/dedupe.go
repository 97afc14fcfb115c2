// Package dedupe remembers for a limited time which work has been committed, so that a repetition is recognized without
// a query to the database. It is an optimization only: a mark means that the work is committed, and a missing mark
// means nothing. Losing all marks is harmless.
package dedupe

import (
	"context"
	"log/slog"
	"time"

	cache "github.com/go-pkgz/expirable-cache/v3"
	"github.com/redis/go-redis/v9"
)

// Marks stores small texts under keys. Its methods do not fail: if the store is unavailable, no mark is found.
type Marks interface {
	Find(ctx context.Context, key string) (value string, found bool)
	Put(ctx context.Context, key, value string)
}

// budget is the timeout of an access to Redis: the database, which makes the decision, is not much slower.
const budget = 50 * time.Millisecond

// Memory stores the marks of this process in memory.
type Memory struct {
	entries cache.Cache[string, string]
}

// NewMemory returns a Memory of at most the given number of marks, each kept for the duration life.
func NewMemory(life time.Duration, most int) *Memory {
	return &Memory{cache.NewCache[string, string]().WithLRU().WithMaxKeys(most).WithTTL(life)}
}

func (m *Memory) Find(_ context.Context, key string) (string, bool) { return m.entries.Get(key) }

func (m *Memory) Put(_ context.Context, key, value string) { m.entries.Add(key, value) }

// Redis shares marks between processes.
type Redis struct {
	client *redis.Client
	life   time.Duration
	log    *slog.Logger
}

// NewRedis returns a Redis.
func NewRedis(client *redis.Client, life time.Duration, log *slog.Logger) *Redis {
	return &Redis{client, life, log}
}

// prefix keeps our keys apart from others in a Redis that is shared.
const prefix = "parley:"

func (r *Redis) Find(ctx context.Context, key string) (string, bool) {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	value, err := r.client.Get(ctx, prefix+key).Result()
	return value, err == nil
}

// Put stores the mark even if the context is canceled, because what the mark says stays true.
func (r *Redis) Put(ctx context.Context, key, value string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), budget)
	defer cancel()
	if err := r.client.Set(ctx, prefix+key, value, r.life).Err(); err != nil {
		r.log.DebugContext(ctx, "a mark was not kept", "error", err)
	}
}
