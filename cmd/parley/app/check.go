package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/request/fail"
)

const (
	checkTimeout   = 10 * time.Second // for the check of one dependency
	prepareTimeout = time.Minute      // for the preparation of one other than the database
	pingTimeout    = 5 * time.Second
)

// result is the result of the check of one dependency.
type result struct {
	name string
	err  error
	note string // what an operator should know although the check passed

	optional bool // servers start and serve without it
}

// checkAll is parley check: it checks every dependency, all at once, and prints one line for each.
func checkAll(stdout, stderr io.Writer) configAction {
	return func(ctx context.Context, _ *cli.Command, cfg *config.Config) error {
		results, err := onConfiguredStorage(ctx, cfg, newLogger(cfg, stderr), func(s storage) []result {
			return checkKey(ctx, cfg, s.db, checkEach(ctx, s.dependencies()))
		})
		if err != nil {
			return err
		}
		return printResults(stdout, cfg, results, "All infra checks passed.")
	}
}

// checkEach checks every dependency, all at once.
func checkEach(ctx context.Context, list []dependency) []result {
	waiting := make([]<-chan error, len(list))
	for i, d := range list {
		waiting[i] = inTime(ctx, checkTimeout, d.Check)
	}
	results := make([]result, len(list))
	for i, d := range list {
		results[i] = result{name: d.name, err: <-waiting[i], optional: d.optional}
	}
	return results
}

// initialize is parley init: it prepares every dependency, one after the other, and prints one line for each. A failure
// does not stop the preparation of the others.
func initialize(stdout, stderr io.Writer) configAction {
	return func(ctx context.Context, _ *cli.Command, cfg *config.Config) error {
		results, err := onConfiguredStorage(ctx, cfg, newLogger(cfg, stderr), func(s storage) (results []result) {
			for _, d := range s.dependencies() {
				timeout := prepareTimeout
				if !d.optional {
					timeout = startTimeout
				}
				err := <-inTime(ctx, timeout, d.Prepare)
				if err == nil && d.ping != nil { // some need no preparation, but must be available
					err = <-inTime(ctx, pingTimeout, d.ping)
				}
				results = append(results, result{name: d.name, err: err})
			}
			return results
		})
		if err != nil {
			return err
		}
		return printResults(stdout, cfg, results, "All infra is prepared.")
	}
}

// inTime runs work, and sends its error, or a timeout error where it has not returned in time, even if it ignores its
// context.
func inTime(ctx context.Context, timeout time.Duration, work func(ctx context.Context) error) <-chan error {
	ended := make(chan error, 2)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	stop := context.AfterFunc(ctx, func() { ended <- context.Cause(ctx) })
	go func() {
		defer cancel()
		err := work(ctx)
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx) // it noticed the end of the context before the timer sent its error
		}
		if stop() {
			ended <- err
		}
	}()
	return ended
}

// printResults prints one line for each result. If all checks have passed, it prints last at the end.
func printResults(stdout io.Writer, cfg *config.Config, results []result, last string) error {
	failed := 0
	for _, r := range results {
		if r.err == nil {
			line := "[OK] " + r.name
			if r.note != "" {
				line += ": " + r.note
			}
			fmt.Fprintln(stdout, line)
			continue
		}
		failed++
		fmt.Fprintf(stdout, "[FAIL] %s: %s\n", r.name, cfg.Hide(why(r.err)))
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d failed", failed, len(results))
	}
	_, err := fmt.Fprintln(stdout, last)
	return err
}

// why returns an error as one line for an operator: the cause, without the message for callers.
func why(err error) string {
	text := strings.ReplaceAll(err.Error(), fail.ErrUnavailable.Error()+": ", "")
	return strings.Join(strings.Fields(text), " ")
}

// onConfiguredStorage runs work on the configured dependencies, with the database where it can be opened. It uses an
// embedded database that another parley process has started; if that stops in the meantime, the work is repeated.
func onConfiguredStorage(ctx context.Context, cfg *config.Config, log *slog.Logger, work func(storage) []result) ([]result, error) {
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		d, opened := joinDatabase(starting, cfg, log)
		if opened != nil {
			d = absent(cfg)
		}
		results, err := onStorage(ctx, cfg, log, d, work)
		if opened != nil && len(results) > 0 {
			results[0].err = opened // the first result is that of the database: the error of opening it says more
		}
		gone := d.joined && !d.answers(starting)
		if err = errors.Join(err, d.close()); err != nil || !gone || starting.Err() != nil {
			return results, err
		}
	}
}

func onStorage(ctx context.Context, cfg *config.Config, log *slog.Logger, d *database, work func(storage) []result) (results []result, err error) {
	var closing closers
	defer func() { err = errors.Join(err, closing.close()) }()
	s, err := openStorage(ctx, storageOptions{
		cfg: cfg, log: log, database: d, lazily: true, guard: guards(log, nil), limited: newCounters().refusals,
	}, &closing)
	if err != nil {
		return nil, err
	}
	return work(s), nil
}
