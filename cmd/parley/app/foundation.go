package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/ops/telemetry"
	"github.com/parley/parley/platform/work/resilience"
)

// foundation is what the rest of the program stands on: secrets and telemetry.
type foundation struct {
	jwt      string      // the secret of access tokens
	ring     secret.Ring // SECRET_KEY, and SECRET_PREVIOUS_KEYS, as configured
	counters counters
	tracing  *telemetry.Tracing // nil: no traces are made
	guard    newGuard
}

func newFoundation(ctx context.Context, cfg *config.Config, log *slog.Logger, closing *closers) (foundation, error) {
	jwt, ring, err := takeSecrets(cfg)
	if err != nil {
		return foundation{}, err
	}
	tracing, err := startTracing(ctx, cfg, ring, log, closing)
	if err != nil {
		return foundation{}, err
	}
	return foundation{
		jwt: jwt, ring: ring, counters: newCounters(), tracing: tracing, guard: guards(log, traceCalls(tracing)),
	}, nil
}

// Limits of the outgoing calls.
const (
	breakAfter   = 5 // failures in a row
	breakSources = 3 // workspaces that must be among them before a shared target is no longer called
)

// newGuard makes the deadline, the bulkhead and the circuit breakers of the calls to an outside system.
type newGuard func(name string, p resilience.Policy) *resilience.Group

// guards returns a newGuard. Each attempt at a call is wrapped by around; nil: by nothing.
func guards(log *slog.Logger, around func(ctx context.Context, group, target string, attempt func(ctx context.Context) error) error) newGuard {
	return func(name string, p resilience.Policy) *resilience.Group {
		g := resilience.NewGroup(name, p, log)
		g.Middleware = around
		return g
	}
}

// now returns the time in the precision of Postgres, so that a response and a later reading have the same value.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
