package ratelimit

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
)

// Redis limits over all processes that share a Redis. While it does not answer, each process limits by itself.
type Redis struct {
	limiter  *redis_rate.Limiter
	fallback Limiter
	log      *slog.Logger
}

// redisPatience is what a limiter may cost a request.
const redisPatience = 50 * time.Millisecond

// NewRedis makes a Redis over a client, with what limits while it is away.
func NewRedis(client *redis.Client, fallback Limiter, log *slog.Logger) *Redis {
	return &Redis{limiter: redis_rate.NewLimiter(client), fallback: fallback, log: log}
}

// Allow implements Limiter.
func (r *Redis) Allow(ctx context.Context, key string, l Limit) Result {
	limited, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	res, err := r.limiter.Allow(limited, key, redis_rate.Limit{Rate: l.Max, Burst: l.Max, Period: l.Window})
	if err != nil {
		r.log.DebugContext(ctx, "rate limits without Redis", "error", err)
		return r.fallback.Allow(ctx, key, l)
	}
	return Result{
		Allowed: res.Allowed > 0, Limit: l.Max, Remaining: res.Remaining, RetryAfter: max(res.RetryAfter, 0), Reset: res.ResetAfter,
	}
}
