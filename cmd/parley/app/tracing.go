package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/config"
	"github.com/parley/parley/platform/gateway"
	"github.com/parley/parley/platform/jobs"
	"github.com/parley/parley/platform/telemetry"
)

// startTracing starts to send spans where a collector is configured.
func (p *platform) startTracing(ctx context.Context) (err error) {
	if p.cfg.TraceEndpoint == "" {
		return nil
	}
	if p.tracing, err = telemetry.NewTracing(ctx, p.cfg.TraceEndpoint, p.cfg.Version, p.cfg.TraceShare, p.ring.Current().Key("trace sampling"), p.log); err == nil {
		p.closers = append(p.closers, p.tracing.Close)
	}
	return err
}

// tracer returns what the gateway makes spans with; nil where no spans are made.
func (p *platform) tracer() gateway.Tracer {
	if p.tracing == nil {
		return nil
	}
	return p.tracing
}

// aroundJob measures a job and makes a span of it, in the trace of its cause.
func (p *platform) aroundJob(ctx context.Context, kind string, handle func(ctx context.Context) error) error {
	start := time.Now()
	ctx, end := p.tracing.Start(ctx, "job "+kind, nil)
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
		p.metrics.jobs(time.Since(start), kind, outcome)
		p.metrics.top.job(ctx, time.Since(start), outcome == "failed")
	}()
	err = handle(ctx)
	return err
}

// aroundCall makes a span of an outgoing call.
func (p *platform) aroundCall(ctx context.Context, group, target string, attempt func(ctx context.Context) error) error {
	ctx, end := p.tracing.Start(ctx, "call "+group, map[string]string{"parley.target": target})
	err, start := errPanic, time.Now()
	defer func() {
		call.Waited(ctx, time.Since(start))
		end(err)
	}()
	err = attempt(ctx)
	return err
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
