// Command bench measures the three hot calls of the real program over HTTP against pgbench, which sends the same SQL to
// the same Postgres: what is lost between the database and the client is ours. Then it has our queue of jobs worked off,
// against that of riverqueue/river. `make bench` runs it; see -help.
//
// Nothing of the SQL is written down here. The program is run once with a tap before its database; what it sends there
// for each call becomes a pgbench script (script.go says how). Then the two sides are measured in turns.
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
	"strconv"
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

// settings are the flags.
type settings struct {
	clients         []int
	calls           []hotCall
	rounds, seconds int
	jobs            int
	dir             string
	scripts         bool
	profiles        string
}

func parse(args []string, stderr io.Writer) (s settings, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	quick := flags.Bool("quick", false, "one round of one second at 1 and 8 clients: about 30 s")
	clients := flags.String("clients", "1,8,32", "numbers of clients, at most 64 each")
	calls := flags.String("calls", "turn,bot,page", "which calls; none for jobs alone")
	flags.IntVar(&s.rounds, "rounds", 3, "rounds of each call and number of clients")
	flags.IntVar(&s.seconds, "seconds", 2, "length of one side's round, after its warming up")
	flags.IntVar(&s.jobs, "jobs", 20_000, "jobs that are queued and worked off, ours and river's; 0: none")
	flags.StringVar(&s.dir, "dir", "", "folder for the temporary data, on the disk that is meant (default the system's)")
	flags.StringVar(&s.profiles, "profiles", "", "folder for CPU and allocation profiles of each call, taken after the measuring; empty: none")
	flags.BoolVar(&s.scripts, "scripts", false, "print the pgbench scripts and measure nothing")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if *quick {
		*clients, s.rounds, s.seconds = "1,8", 1, 1
	}
	for text := range strings.SplitSeq(*clients, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 64 {
			return s, fmt.Errorf("-clients: %q should be a number from 1 to 64", text)
		}
		s.clients = append(s.clients, n)
	}
	for name := range strings.SplitSeq(*calls, ",") {
		if *calls == "none" {
			break
		}
		i := slices.IndexFunc(hotCalls(), func(c hotCall) bool { return c.name == name })
		if i < 0 {
			return s, fmt.Errorf("-calls: %q is none of turn, bot, page", name)
		}
		s.calls = append(s.calls, hotCalls()[i])
	}
	if s.rounds < 1 || s.seconds < 1 || s.jobs < 0 || flags.NArg() > 0 {
		return s, errors.New("-rounds and -seconds should be 1 or more, -jobs 0 or more, and nothing else is understood")
	}
	return s, nil
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
	p, err := startProgram(ctx, e, e.url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	m := match{
		environment: e, captured: c, conn: conn, api: api{p.address}, metrics: p.metrics, meter: meter{p.cmd.Process.Pid, e.postmaster},
	}
	cells, err := m.play(ctx, s, stderr)
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
	}
	if err := m.profile(ctx, s, s.profiles, stderr); err != nil {
		return err
	}
	return m.playJobs(ctx, s, stdout, stderr)
}

// machineLoad tells how busy the machine was before: others may share it.
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

func (m *match) play(ctx context.Context, s settings, progress io.Writer) ([]cell, error) {
	fmt.Fprintln(progress, "registering users, making bots and threads")
	targets, err := settleAll(ctx, m.api, slices.Max(s.clients))
	if err != nil {
		return nil, err
	}
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
func (m *match) round(ctx context.Context, call hotCall, targets []target, seconds int, c *cell) (err error) {
	ours, theirs := targets, targets
	if call.writes {
		if ours, err = newThreads(ctx, m.api, targets); err != nil {
			return err
		}
		if theirs, err = newThreads(ctx, m.api, targets); err != nil {
			return err
		}
	}
	m.runs++
	if err := announce(ctx, m.conn, m.runs, theirs); err != nil {
		return err
	}
	s, err := load(ctx, m.api.address, requestsOf(call, ours), time.Duration(seconds)*time.Second, m.meter)
	if err != nil {
		return err
	}
	c.ours = append(c.ours, s)
	s, err = pgbench(ctx, m.environment, m.scripts[call.name], m.options, m.runs, len(theirs), seconds, m.meter)
	c.theirs = append(c.theirs, s)
	return err
}
