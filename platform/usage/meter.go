package usage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/events"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/jobs"
	"github.com/parley/parley/platform/postgres"
)

// Meter counts the usage of the workspace of the context, reports it, and publishes warnings. It is safe for concurrent
// use.
type Meter struct {
	DB     *postgres.DB
	Limits Limits
	Events *events.Publisher
	Now    func() time.Time
}

// Add queues, in the transaction of the context, that n more of a metric is used, or returned if n is below 0. It may
// be called once per transaction. If the limit does not allow it, the next query or the commit returns
// fail.ErrLimitReached, and the transaction is rolled back. The usage of conversations is counted by their own
// statements.
func (m *Meter) Add(ctx context.Context, metric Metric, n int64) error {
	return platformdb.New(m.DB.In(ctx)).UseMetric(ctx, platformdb.UseMetricParams{
		WorkspaceID: call.From(ctx).Principal.WorkspaceID, Moment: m.Now(), Metric: string(metric), Amount: n, Limits: m.Limits.JSON(),
	})
}

// Check returns fail.ErrLimitReached if the limit does not allow n more of a metric now. It is for expensive work
// before the transaction in which Add makes the decision.
func (m *Meter) Check(ctx context.Context, metric Metric, n int64) error {
	list, err := m.Report(ctx, Month(m.Now()))
	if err != nil {
		return err
	}
	for _, u := range list {
		if u.Metric == metric && u.Limit != nil && n >= 0 && u.Amount > *u.Limit-max(n, 1) {
			return fail.ErrLimitReached.With("metric", u.Metric).With("limit", *u.Limit).With("used", u.Amount).With("resets_at", u.Resets)
		}
	}
	return nil
}

// Room queues, in the transaction of the context, the check that the limit allows one more of a metric whose present
// number is counted: bots, members, keys. It must be called before the statement that adds one. Concurrent additions
// wait for each other, so the limit is exact.
func (m *Meter) Room(ctx context.Context, metric Metric) error {
	return platformdb.New(m.DB.In(ctx)).MakeRoom(ctx, platformdb.MakeRoomParams{
		WorkspaceID: call.From(ctx).Principal.WorkspaceID, Metric: string(metric), Most: m.Limits[metric],
	})
}

// Used is the usage of one metric.
type Used struct {
	Metric Metric
	Amount int64
	Limit  *int64     // nil: none, or a month that is over
	Resets *time.Time // when it begins anew; nil: it does not
}

// Remaining returns how much of the limit is left; nil if there is no limit.
func (u Used) Remaining() *int64 {
	if u.Limit == nil {
		return nil
	}
	left := max(0, *u.Limit-u.Amount)
	return &left
}

// Report returns what was used in a month, given by its first day. For a month other than the present one it returns no
// limits, as they may have been different then, and no levels, as only their present values are known.
func (m *Meter) Report(ctx context.Context, month time.Time) ([]Used, error) {
	present := month.Equal(Month(m.Now()))
	metrics := []string{}
	for _, metric := range Metrics() {
		if present || !metric.level() {
			metrics = append(metrics, string(metric))
		}
	}
	rows, err := platformdb.New(m.DB.In(ctx)).GetUsage(ctx, platformdb.GetUsageParams{
		WorkspaceID: call.From(ctx).Principal.WorkspaceID, Metrics: metrics, Month: month,
	})
	if err != nil {
		return nil, fmt.Errorf("read the usage: %w", err)
	}
	list := make([]Used, len(rows))
	for i, r := range rows {
		list[i] = Used{Metric: Metric(r.Metric), Amount: r.Used}
		if !present {
			continue
		}
		most := m.Limits[list[i].Metric]
		if r.Most != nil {
			most = *r.Most
		}
		if most > 0 {
			list[i].Limit = &most
		}
		if !list[i].Metric.level() {
			next := month.AddDate(0, 1, 0)
			list[i].Resets = &next
		}
	}
	return list, nil
}

// Warning is the type of the event that a limit is close; api/openapi.yaml describes its data.
const Warning = "limit.warning"

// Kind is the kind of the jobs that publish the warning. SQL queues them (app.use), once per workspace, metric and
// month.
const Kind = "limit.warn"

// warning is the payload of a job of Kind, and the data of the event that it publishes.
type warning struct {
	Metric Metric     `json:"metric"`
	Month  string     `json:"month"`
	Used   int64      `json:"used"`
	Limit  int64      `json:"limit"`
	Resets *time.Time `json:"resets_at"`
}

// Register registers the Meter as the handler of these jobs.
func (m *Meter) Register(r *jobs.Registry) error {
	return jobs.Register(r, Kind, jobs.KindOptions{Timeout: time.Minute}, m.warn)
}

func (m *Meter) warn(ctx context.Context, job jobs.Job[warning]) error {
	return m.DB.Write(ctx, func(ctx context.Context) error {
		return errors.Join(m.Events.Publish(ctx, events.Event{Type: Warning, Data: job.Payload}), job.Finish(ctx))
	})
}

// SetLimit sets a limit for the workspace of the context that overrides the configuration; 0 for none.
func (m *Meter) SetLimit(ctx context.Context, metric Metric, most int64) error {
	return m.DB.WriteOnce(ctx, func(ctx context.Context) error {
		_, err := platformdb.New(m.DB.In(ctx)).SetLimit(ctx, platformdb.SetLimitParams{
			WorkspaceID: call.From(ctx).Principal.WorkspaceID, Metric: string(metric), Most: most,
		})
		return err
	})
}

// UnsetLimit makes the limit of the configuration apply to the workspace of the context again.
func (m *Meter) UnsetLimit(ctx context.Context, metric Metric) error {
	return m.DB.Write(ctx, func(ctx context.Context) error {
		return platformdb.New(m.DB.In(ctx)).UnsetLimit(ctx, platformdb.UnsetLimitParams{
			WorkspaceID: call.From(ctx).Principal.WorkspaceID, Metric: string(metric),
		})
	})
}
