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

// startTracing begins to send spans, where a collector is configured.
func (p *platform) startTracing(ctx context.Context) (err error) {
	if p.cfg.TraceEndpoint == "" {
		return nil
	}
	if p.tracing, err = telemetry.NewTracing(ctx, p.cfg.TraceEndpoint, p.cfg.Version, p.cfg.TraceShare, p.ring.Current().Key("trace sampling"), p.log); err == nil {
		p.closers = append(p.closers, p.tracing.Close)
	}
	return err
}

// tracer is what the gateway makes spans with; nil where none are made.
func (p *platform) tracer() gateway.Tracer {
	if p.tracing == nil {
		return nil
	}
	return p.tracing
}

// aroundJob makes a span of a job, in the trace of its cause, and measures it.
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

// aroundCall makes a span of a call to the outside.
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

// errPanic is what is measured of work that has not returned.
var errPanic = errors.New("it panicked")

// openLog makes the log of a program that runs for long: errors are told to a Sentry too, where one is configured.
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
		return nil, nil, usageError{errors.New("SENTRY_DSN: should be https://key@host/project")} // the error may show the key
	}
	closeAll := func() error { return errors.Join(s.Close(), batch.Flush()) }
	return slog.New(slog.NewMultiHandler(log.Handler(), s)), closeAll, nil
}
