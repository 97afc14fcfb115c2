package usage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/jobs"
	"github.com/parley/parley/platform/work/outbound"
)

// Quota counts the usage of the workspace of the context, reports it, and publishes warnings. It is safe for concurrent
// use.
type Quota struct {
	DB     *postgres.DB
	Limits Limits
	Events *outbound.Publisher
	Now    func() time.Time
}

// Add queues, in the transaction of the context, that n more of a metric is used, or returned if n is below 0. It may
// be called once per transaction. If the limit does not allow it, the next query or the commit returns
// fail.ErrLimitReached, and the transaction is rolled back. The usage of conversations is counted by their own
// statements.
func (q *Quota) Add(ctx context.Context, metric Metric, n int64) error {
	return platformdb.New(q.DB.In(ctx)).UseMetric(ctx, platformdb.UseMetricParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Moment: q.Now(), Metric: string(metric), Amount: n, Limits: q.Limits.JSON(),
	})
}

// Check returns fail.ErrLimitReached if the limit does not allow n more of a metric now. It is for expensive work
// before the transaction in which Add makes the decision.
func (q *Quota) Check(ctx context.Context, metric Metric, n int64) error {
	list, err := q.Report(ctx, Month(q.Now()))
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

// Reserve queues, in the transaction of the context, the check that the limit allows one more of a metric whose present
// number is counted: bots, members, keys. It must be called before the statement that adds one. Concurrent additions
// wait for each other, so the limit is exact.
func (q *Quota) Reserve(ctx context.Context, metric Metric) error {
	return platformdb.New(q.DB.In(ctx)).ReserveQuota(ctx, platformdb.ReserveQuotaParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Metric: string(metric), MaxAmount: q.Limits[metric],
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
func (q *Quota) Report(ctx context.Context, month time.Time) ([]Used, error) {
	present := month.Equal(Month(q.Now()))
	metrics := []string{}
	for _, metric := range Metrics() {
		if present || !metric.level() {
			metrics = append(metrics, string(metric))
		}
	}
	rows, err := platformdb.New(q.DB.In(ctx)).GetUsage(ctx, platformdb.GetUsageParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Metrics: metrics, Month: month,
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
		limit := q.Limits[list[i].Metric]
		if r.Most != nil {
			limit = *r.Most
		}
		if limit > 0 {
			list[i].Limit = &limit
		}
		if !list[i].Metric.level() {
			next := month.AddDate(0, 1, 0)
			list[i].Resets = &next
		}
	}
	return list, nil
}

// warningEvent is the type of the event that a limit is close; api/openapi.yaml describes its data.
const warningEvent = "limit.warning"

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

// Register registers the Quota as the handler of these jobs.
func (q *Quota) Register(r *jobs.Registry) error {
	return jobs.Register(r, Kind, jobs.KindOptions{Timeout: time.Minute}, q.warn)
}

func (q *Quota) warn(ctx context.Context, job jobs.Job[warning]) error {
	return q.DB.Write(ctx, func(ctx context.Context) error {
		return errors.Join(q.Events.Publish(ctx, outbound.Event{Type: warningEvent, Data: job.Payload}), job.Finish(ctx))
	})
}

// SetLimit sets a limit for the workspace of the context that overrides the configuration; 0 for none.
func (q *Quota) SetLimit(ctx context.Context, metric Metric, limit int64) error {
	return q.DB.WriteOnce(ctx, func(ctx context.Context) error {
		_, err := platformdb.New(q.DB.In(ctx)).SetLimit(ctx, platformdb.SetLimitParams{
			WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Metric: string(metric), Most: limit,
		})
		return err
	})
}

// UnsetLimit makes the limit of the configuration apply to the workspace of the context again.
func (q *Quota) UnsetLimit(ctx context.Context, metric Metric) error {
	return q.DB.Write(ctx, func(ctx context.Context) error {
		return platformdb.New(q.DB.In(ctx)).UnsetLimit(ctx, platformdb.UnsetLimitParams{
			WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Metric: string(metric),
		})
	})
}
