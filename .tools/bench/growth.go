package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// playOurs measures our side alone.
func (m *match) playOurs(ctx context.Context, s settings, targets []target, progress io.Writer) ([]cell, error) {
	fmt.Fprintln(progress, "measuring our side before the database is filled")
	var cells []cell
	for _, call := range s.calls {
		for _, clients := range s.clients {
			c := cell{call: call.name, clients: clients}
			for range s.rounds {
				sample, err := m.ours(ctx, call, targets[:clients], s.seconds)
				if err != nil {
					return nil, fmt.Errorf("%s at %d clients: %w", call.name, clients, err)
				}
				c.ours = append(c.ours, sample)
			}
			cells = append(cells, c)
		}
	}
	return cells, nil
}

// reportGrowth reports how much more each call costs after old data was added. before holds the cells measured without
// that data.
func reportGrowth(w io.Writer, messages int, size string, before, after []cell) error {
	if len(before) == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(w, "\nWhat old data costs, %d messages of it (%s with all that belongs to them): our side before it was there and after.\n",
		messages, size); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "call\tclients\treq/s: before\tafter\tratio\tp99 ms: before\tafter\tus/req, Postgres: before\tafter\tratio\tparley: before\tafter\tratio\t")
	for i, c := range after {
		was, is := total(before[i].ours), total(c.ours)
		slices.Sort(was.latencies)
		slices.Sort(is.latencies)
		earlier, now := median(rates(before[i].ours)), median(rates(c.ours))
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t%s\t%s\t%s\t%s\t%s\t%s\t\n", c.call, c.clients,
			earlier, now, now/earlier, quantile(was.latencies, 0.99), quantile(is.latencies, 0.99),
			micros(was, was.used.postgres), micros(is, is.used.postgres), fraction(aRequest(is, is.used.postgres), aRequest(was, was.used.postgres)),
			micros(was, was.used.program), micros(is, is.used.program), fraction(aRequest(is, is.used.program), aRequest(was, was.used.program)))
	}
	return t.Flush()
}

// aRequest is what one request used.
func aRequest(s sample, used time.Duration) time.Duration {
	if s.requests == 0 {
		return 0
	}
	return time.Duration(float64(used) / s.requests)
}
