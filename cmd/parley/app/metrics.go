package app

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	authpostgres "github.com/parley/parley/modules/auth/adapters/postgres"
	turns "github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/platform/data/analytics"
	"github.com/parley/parley/platform/data/blob"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/telemetry"
	"github.com/parley/parley/platform/request/access"
	"github.com/parley/parley/platform/request/gateway"
	"github.com/parley/parley/platform/work/background"
	"github.com/parley/parley/platform/work/jobs"
	"github.com/parley/parley/platform/work/resilience"
)

// scrapeTimeout is how long the counts for one scrape of the metrics may take.
const scrapeTimeout = 2 * time.Second

// purgesCounted is how many workspaces that wait for their purge are counted at most.
const purgesCounted = 1000

// abandonedCounted is how many turns that wait for recovery are counted at most.
const abandonedCounted = 10_000

// addProfiles serves the handlers of net/http/pprof, for go tool pprof.
func addProfiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

// measured is what the gauges read at each scrape.
type measured struct {
	log         *slog.Logger
	db          *postgres.DB
	statements  *postgres.Statements
	groups      []*resilience.Group  // of outgoing calls
	connections *gateway.Connections // of clients; nil for a worker
	filesDir    string
	slots       *resilience.Slots // of turns
	maxTurns    int
	jobs        *jobs.Queue
	sealer      *audit.Sealer
	background  *background.Runner
	access      *access.Watcher
	workspaces  int // that are named at most
}

// addGauges adds the gauges that are read at each scrape.
func addGauges(m counters, p measured) {
	m.Gauge(telemetry.Family{Name: "breakers", Help: "outside systems, by the state of their circuit breakers", Labels: []string{"group", "state"}}, func() []telemetry.Sample {
		return overGroups(p.groups, func(g *resilience.Group) map[string]float64 {
			states := map[string]float64{}
			for state, n := range g.States() {
				states[state] = float64(n)
			}
			return states
		})
	})
	m.Counter(telemetry.Family{Name: "downstream_calls_total", Help: "calls to outside systems, by outcome", Labels: []string{"group", "outcome"}}, func() []telemetry.Sample {
		return overGroups(p.groups, func(g *resilience.Group) map[string]float64 {
			c := g.Counts()
			return map[string]float64{
				"ok": float64(c.OK.Load()), "failed": float64(c.Failed.Load()), "refused": float64(c.Refused.Load()),
				"canceled": float64(c.Canceled.Load()),
			}
		})
	})
	addConnections(m, p.connections)
	m.Gauge(telemetry.Family{Name: "files_free_bytes", Help: "free space on the disk that uploaded files are written to, or pass on their way to a bucket"}, func() []telemetry.Sample {
		free, err := blob.FreeBytes(p.filesDir)
		if err != nil {
			return nil
		}
		return []telemetry.Sample{{Value: float64(free)}}
	})
	m.Gauge(telemetry.Family{Name: "turn_slots", Help: "turns that run in this process, that wait for a slot, and that may run at once", Labels: []string{"state"}}, func() []telemetry.Sample {
		taken, waiting := p.slots.Used()
		return []telemetry.Sample{
			{Labels: []string{"taken"}, Value: float64(taken)}, {Labels: []string{"waiting"}, Value: float64(waiting)},
			{Labels: []string{"most"}, Value: float64(p.maxTurns)},
		}
	})
	m.Gauges(p.depth,
		telemetry.Family{Name: "jobs", Help: "jobs of all workspaces that are not done, and dead letters", Labels: []string{"state"}},
		telemetry.Family{Name: "jobs_oldest_seconds", Help: "how long the oldest job that is due has waited"},
	)
	m.Gauge(telemetry.Family{Name: "database_connections", Help: "of this process, by what they do", Labels: []string{"state"}}, func() []telemetry.Sample {
		pool := p.db.Pool()
		return []telemetry.Sample{
			{Labels: []string{"busy"}, Value: float64(pool.Busy)}, {Labels: []string{"idle"}, Value: float64(pool.Idle)},
			{Labels: []string{"most"}, Value: float64(pool.Most)},
		}
	})
	m.Counter(telemetry.Family{Name: "database_connection_waits_total", Help: "how often a call had to wait for a connection"}, func() []telemetry.Sample {
		return []telemetry.Sample{{Value: float64(p.db.Pool().Waits)}}
	})
	m.Counter(telemetry.Family{Name: "database_connection_wait_seconds_total", Help: "how long calls have waited for a connection"}, func() []telemetry.Sample {
		return []telemetry.Sample{{Value: p.db.Pool().Waited.Seconds()}}
	})
	m.Counter(telemetry.Family{
		Name: "database_pipeline_total", Labels: []string{"what"},
		Help: "reads that shared connections, the rounds that they went in, and connections given up in one",
	}, func() []telemetry.Sample {
		pool := p.db.Pool()
		return []telemetry.Sample{
			{Labels: []string{"read"}, Value: float64(pool.Pipelined)}, {Labels: []string{"round"}, Value: float64(pool.Rounds)},
			{Labels: []string{"dropped"}, Value: float64(pool.Dropped)},
		}
	})
	m.Gauge(telemetry.Family{Name: "audit_sealer_lag_seconds", Help: "how long ago this process last sealed the whole audit log"}, func() []telemetry.Sample {
		return []telemetry.Sample{{Value: p.sealer.Lag().Seconds()}}
	})
	addCounts(m, p)
	addTopWorkspaces(m, p.slots, p.workspaces)
	addStatements(m, p.statements)
}

