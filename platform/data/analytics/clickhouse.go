package analytics

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/resilience"
)

// ClickHouseOptions are the address and the credentials of a ClickHouse server.
type ClickHouseOptions struct {
	URL                      string // http://host:port or https://host:port
	Database, User, Password string
}

// ClickHouse stores the roll-ups, and every counted row, in a ClickHouse server. Every call goes through the guard. An
// unavailable server results in errors of kind fail.Unavailable.
type ClickHouse struct {
	outbox   *postgres.DB
	conn     driver.Conn
	guard    *resilience.Group
	options  ClickHouseOptions
	bounds   []int32
	prepared atomic.Bool
}

// NewClickHouse returns a ClickHouse. It connects at the first call.
func NewClickHouse(outbox *postgres.DB, o ClickHouseOptions, guard *resilience.Group) (*ClickHouse, error) {
	conn, err := o.open(o.Database)
	if err != nil {
		return nil, err
	}
	return &ClickHouse{outbox: outbox, conn: conn, guard: guard, options: o, bounds: bounds()}, nil
}

func (o ClickHouseOptions) open(database string) (driver.Conn, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("the address of ClickHouse is no URL") // the error would show it
	}
	options := &clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{u.Host}, DialTimeout: 5 * time.Second, MaxOpenConns: 16, MaxIdleConns: 4,
		Auth:        clickhouse.Auth{Database: database, Username: o.User, Password: o.Password},
		Compression: &clickhouse.Compression{Method: clickhouse.CompressionLZ4},
	}
	if u.Scheme == "https" {
		options.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		return nil, fmt.Errorf("prepare the connections to ClickHouse: %w", err)
	}
	return conn, nil
}

// Close closes the connections.
func (c *ClickHouse) Close() error { return c.conn.Close() }

// Export fixes a batch, inserts it under its id, and then removes it from the outbox. An export that is interrupted is
// repeated with the same rows and the same id, so ClickHouse inserts nothing twice.
func (c *ClickHouse) Export(ctx context.Context, most int) (int, error) {
	var batch []platformdb.TakeAnalyticsRow
	err := c.outbox.Write(ctx, func(ctx context.Context) (err error) {
		batch, err = platformdb.New(c.outbox.In(ctx)).TakeAnalytics(ctx, int32(most))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("take a batch: %w", err)
	}
	if len(batch) == 0 {
		return 0, nil
	}
	if err := c.ask(ctx, "", func(ctx context.Context) error { return c.insert(ctx, batch) }); err != nil {
		return 0, fmt.Errorf("insert a batch: %w", err)
	}
	err = c.outbox.Write(ctx, func(ctx context.Context) error {
		return platformdb.New(c.outbox.In(ctx)).DropAnalytics(ctx, batch[0].Batch)
	})
	if err != nil {
		return 0, fmt.Errorf("drop a batch: %w", err)
	}
	return len(batch), nil
}

// Forget removes all data of a workspace. It is idempotent.
func (c *ClickHouse) Forget(ctx context.Context, workspace uuid.UUID) error {
	if err := c.Prepare(ctx); err != nil {
		return err
	}
	for _, table := range []string{"facts", "daily", "latency"} {
		err := c.guard.Do(ctx, "clickhouse", func(ctx context.Context) error {
			return execute(ctx, c.conn, "queries/forget_"+table+".sql", clickhouse.Parameters{"workspace": workspace.String()})
		})
		if err != nil {
			return fmt.Errorf("remove what was counted of a workspace: %w", err)
		}
	}
	return nil
}

// errSending says that a batch with rows that are to be removed has not arrived yet.
var errSending = errors.New("rows from before are on their way to ClickHouse")

// RemoveSome removes the oldest month of what was counted in the workspace of the context before a day, which is the first
// of a month. It returns how many rows, and whether there may be more. workspace_retention.usage_before must be that day or
// later, so that no export takes any of them any more: one that has taken some before has to arrive first.
func (c *ClickHouse) RemoveSome(ctx context.Context, before time.Time) (removed int, more bool, err error) {
	workspace := callctx.From(ctx).Principal.WorkspaceID
	if err := c.awaitArrival(ctx, workspace, before); err != nil {
		return 0, false, fmt.Errorf("look for what is on its way to ClickHouse: %w", err)
	}
	for _, table := range []string{"facts", "daily", "latency"} {
		err := c.ask(ctx, "", func(ctx context.Context) error {
			removed, err = c.removeMonth(ctx, workspace, table, before)
			return err
		})
		if err != nil {
			return 0, false, fmt.Errorf("remove what was counted before %s: %w", before.Format(time.DateOnly), err)
		}
		if removed > 0 {
			return removed, true, nil
		}
	}
	return 0, false, nil
}

const (
	arrivalTimeout = 5 * time.Second // an export that is in order takes less
	arrivalPoll    = 50 * time.Millisecond
)

// awaitArrival waits until no export has rows of a workspace from before a day; errSending where that takes too long.
func (c *ClickHouse) awaitArrival(ctx context.Context, workspace uuid.UUID, before time.Time) error {
	for end := time.Now().Add(arrivalTimeout); ; {
		sending, err := platformdb.New(c.outbox.In(ctx)).IsSendingFromBefore(ctx, platformdb.IsSendingFromBeforeParams{WorkspaceID: workspace, Before: before})
		if err != nil || !sending {
			return err
		}
		if time.Now().After(end) {
			return errSending
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(arrivalPoll):
		}
	}
}

// removeMonth removes the oldest month before a day from a table. It returns how many rows.
func (c *ClickHouse) removeMonth(ctx context.Context, workspace uuid.UUID, table string, before time.Time) (int, error) {
	query, err := statement("queries/oldest_" + table + ".sql")
	if err != nil {
		return 0, err
	}
	p := clickhouse.Parameters{"workspace": workspace.String(), "before": before.Format(time.DateOnly)}
	var (
		month time.Time
		count uint64
	)
	rows, err := c.conn.Query(clickhouse.Context(ctx, clickhouse.WithParameters(p)), query)
	if err != nil {
		return 0, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err reports the failure
	if !rows.Next() {
		return 0, rows.Err()
	}
	if err := errors.Join(rows.Scan(&month, &count), rows.Close()); err != nil {
		return 0, err
	}
	p["month"], p["next"] = month.Format(time.DateOnly), month.AddDate(0, 1, 0).Format(time.DateOnly)
	return int(count), execute(ctx, c.conn, "queries/forget_"+table+"_month.sql", p)
}

func (c *ClickHouse) insert(ctx context.Context, batch []platformdb.TakeAnalyticsRow) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"insert_deduplicate": 1, "insert_deduplication_token": batch[0].Batch.String(),
		"deduplicate_blocks_in_dependent_materialized_views": 1,
		"async_insert": 0, // or the insert would be acknowledged, or merged with others, by rules of its own
	}))
	query, err := statement("queries/insert.sql")
	if err != nil {
		return err
	}
	insert, err := c.conn.PrepareBatch(ctx, query)
	if err != nil {
		return err
	}
	defer insert.Close() //nolint:errcheck // after Send it has nothing to say
	for _, r := range batch {
		bucket := int32(-1)
		if r.LatencyMs >= 0 {
			bucket = int32(bucketOf(c.bounds, r.LatencyMs))
		}
		err := insert.Append(r.WorkspaceID, r.At, r.Batch, r.ID, r.Kind, r.Count, r.Messages, r.BotID, r.Provider, r.Model,
			r.InputTokens, r.OutputTokens, r.CostMicros, r.LatencyMs, bucket)
		if err != nil {
			return err
		}
	}
	return insert.Send()
}

