package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/ops/telemetry"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/gateway"
	"github.com/parley/parley/platform/work/jobs"
)

// startTracing starts to send spans where a collector is configured; nil: none is.
func startTracing(ctx context.Context, cfg *config.Config, ring secret.Ring, log *slog.Logger, closing *closers) (*telemetry.Tracing, error) {
	if cfg.TraceEndpoint == "" {
		return nil, nil //nolint:nilnil // a nil Tracing makes no spans
	}
	tracing, err := telemetry.NewTracing(ctx, cfg.TraceEndpoint, cfg.Version, cfg.TraceShare, ring.Current().Key("trace sampling"), log)
	if err == nil {
		closing.push(tracing.Close)
	}
	return tracing, err
}

// tracer returns what the gateway makes spans with; nil where no spans are made.
func tracer(t *telemetry.Tracing) gateway.Tracer {
	if t == nil {
		return nil
	}
	return t
}

// measureJobs returns the middleware that measures a job and makes a span of it, in the trace of its cause.
func measureJobs(tracing *telemetry.Tracing, c counters) func(ctx context.Context, kind string, handle func(ctx context.Context) error) error {
	return func(ctx context.Context, kind string, handle func(ctx context.Context) error) error {
		start := time.Now()
		ctx, end := tracing.Start(ctx, "job "+kind, nil)
		err := errPanic
		defer func() {
			end(err)
			outcome := "done"
			switch {
			case jobs.IsNotYet(err):
				outcome = "put_off"
			case err != nil:
				outcome = "failed"
			}
			c.jobs(time.Since(start), kind, outcome)
			c.top.job(ctx, time.Since(start), outcome == "failed")
		}()
		err = handle(ctx)
		return err
	}
}

// traceCalls returns the middleware that makes a span of an outgoing call, and measures how long a request has waited
// for it.
func traceCalls(tracing *telemetry.Tracing) func(ctx context.Context, group, target string, attempt func(ctx context.Context) error) error {
	return func(ctx context.Context, group, target string, attempt func(ctx context.Context) error) error {
		ctx, end := tracing.Start(ctx, "call "+group, map[string]string{"parley.target": target})
		err, start := errPanic, time.Now()
		defer func() {
			callctx.Waited(ctx, time.Since(start))
			end(err)
		}()
		err = attempt(ctx)
		return err
	}
}

// errPanic is the error that is measured for work that panicked.
var errPanic = errors.New("it panicked")

// openLog makes the log of a long-running program. Errors are also sent to Sentry, where it is configured.
func openLog(cfg *config.Config, w io.Writer) (log *slog.Logger, closeLog func() error, err error) {
	batch := telemetry.NewBatch(w)
	log = newLogger(cfg, batch)
	if cfg.SentryDSN == "" {
		return log, batch.Flush, nil
	}
	scrubber, err := telemetry.NewScrubber(cfg.Hide, SecretFormats()...)
	if err != nil {
		return nil, nil, err
	}
	s, err := telemetry.NewSentry(cfg.SentryDSN, cfg.AppEnv, cfg.Version, scrubber)
	if err != nil {
		return nil, nil, usageError{errors.New("SENTRY_DSN: should be https://key@host/project")} // the parsing error may contain the key
	}
	closeAll := func() error { return errors.Join(s.Close(), batch.Flush()) }
	return slog.New(slog.NewMultiHandler(log.Handler(), s)), closeAll, nil
}
