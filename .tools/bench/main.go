// Command bench measures the three hot calls of the real program over HTTP against pgbench, which sends the same SQL to
// the same Postgres. The difference is the cost of the program between the database and the client. It then measures
// the job queue against that of riverqueue/river. `make bench` runs it. See -help: it can fill the database with old
// data first, and measure the calls of sessions too.
//
// The SQL is not repeated here. The program is run once with a tap before its database; what it sends there for each
// call becomes a pgbench script (script.go describes how). Then the two sides are measured alternately.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case interrupted:
		fmt.Fprintln(os.Stderr, "bench: interrupted")
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	fmt.Fprintln(stderr, "building the program, starting Postgres, looking at what the program sends")
	e, err := prepare(ctx, s.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	c, err := capture(ctx, e)
	if err != nil {
		return err
	}
	if s.scripts {
		for _, call := range s.calls {
			fmt.Fprintf(stdout, "-- %s\n%s\n", call.name, c.scripts[call.name].text)
		}
		return nil
	}
	conn, err := pgx.Connect(ctx, e.url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, table); err != nil {
		return err
	}
	about, err := facts(ctx, conn)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s, %s, %d cores, %s%d rounds of %d s\n", about, runtime.Version(), runtime.NumCPU(), machineLoad(), s.rounds, s.seconds)
	fmt.Fprintln(stderr, "registering users, making bots and threads")
	targets, err := settleBefore(ctx, e, slices.Max(s.clients))
	if err != nil {
		return err
	}
	p, err := startProgram(ctx, e, e.url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	m := match{
		environment: e, captured: c, conn: conn, api: api{p.address}, metrics: p.metrics, meter: meter{p.cmd.Process.Pid, e.postmaster},
	}
	if err := m.measure(ctx, s, targets, stdout, stderr); err != nil {
		return err
	}
	return m.playJobs(ctx, s, stdout, stderr)
}

// settleBefore makes the targets in a run of the program of its own, so that what is measured of the next one's memory is
// not what registering them has left behind: each password takes 19 MiB to hash.
func settleBefore(ctx context.Context, e *environment, n int) (targets []target, err error) {
	p, err := startProgram(ctx, e, e.url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	return settleAll(ctx, api{p.address}, n)
}

// afterFill is how long turns are taken unmeasured once the database is filled. The filling ends with a checkpoint, after
// which the first change of each page is logged whole: of indexes that random ids go into that is every page, once in the
// minutes until the next checkpoint, and it would be measured as if it were always so.
const afterFill = 40 * time.Second

// measure measures all requested calls and prints the results.
func (m *match) measure(ctx context.Context, s settings, targets []target, stdout, stderr io.Writer) (err error) {
	idle := resident(m.meter.program)
	var before []cell
	var size string
	if s.fill > 0 {
		if before, err = m.playOurs(ctx, s, targets, stderr); err != nil {
			return err
		}
		if size, err = m.fill(ctx, s.fill, targets, stderr); err != nil {
			return err
		}
		fmt.Fprintf(stderr, "taking turns for %s that are not measured\n", afterFill)
		if _, err := m.ours(ctx, hotCalls()[0], targets, int(afterFill.Seconds())); err != nil {
			return err
		}
	}
	cells, err := m.play(ctx, s, targets, stderr)
	if err != nil {
		return err
	}
	if len(cells) > 0 {
		if err := report(stdout, cells); err != nil {
			return err
		}
		if _, err := io.WriteString(stdout, notes); err != nil {
			return err
		}
		if err := reportGrowth(stdout, s.fill, size, before, cells); err != nil {
			return err
		}
		if err := m.reportFootprint(ctx, idle, cells, s, stdout, stderr); err != nil {
			return err
		}
	}
	if err := m.playAuth(ctx, s, targets, stdout, stderr); err != nil {
		return err
	}
	return m.profile(ctx, s, targets[:s.clients[0]], stderr)
}

// machineLoad returns the load of the machine before the run: other processes may share it.
func machineLoad() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), " ")
	return "load before " + first + ", "
}

// match has both sides measured in turns.
type match struct {
	*environment
	captured

	conn    *pgx.Conn
	api     api
	metrics string // the program's other address
	meter   meter
	runs    int
}

func (m *match) play(ctx context.Context, s settings, targets []target, progress io.Writer) ([]cell, error) {
	var cells []cell
	for _, call := range s.calls {
		for _, clients := range s.clients {
			c := cell{call: call.name, clients: clients}
			for range s.rounds {
				if err := m.round(ctx, call, targets[:clients], s.seconds, &c); err != nil {
					return nil, fmt.Errorf("%s at %d clients: %w", call.name, clients, err)
				}
			}
			fmt.Fprintf(progress, "%s at %d clients: %.2f of pgbench\n", call.name, clients, c.ratio())
			cells = append(cells, c)
		}
	}
	return cells, nil
}

// round measures ours, then pgbench.
func (m *match) round(ctx context.Context, call hotCall, targets []target, seconds int, c *cell) error {
	s, err := m.ours(ctx, call, targets, seconds)
	if err != nil {
		return err
	}
	c.ours = append(c.ours, s)
	if call.writes {
		if targets, err = newThreads(ctx, m.api, targets); err != nil {
			return err
		}
	}
	m.runs++
	if err := announce(ctx, m.conn, m.runs, targets); err != nil {
		return err
	}
	s, err = pgbench(ctx, m.environment, m.scripts[call.name], m.options, m.runs, len(targets), seconds, m.meter)
	c.theirs = append(c.theirs, s)
	return err
}

// ours measures our side.
func (m *match) ours(ctx context.Context, call hotCall, targets []target, seconds int) (s sample, err error) {
	if call.writes {
		if targets, err = newThreads(ctx, m.api, targets); err != nil {
			return s, err
		}
	}
	return load(ctx, m.api.address, callersFor(call, targets), time.Duration(seconds)*time.Second, m.meter)
}