// addConnections registers the counts of connections that clients have open.
func addConnections(m counters, connections *gateway.Connections) {
	m.Gauge(telemetry.Family{Name: "connections", Help: "connections of clients that are open, and that may be", Labels: []string{"state"}}, func() []telemetry.Sample {
		if connections == nil {
			return nil
		}
		open, limit := connections.Open()
		return []telemetry.Sample{{Labels: []string{"open"}, Value: float64(open)}, {Labels: []string{"most"}, Value: float64(limit)}}
	})
	m.Counter(telemetry.Family{Name: "connections_refused_total", Help: "connections that were refused, as too many were open"}, func() []telemetry.Sample {
		if connections == nil {
			return nil
		}
		return []telemetry.Sample{{Value: float64(connections.Refused())}}
	})
}

// addStatements adds the durations of the database's statements, by the names of their queries, whose number is fixed.
func addStatements(m counters, statements *postgres.Statements) {
	counter := func(name, help string, value func(c postgres.StatementCount) float64) {
		m.Counter(telemetry.Family{Name: name, Help: help, Labels: []string{"query"}}, func() (samples []telemetry.Sample) {
			for _, c := range statements.Counts() {
				samples = append(samples, telemetry.Sample{Labels: []string{c.Query}, Value: value(c)})
			}
			return samples
		})
	}
	counter("database_statements_total", "round trips of this process to the database, by the query of db/queries that they were made for; other: such as a COMMIT alone", func(c postgres.StatementCount) float64 { return float64(c.Calls) })
	counter("database_statement_seconds_total", "how long statements took", func(c postgres.StatementCount) float64 { return c.Time.Seconds() })
	counter("database_slow_statements_total", "statements that took SLOW_STATEMENT or longer", func(c postgres.StatementCount) float64 { return float64(c.Slow) })
}

