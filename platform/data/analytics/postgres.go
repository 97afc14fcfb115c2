package analytics

import (
	"context"
	"fmt"
	"time"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// Postgres stores the roll-ups in the same database as the data that they count. A row is removed from the outbox in
// the transaction that counts it.
type Postgres struct{ db *postgres.DB }

// NewPostgres returns a Postgres.
func NewPostgres(db *postgres.DB) Postgres { return Postgres{db} }

func (p Postgres) Export(ctx context.Context, most int) (n int, err error) {
	err = p.db.WriteOnce(ctx, func(ctx context.Context) error {
		moved, err := platformdb.New(p.db.In(ctx)).RollUpAnalytics(ctx, platformdb.RollUpAnalyticsParams{Most: int32(most), Bounds: bounds()})
		n = int(moved)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("roll up what is counted: %w", err)
	}
	return n, nil
}

func (p Postgres) Counts(ctx context.Context, q Query) ([]Counts, error) {
	if q.local() {
		return p.localCounts(ctx, q)
	}
	rows, err := platformdb.New(p.db.InList(ctx)).AnalyticsCounts(ctx, platformdb.AnalyticsCountsParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Unit: q.unit(), FromDay: q.From.Format(time.DateOnly), ToDay: q.To.Format(time.DateOnly), BotID: q.BotID,
	})
	list := make([]Counts, len(rows))
	for i, r := range rows {
		list[i] = Counts{
			Period: r.Period, Turns: r.Turns, Completed: r.Completed, Failed: r.Failed, Messages: r.Messages,
			WebhookEvents: r.WebhookEvents, AuditEntries: r.AuditEntries,
			InputTokens: r.InputTokens, OutputTokens: r.OutputTokens, CostMicros: r.CostMicros,
		}
	}
	return list, err
}

func (p Postgres) Latencies(ctx context.Context, q Query) ([]Latency, error) {
	if q.local() {
		return p.localLatencies(ctx, q)
	}
	rows, err := platformdb.New(p.db.InList(ctx)).AnalyticsLatencies(ctx, platformdb.AnalyticsLatenciesParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Unit: q.unit(), FromDay: q.From.Format(time.DateOnly), ToDay: q.To.Format(time.DateOnly), BotID: q.BotID,
	})
	list := make([]Latency, len(rows))
	for i, r := range rows {
		list[i] = Latency{Period: r.Period, Bucket: int(r.Bucket), Turns: r.Turns}
	}
	return list, err
}

// localCounts adds up quarters of an hour to the days of a time zone.
func (p Postgres) localCounts(ctx context.Context, q Query) ([]Counts, error) {
	dates, bounds := q.periods(), q.bounds()
	rows, err := platformdb.New(p.db.In(ctx)).AnalyticsQuarterCounts(ctx, platformdb.AnalyticsQuarterCountsParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Bounds: bounds, FromTime: bounds[0], ToTime: bounds[len(dates)], BotID: q.BotID,
	})
	list := make([]Counts, len(rows))
	for i, r := range rows {
		list[i] = Counts{
			Period: dates[r.Period-1], Turns: r.Turns, Completed: r.Completed, Failed: r.Failed, Messages: r.Messages,
			WebhookEvents: r.WebhookEvents, AuditEntries: r.AuditEntries,
			InputTokens: r.InputTokens, OutputTokens: r.OutputTokens, CostMicros: r.CostMicros,
		}
	}
	return list, err
}

func (p Postgres) localLatencies(ctx context.Context, q Query) ([]Latency, error) {
	dates, bounds := q.periods(), q.bounds()
	rows, err := platformdb.New(p.db.In(ctx)).AnalyticsQuarterLatencies(ctx, platformdb.AnalyticsQuarterLatenciesParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Bounds: bounds, FromTime: bounds[0], ToTime: bounds[len(dates)], BotID: q.BotID,
	})
	list := make([]Latency, len(rows))
	for i, r := range rows {
		list[i] = Latency{Period: dates[r.Period-1], Bucket: int(r.Bucket), Turns: r.Turns}
	}
	return list, err
}

func (q Query) unit() string {
	if q.Monthly {
		return "month"
	}
	return "day"
}
