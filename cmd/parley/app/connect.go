package app

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/parley/parley/platform/dedupe"
	"github.com/parley/parley/platform/operations"
	"github.com/parley/parley/platform/postgres"
	"github.com/parley/parley/platform/ratelimit"
	"github.com/parley/parley/platform/redisclient"
	"github.com/parley/parley/platform/resilience"
)

// connect makes the clients of all dependencies. It waits only for the database, and not even for that if lazily is
// set.
func (p *platform) connect(ctx context.Context, d *database, lazily bool) (err error) {
	if err := p.connectRedis(); err != nil {
		return err
	}
	p.limiter = countedLimiter{p.limiter, p.metrics.refusals}
	p.migrator = postgres.NewMigrator(d.direct, p.log)
	p.statements = postgres.NewStatements(p.cfg.SlowStatement, p.log)
	p.db, err = postgres.Open(ctx, postgres.Options{
		URL: d.url, Pooled: d.pooled(), MaxConns: p.cfg.Connections(), Lazy: lazily, Spans: p.tracing.Provider(), Statements: p.statements,
	})
	if err != nil {
		return err
	}
	return errors.Join(p.openBlobs(ctx), p.chooseCounts(), p.connectVectors())
}

// connectRedis prepares the rate limiter. The program starts even where Redis is not available.
func (p *platform) connectRedis() error {
	memory := ratelimit.NewMemory(time.Now)
	p.limiter, p.marks = memory, dedupe.NewMemory(markLife, markMost)
	if p.cfg.RedisURL == "" {
		return nil
	}
	o, err := redis.ParseURL(p.cfg.RedisURL)
	if err != nil {
		return errors.New("REDIS_URL: should be redis://user:password@host:port/0") // the parsing error may contain the password
	}
	o.DialTimeout, o.MaxRetries, o.ContextTimeoutEnabled = time.Second, -1, true
	p.redisCalls = resilience.NewGroup("redis", resilience.Policy{
		Timeout: redisclient.Timeout, Failures: breakAfter, OpenFor: p.cfg.BreakerOpen,
	}, p.log)
	p.redis = redisclient.New(o, p.redisCalls)
	p.limiter, p.marks = ratelimit.NewRedis(p.redis, memory, p.log), dedupe.NewRedis(p.redis, markLife, p.log)
	return nil
}

// Marks of deliveries that came in over webhooks: senders repeat a delivery within a day, if at all.
const (
	markLife = 24 * time.Hour
	markMost = 100_000
)

func (p *platform) cache() operations.Cache {
	if p.redis != nil {
		return operations.NewRedisCache(p.redis, p.log)
	}
	return operations.NewMemoryCache()
}