// addCounts adds the counts that are read from the database at each scrape.
func addCounts(m counters, p measured) {
	m.Gauge(telemetry.Family{Name: "analytics_outbox_rows", Help: "rows that wait to be exported for analytics, up to 100000"}, func() []telemetry.Sample {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
		defer cancel()
		rows, err := analytics.Depth(ctx, p.db)
		if err != nil {
			p.log.Warn("what waits for analytics was not counted for the metrics", "error", err)
			return nil
		}
		return []telemetry.Sample{{Value: float64(rows)}}
	})
	m.Gauge(telemetry.Family{Name: "workspaces_to_purge", Help: "workspaces that were deleted 30 days ago and have rows left, up to 1000"}, func() []telemetry.Sample {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
		defer cancel()
		due, err := authpostgres.NewWorkspaces(p.db).Due(ctx, purgesCounted)
		if err != nil {
			p.log.Warn("the workspaces to purge were not counted for the metrics", "error", err)
			return nil
		}
		return []telemetry.Sample{{Value: float64(len(due))}}
	})
	m.Gauge(telemetry.Family{
		Name: "background_task_age_seconds", Help: "how long ago a background task of this process last succeeded", Labels: []string{"task"},
	}, p.tasks(func(s background.State) float64 { return time.Since(s.Succeeded).Seconds() }))
	m.Counter(telemetry.Family{
		Name: "background_task_failures_total", Help: "runs of a background task of this process that failed", Labels: []string{"task"},
	}, p.tasks(func(s background.State) float64 { return float64(s.Failures) }))
	m.Gauge(telemetry.Family{
		Name: "background_task_failure_age_seconds", Help: "how long ago a background task of this process last failed; none where it never has", Labels: []string{"task"},
	}, func() (samples []telemetry.Sample) {
		for _, s := range p.background.States() {
			if !s.Failed.IsZero() {
				samples = append(samples, telemetry.Sample{Labels: []string{s.Name}, Value: time.Since(s.Failed).Seconds()})
			}
		}
		return samples
	})
	m.Gauge(telemetry.Family{Name: "long_answers", Help: "streams, downloads and exports that are under way in this process"}, func() []telemetry.Sample {
		return []telemetry.Sample{{Value: float64(p.access.Watched())}}
	})
	m.Gauge(telemetry.Family{Name: "table_bytes", Help: "size of a table of the database with its indexes", Labels: []string{"table"}}, func() []telemetry.Sample {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
		defer cancel()
		tables, err := p.db.TableBytes(ctx)
		if err != nil {
			p.log.Warn("the tables were not measured for the metrics", "error", err)
			return nil
		}
		samples := make([]telemetry.Sample, 0, len(tables))
		for name, bytes := range tables {
			samples = append(samples, telemetry.Sample{Labels: []string{name}, Value: float64(bytes)})
		}
		return samples
	})
	m.Gauge(telemetry.Family{Name: "database_bytes", Help: "size of the whole database, without the server's log of changes (WAL)"}, func() []telemetry.Sample {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
		defer cancel()
		bytes, err := p.db.Bytes(ctx)
		if err != nil {
			p.log.Warn("the database was not measured for the metrics", "error", err)
			return nil
		}
		return []telemetry.Sample{{Value: float64(bytes)}}
	})
	m.Gauge(telemetry.Family{Name: "turns_abandoned", Help: "turns that their process left unfinished and that wait for another process, up to 10000"}, func() []telemetry.Sample {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
		defer cancel()
		n, err := turns.CountAbandoned(ctx, p.db, abandonedCounted)
		if err != nil {
			p.log.Warn("the turns that wait for recovery were not counted for the metrics", "error", err)
			return nil
		}
		return []telemetry.Sample{{Value: float64(n)}}
	})
}

// tasks returns a function that samples a value of each background task.
func (p measured) tasks(value func(s background.State) float64) func() []telemetry.Sample {
	return func() (samples []telemetry.Sample) {
		for _, s := range p.background.States() {
			samples = append(samples, telemetry.Sample{Labels: []string{s.Name}, Value: value(s)})
		}
		return samples
	}
}

// depth counts the jobs in the queue; it returns nothing while the database is not available.
func (p measured) depth() [][]telemetry.Sample {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	d, err := p.jobs.Depth(ctx)
	if err != nil {
		p.log.Warn("the queue was not counted for the metrics", "error", err)
		return nil
	}
	return [][]telemetry.Sample{
		{
			{Labels: []string{"queued"}, Value: float64(d.Queued)}, {Labels: []string{"running"}, Value: float64(d.Running)},
			{Labels: []string{"dead"}, Value: float64(d.Dead)},
		},
		{{Value: d.Oldest.Seconds()}},
	}
}

func overGroups(groups []*resilience.Group, read func(*resilience.Group) map[string]float64) (samples []telemetry.Sample) {
	for _, g := range groups {
		for label, n := range read(g) {
			samples = append(samples, telemetry.Sample{Labels: []string{g.Name(), label}, Value: n})
		}
	}
	return samples
}
