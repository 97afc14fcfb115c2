// Package redisclient creates Redis clients whose commands pass a circuit breaker. A server that hangs delays a few
// calls for a short time; later calls fail at once, until the server is tried again. Redis stores only data that may be
// lost.
package redisclient

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/resilience"
)

// Timeout bounds a command, in a group made for New. A caller that bounds its commands with a context has to allow a
// little more, or a hanging command does not count as failed.
const Timeout = 40 * time.Millisecond

// New returns a client whose commands go through a group. A command that the open breaker refuses fails at once with an
// error for which resilience.IsRefused returns true.
func New(o *redis.Options, group *resilience.Group) *redis.Client {
	client := redis.NewClient(o)
	client.AddHook(guard{group, o.Addr})
	return client
}

// Ping returns an error if the server does not answer. It fails at once while the breaker of the group is open, and
// otherwise waits until the context ends.
func Ping(ctx context.Context, client *redis.Client, group *resilience.Group) error {
	if group.Away(client.Options().Addr) > 0 {
		return fail.ErrUnavailable.Because(errors.New("it has failed too often, and is not asked for a while"))
	}
	return client.Ping(Unguarded(ctx)).Err()
}

type unguarded struct{}

// Unguarded returns a context whose commands do not pass the breaker. It is for checks, which may take longer.
func Unguarded(ctx context.Context) context.Context { return context.WithValue(ctx, unguarded{}, true) }

type guard struct {
	group  *resilience.Group
	target string
}

// DialHook leaves dialing unchanged, because it is part of a command.
func (guard) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook guards a command.
func (g guard) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return g.do(ctx, func(ctx context.Context) error { return next(ctx, cmd) })
	}
}

// ProcessPipelineHook guards the commands of a pipeline as one.
func (g guard) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return g.do(ctx, func(ctx context.Context) error { return next(ctx, cmds) })
	}
}

// do returns the error of the command as it is, such as redis.Nil. What greets a new connection is within the command that
// needs it, and not guarded again: of a breaker that lets one call try, it would be the second.
func (g guard) do(ctx context.Context, command func(ctx context.Context) error) (failed error) {
	if ctx.Value(unguarded{}) != nil {
		return command(ctx)
	}
	err := g.group.Do(ctx, g.target, func(attempt context.Context) error {
		failed = command(Unguarded(attempt))
		if _, answered := errors.AsType[redis.Error](failed); answered {
			return resilience.Answered(failed)
		}
		return failed
	})
	if _, refused := resilience.IsRefused(err); refused || failed == nil {
		return err
	}
	return failed
}
