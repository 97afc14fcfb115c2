package ratelimit

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
)

// Redis limits across all processes that share a Redis server. While the server does not answer, each process limits by
// itself.
type Redis struct {
	limiter  *redis_rate.Limiter
	fallback Limiter
	log      *slog.Logger
}

// redisTimeout is what a limiter may cost a request.
const redisTimeout = 50 * time.Millisecond

// NewRedis returns a Redis for a client. fallback limits while the server is unavailable.
func NewRedis(client *redis.Client, fallback Limiter, log *slog.Logger) *Redis {
	return &Redis{limiter: redis_rate.NewLimiter(client), fallback: fallback, log: log}
}

func (r *Redis) Allow(ctx context.Context, key string, l Limit) Result {
	if result, ok := r.ask(ctx, key, l, 1); ok {
		return result
	}
	return r.fallback.Allow(ctx, key, l)
}

func (r *Redis) Peek(ctx context.Context, key string, l Limit) Result {
	result, ok := r.ask(ctx, key, l, 0)
	if !ok {
		return r.fallback.Peek(ctx, key, l)
	}
	if result.Allowed = result.Remaining > 0; !result.Allowed {
		interval := l.Window / time.Duration(l.Max)
		result.RetryAfter = max(result.Reset-l.Window+interval, 0)
	}
	return result
}

// ask counts so many calls; it is not ok where Redis does not answer in time.
func (r *Redis) ask(ctx context.Context, key string, l Limit, calls int) (result Result, ok bool) {
	limited, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	res, err := r.limiter.AllowN(limited, key, redis_rate.Limit{Rate: l.Max, Burst: l.Max, Period: l.Window}, calls)
	if err != nil {
		r.log.DebugContext(ctx, "rate limits without Redis", "error", err)
		return Result{}, false
	}
	return Result{
		Allowed: res.Allowed > 0, Limit: l.Max, Remaining: res.Remaining, RetryAfter: max(res.RetryAfter, 0), Reset: res.ResetAfter,
	}, true
}
