package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/parley/parley/platform/data/dedupe"
	"github.com/parley/parley/platform/data/redisclient"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/request/operations"
	"github.com/parley/parley/platform/request/ratelimit"
	"github.com/parley/parley/platform/work/resilience"
)

// sharedState is what processes share in Redis. Without Redis each process has its own.
type sharedState struct {
	client  *redis.Client     // nil where none is configured
	guard   *resilience.Group // nil where none is configured
	limiter ratelimit.Limiter
	marks   dedupe.Marks
	cache   operations.Cache
}

// Marks of deliveries that came in over webhooks: senders repeat a delivery within a day, if at all.
const (
	markLife = 24 * time.Hour
	maxMarks = 100_000
)

// openShared prepares rate limits, marks and stored responses. The program starts even where Redis is not available.
func openShared(cfg *config.Config, log *slog.Logger, limited func(n float64, labels ...string), closing *closers) (sharedState, error) {
	memory := ratelimit.NewMemory(time.Now)
	if cfg.RedisURL == "" {
		return sharedState{
			limiter: countedLimiter{memory, limited}, marks: dedupe.NewMemory(markLife, maxMarks), cache: operations.NewMemoryCache(),
		}, nil
	}
	o, err := redis.ParseURL(cfg.RedisURL)
	if err != nil {
		return sharedState{}, errors.New("REDIS_URL: should be redis://user:password@host:port/0") // the parsing error may contain the password
	}
	o.DialTimeout, o.MaxRetries, o.ContextTimeoutEnabled = time.Second, -1, true
	guard := resilience.NewGroup("redis", resilience.Policy{ // each call makes several, and they are short: no spans
		Timeout: redisclient.Timeout, Failures: breakAfter, OpenFor: cfg.BreakerOpen,
	}, log)
	client := redisclient.New(o, guard)
	closing.push(client.Close)
	return sharedState{
		client: client, guard: guard, limiter: countedLimiter{ratelimit.NewRedis(client, memory, log), limited},
		marks: dedupe.NewRedis(client, markLife, log), cache: operations.NewRedisCache(client, log),
	}, nil
}

func (s sharedState) dependency() dependency {
	if s.client == nil {
		return dependency{name: "memory", service: memoryService{s.limiter, s.marks}}
	}
	return dependency{name: "redis", service: redisService{s.client}, optional: true, ping: func(ctx context.Context) error {
		return redisclient.Ping(ctx, s.client, s.guard)
	}}
}