func (c *ClickHouse) Counts(ctx context.Context, q Query) (list []Counts, err error) {
	err = c.read(ctx, "counts.sql", q, func(rows driver.Rows) error {
		var r Counts
		if err := rows.Scan(&r.Period, &r.Turns, &r.Completed, &r.Failed, &r.Messages, &r.WebhookEvents, &r.AuditEntries,
			&r.InputTokens, &r.OutputTokens, &r.CostMicros); err != nil {
			return err
		}
		list = append(list, r)
		return nil
	})
	return list, err
}

func (c *ClickHouse) Latencies(ctx context.Context, q Query) (list []Latency, err error) {
	err = c.read(ctx, "latencies.sql", q, func(rows driver.Rows) error {
		var (
			r      Latency
			bucket int32
		)
		if err := rows.Scan(&r.Period, &bucket, &r.Turns); err != nil {
			return err
		}
		r.Bucket = int(bucket)
		list = append(list, r)
		return nil
	})
	return list, err
}

// read runs a query for the workspace of the context. ClickHouse has no row-level security, so each query is restricted
// to the workspace here. Periods in UTC are read from the roll-ups, those in another time zone from the single rows.
func (c *ClickHouse) read(ctx context.Context, name string, q Query, scan func(driver.Rows) error) error {
	file := "queries/" + name
	if q.local() {
		file = "queries/local_" + name
	}
	query, err := statement(file)
	if err != nil {
		return err
	}
	parameters := clickhouse.Parameters{
		"workspace": callctx.From(ctx).Principal.WorkspaceID.String(), "from": q.From.Format(time.DateOnly), "to": q.To.Format(time.DateOnly),
		"monthly": "0", "any_bot": "1", "bot": uuid.Nil.String(),
	}
	if q.local() {
		bounds := q.bounds()
		parameters["zone"] = q.Zone.String()
		parameters["from_time"], parameters["to_time"] = bounds[0].UTC().Format(time.DateTime), bounds[len(bounds)-1].UTC().Format(time.DateTime)
	}
	if q.Monthly {
		parameters["monthly"] = "1"
	}
	if q.BotID != nil {
		parameters["any_bot"], parameters["bot"] = "0", q.BotID.String()
	}
	return c.ask(ctx, parameters["workspace"], func(ctx context.Context) error {
		rows, err := c.conn.Query(clickhouse.Context(ctx, clickhouse.WithParameters(parameters)), query)
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // rows.Err reports the failure
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// ask makes one call to the server, and first prepares the server if this process has not done so. call may be called
// twice and must then start with empty results. workspace is the source of the call, empty for the program itself: a
// workspace that makes too expensive queries is refused alone.
func (c *ClickHouse) ask(ctx context.Context, workspace string, call func(ctx context.Context) error) error {
	err := c.guard.For(workspace).Do(ctx, "clickhouse", func(ctx context.Context) error {
		if !c.prepared.Load() {
			if err := c.Prepare(ctx); err != nil {
				return err
			}
		}
		err := call(ctx)
		if isUnknown(err) { // somebody has taken it away: the next call makes it anew
			c.prepared.Store(false)
		}
		return err
	})
	if _, known := errors.AsType[*fail.Error](err); err == nil || known {
		return err
	}
	return fail.ErrUnavailable.Because(err)
}

// Codes of ClickHouse's errors.
const (
	unknownTable    = 60
	unknownDatabase = 81
)

// isUnknown reports whether an error says that the database or one of its tables does not exist.
func isUnknown(err error) bool {
	e, ok := errors.AsType[*clickhouse.Exception](err)
	return ok && (e.Code == unknownTable || e.Code == unknownDatabase)
}
