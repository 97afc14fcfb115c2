package postgres

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// Statements measures the duration of round trips to the database, and logs slow ones: the names of their queries, the
// time, and the data of the call, but no values. Statements that are sent together are measured together, as Postgres
// answers them together, and are attributed to the last query among them. For a read that shares a connection with
// others, the wait for its turn is included. Statements is a tracer of pgx, and safe for concurrent use.
type Statements struct {
	slow time.Duration
	log  *slog.Logger

	mu     sync.RWMutex
	counts map[string]*statementCounts

	logMu   sync.Mutex
	second  time.Time // in which lines were last logged
	lines   int       // that were logged in it
	skipped int       // slow statements that were not logged since the last line
}

type statementCounts struct{ calls, slow, nanos atomic.Int64 }

// StatementCount holds the totals of the round trips of a query since the start.
type StatementCount struct {
	Query       string // its name in db/queries, or OtherStatements
	Calls, Slow int64  // Slow are the calls that took as long as is logged, or longer
	Time        time.Duration
}

// OtherStatements is the name of all statements that are not a query of db/queries, such as COMMIT.
const OtherStatements = "other"

// maxSlowLines is how many slow statements are logged in a second: when the database is slow, all are.
const maxSlowLines = 10

// NewStatements returns Statements that log round trips which take at least slow; 0: none are logged.
func NewStatements(slow time.Duration, log *slog.Logger) *Statements {
	return &Statements{slow: slow, log: log, counts: map[string]*statementCounts{}}
}

// Counts returns the totals of each query that was called, in no order.
func (s *Statements) Counts() []StatementCount {
	s.mu.RLock()
	defer s.mu.RUnlock()
	counts := make([]StatementCount, 0, len(s.counts))
	for name, c := range s.counts {
		counts = append(counts, StatementCount{Query: name, Calls: c.calls.Load(), Slow: c.slow.Load(), Time: time.Duration(c.nanos.Load())})
	}
	return counts
}

type statementKey struct{}

// roundTrip is what is on its way to the database.
type roundTrip struct {
	begin time.Time
	sql   string     // of a statement that is sent alone
	batch *pgx.Batch // nil where it is
}

// TraceQueryStart notes when a statement is sent alone.
func (s *Statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, statementKey{}, roundTrip{begin: time.Now(), sql: data.SQL})
}

// TraceQueryEnd measures what TraceQueryStart began.
func (s *Statements) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	s.observe(ctx, data.Err)
}

// TraceBatchStart notes when statements are sent together.
func (s *Statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	return context.WithValue(ctx, statementKey{}, roundTrip{begin: time.Now(), batch: data.Batch})
}

// TraceBatchQuery does nothing.
func (s *Statements) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd measures what TraceBatchStart began.
func (s *Statements) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	s.observe(ctx, data.Err)
}

func (s *Statements) observe(ctx context.Context, err error) {
	trip, ok := ctx.Value(statementKey{}).(roundTrip)
	if !ok {
		return
	}
	took, query := time.Since(trip.begin), trip.query()
	c := s.of(query)
	c.calls.Add(1)
	c.nanos.Add(int64(took))
	if s.slow == 0 || took < s.slow {
		return
	}
	c.slow.Add(1)
	skipped, ok := s.mayLog(time.Now())
	if !ok {
		return
	}
	attributes := []any{"query", query, "took", took.Round(time.Millisecond)}
	if together := trip.queries(); len(together) > 1 {
		attributes = append(attributes, "sent_together", together)
	}
	if err != nil {
		attributes = append(attributes, "failed", true) // the error may show values
	}
	if skipped > 0 {
		attributes = append(attributes, "not_logged", skipped)
	}
	s.log.WarnContext(ctx, "a statement was slow", attributes...)
}

// query is the name of the query that a round trip is made for.
func (r roundTrip) query() string {
	if r.batch == nil {
		return queryName(r.sql)
	}
	for _, q := range slices.Backward(r.batch.QueuedQueries) {
		if name := queryName(q.SQL); name != OtherStatements {
			return name
		}
	}
	return OtherStatements
}

// queries are the names of all queries of a round trip, in their order.
func (r roundTrip) queries() (names []string) {
	if r.batch == nil {
		return []string{queryName(r.sql)}
	}
	for _, q := range r.batch.QueuedQueries {
		names = append(names, queryName(q.SQL))
	}
	return names
}

// mayLog reports whether a line may be logged now, and how many slow statements were left out since the last one.
func (s *Statements) mayLog(now time.Time) (skipped int, ok bool) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	if now.Sub(s.second) >= time.Second {
		s.second, s.lines = now, 0
	}
	if s.lines == maxSlowLines {
		s.skipped++
		return 0, false
	}
	s.lines++
	skipped, s.skipped = s.skipped, 0
	return skipped, true
}

// of returns the totals of a query. Their number is bounded by the number of queries in the program.
func (s *Statements) of(name string) *statementCounts {
	s.mu.RLock()
	c := s.counts[name]
	s.mu.RUnlock()
	if c != nil {
		return c
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c = s.counts[name]; c == nil {
		c = &statementCounts{}
		s.counts[strings.Clone(name)] = c
	}
	return c
}

// queryName is the name that sqlc has written into a statement; OtherStatements where it has written none.
func queryName(sql string) string {
	rest, ok := strings.CutPrefix(sql, "-- name: ")
	name, _, _ := strings.Cut(rest, " ")
	if !ok || name == "" {
		return OtherStatements
	}
	return name
}
