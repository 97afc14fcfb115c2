// Package analytics counts what happens in a workspace: turns, messages, tokens, costs, latencies, webhook events and
// audit log entries. The statements that complete such an item insert a row into analytics_outbox. An exporter moves
// the rows into the roll-ups of a Store, effectively once. Reports are read from the roll-ups.
//
// A turn is counted once, by its outcome, on the day (UTC) on which it ended. If a failed turn is resumed, its failure
// is no longer counted. The messages of a turn are counted with it, and its latency if it completed. An event belongs
// to the bot of its endpoint. An audit log entry belongs to no bot and is counted when it is sealed.
package analytics

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// Store holds the roll-ups. It reads only those of the workspace of the context.
type Store interface {
	// Export moves at most the given number of rows from the outbox into the roll-ups, and returns how many it moved; 0
	// means that the outbox is empty. If it fails or the process is killed, nothing is lost and nothing is counted
	// twice: the next call continues. It may run in several processes at once.
	Export(ctx context.Context, most int) (int, error)
	// Counts returns the sums of each period, in any order. A period without data is omitted.
	Counts(ctx context.Context, q Query) ([]Counts, error)
	// Latencies returns the histogram of each period, in any order. A period without data is omitted.
	Latencies(ctx context.Context, q Query) ([]Latency, error)
}

// Query selects the data of a report: the days of a time zone from From on and before To.
type Query struct {
	From, To time.Time      // dates, at midnight UTC whatever the zone
	Zone     *time.Location // whose days they are; nil: UTC
	Monthly  bool           // periods are months, of the days asked for; else days
	BotID    *uuid.UUID     // nil: all that is counted
}

// Counts holds the counts of a period, which is named by its first day.
type Counts struct {
	Period                                time.Time
	Turns, Completed, Failed              int64 // Turns are also those that neither succeeded nor failed
	Messages, WebhookEvents, AuditEntries int64
	InputTokens, OutputTokens, CostMicros int64
}

// Latency is the number of completed turns of a period in one bucket of the histogram.
type Latency struct {
	Period time.Time
	Bucket int
	Turns  int64
}

// Period is the report of one period.
type Period struct {
	Counts

	Latency Histogram
}

// Report holds every period of a query, oldest first, and their total.
type Report struct {
	// AsOf is the time up to which turns and events are counted. Later ones may or may not be included.
	AsOf    time.Time
	Periods []Period
	Total   Period
}

// Reports makes reports.
type Reports struct {
	DB    *postgres.DB
	Store Store
	Now   func() time.Time
}

// Read returns the report of the workspace of the caller.
func (r Reports) Read(ctx context.Context, q Query) (Report, error) {
	// First, and also where the roll-ups are elsewhere: our database is who knows whether the caller may still ask.
	asOf, err := r.asOf(ctx)
	if err != nil {
		return Report{}, err
	}
	counts, err := r.Store.Counts(ctx, q)
	if err != nil {
		return Report{}, fmt.Errorf("read what is counted: %w", err)
	}
	latencies, err := r.Store.Latencies(ctx, q)
	if err != nil {
		return Report{}, fmt.Errorf("read the latencies: %w", err)
	}
	report := Report{AsOf: asOf, Total: Period{Latency: Histogram{}}}
	at := map[time.Time]int{}
	for _, day := range q.periods() {
		at[day] = len(report.Periods)
		report.Periods = append(report.Periods, Period{Counts: Counts{Period: day}, Latency: Histogram{}})
	}
	for _, c := range counts {
		c.Period = c.Period.UTC()
		report.Periods[at[c.Period]].Counts = c
		report.Total.add(c)
	}
	for _, l := range latencies {
		report.Periods[at[l.Period.UTC()]].Latency[l.Bucket] += l.Turns
		report.Total.Latency[l.Bucket] += l.Turns
	}
	return report, nil
}

// asOf is when the row that has waited longest was written, or now where none waits.
func (r Reports) asOf(ctx context.Context) (time.Time, error) {
	now := r.Now()
	since, err := platformdb.New(r.DB.In(ctx)).OldestUncounted(ctx, callctx.From(ctx).Principal.WorkspaceID)
	switch {
	case postgres.IsMissing(err):
		return now, nil
	case err != nil:
		return now, fmt.Errorf("look for what is not counted yet: %w", err)
	}
	return since.UTC(), nil
}

// local reports whether the days are not those of UTC.
func (q Query) local() bool { return q.Zone != nil && q.Zone != time.UTC }

// periods returns the date that names each period, in order.
func (q Query) periods() (dates []time.Time) {
	for day := q.start(); day.Before(q.To); day = q.next(day) {
		dates = append(dates, day)
	}
	return dates
}

// bounds returns the instant at which each period begins, and last of all the one at which the last ends.
func (q Query) bounds() []time.Time {
	dates := q.periods()
	bounds := make([]time.Time, 0, len(dates)+1)
	for _, date := range dates {
		if date.Before(q.From) { // of the first month
			date = q.From
		}
		bounds = append(bounds, midnight(date, q.Zone))
	}
	return append(bounds, midnight(q.To, q.Zone))
}

// midnight returns when a date begins in a time zone: where its clocks skip midnight, at the instant at which they do.
func midnight(date time.Time, zone *time.Location) time.Time {
	t := time.Date(date.Year(), date.Month(), date.Day(), 0, 0, 0, 0, zone)
	if t.Day() != date.Day() {
		_, t = t.ZoneBounds()
	}
	return t
}

// start is the first day of the first period.
func (q Query) start() time.Time {
	if q.Monthly {
		return time.Date(q.From.Year(), q.From.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	return q.From
}

func (q Query) next(day time.Time) time.Time {
	if q.Monthly {
		return day.AddDate(0, 1, 0)
	}
	return day.AddDate(0, 0, 1)
}

func (c *Counts) add(o Counts) {
	c.Turns += o.Turns
	c.Completed += o.Completed
	c.Failed += o.Failed
	c.Messages += o.Messages
	c.WebhookEvents += o.WebhookEvents
	c.AuditEntries += o.AuditEntries
	c.InputTokens += o.InputTokens
	c.OutputTokens += o.OutputTokens
	c.CostMicros += o.CostMicros
}
