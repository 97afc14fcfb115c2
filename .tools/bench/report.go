package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// cell is one call at one number of clients: the rounds of both sides.
type cell struct {
	call         string
	clients      int
	ours, theirs []sample
}

// notes explains what the figures mean and how the two sides differ.
const notes = `
ratio: median over the rounds of our requests/s over pgbench's transactions/s in the same round.
CPU: processor time of parley over that of all processes of its Postgres, while parley is measured.
us/req: processor time a request, in microseconds: parley; Postgres under parley; Postgres under pgbench; the load
generators, who share the cores: bench's own lean HTTP client, and pgbench.

pgbench sends the statements that parley was seen to send, prepared, one pipeline a transaction, on connections with the
same settings; a turn is its two transactions, one after the other, with nothing between. What differs:
- pgbench's commits all wait for the disk; of the two of a turn parley's first does not, as nothing is told before the second.
- pgbench's connections: one a client; parley's: its pool (DATABASE_MAX_CONNS). pgbench speaks text, parley binary.
- a parameter that stands several times in a statement is one parameter for parley and several for pgbench; NULLs are literals.
- new ids are made in SQL from a number of pgbench's, lpad(:n, 32, '0')::uuid: rising where parley's are version 7, else random.
- times, the operation's fingerprint, the audit row's changes and the stored answer are the same in every transaction of pgbench.
- the number of the answer's message is counted by pgbench; parley has it from the first transaction.
Each client has a user, a workspace and a bot of its own, the same for both sides; for turns a new thread each round and side.
`

func (c cell) ratio() float64 {
	ratios := make([]float64, len(c.ours))
	for i := range ratios {
		ratios[i] = c.ours[i].perSecond / c.theirs[i].perSecond
	}
	return median(ratios)
}

func report(w io.Writer, cells []cell) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "call\tclients\tours req/s\tp50 ms\tp99 ms\tpgbench tps\tratio\tCPU parley/pg\tus/req: parley\tpg, ours\tpg, pgbench\tclient\tpgbench\t")
	for _, c := range cells {
		ours, theirs := total(c.ours), total(c.theirs)
		slices.Sort(ours.latencies)
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%.2f\t%.2f\t%.0f\t%.2f\t%s\t%s\t%s\t%s\t%s\t%s\t\n",
			c.call, c.clients, median(rates(c.ours)), quantile(ours.latencies, 0.50), quantile(ours.latencies, 0.99),
			median(rates(c.theirs)), c.ratio(), fraction(ours.used.program, ours.used.postgres),
			micros(ours, ours.used.program), micros(ours, ours.used.postgres), micros(theirs, theirs.used.postgres),
			micros(ours, ours.used.client), micros(theirs, theirs.used.client))
	}
	return t.Flush()
}

func total(samples []sample) sample {
	var sum sample
	for _, s := range samples {
		sum.requests += s.requests
		sum.latencies = append(sum.latencies, s.latencies...)
		sum.used = sum.used.plus(s.used)
	}
	return sum
}

func rates(samples []sample) []float64 {
	list := make([]float64, len(samples))
	for i, s := range samples {
		list[i] = s.perSecond
	}
	return list
}

func median(list []float64) float64 {
	slices.Sort(list)
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

// quantile returns milliseconds.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[int(q*float64(len(sorted)-1))]) / float64(time.Millisecond)
}

func fraction(a, b time.Duration) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(a)/float64(b))
}

func micros(s sample, used time.Duration) string {
	if used == 0 || s.requests == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", float64(used.Microseconds())/s.requests)
}
