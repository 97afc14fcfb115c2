package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pipelineDepth is how many reads are on their way at once.
const pipelineDepth = 16

// pipelines let reads of many callers share connections, in the pipeline mode of the protocol
// (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING). While all of its few connections
// are at work reads wait; the connection that is ready first sends all of them in one go. Behind each stands a Sync, so
// each stays a transaction of its own, entered for its own caller: a refused entry ends its own read and no other. Under
// load a read costs a fraction of the system calls and of the waking up of processes that it costs alone.
//
// That nobody is given what is another's does not hang on the counting of results: each entry says back the tag of its
// read, and rows are believed only behind the right one.
//
// It is for reads that are over at once, since they are answered in their order. Nobody depends on it: whoever waits too
// long, or whose connection breaks before the answer, goes alone.
type pipelines struct {
	pool     *pgxpool.Pool
	patience time.Duration   // how long a read waits for its turn before it goes alone
	timeout  time.Duration   // from sending the first of a round to the end of the last; then the connection is closed
	tracer   pgx.QueryTracer // sees every query, but never its connection, which is nobody's own; nil: none

	mu      sync.Mutex
	free    int // pipelines that nobody uses
	waiting []*pipelined

	tags, reads, rounds, dropped atomic.Int64
}

func newPipelines(pool *pgxpool.Pool, n int) *pipelines {
	return &pipelines{
		pool: pool, free: n, patience: time.Second, timeout: 5 * time.Second, tracer: pool.Config().ConnConfig.Tracer,
	}
}

// tag gives the tag of a read, which no other has.
func (p *pipelines) tag() int64 {
	if p == nil {
		return 0
	}
	return p.tags.Add(1)
}

// pipelined is one read: its entry, and its query.
type pipelined struct {
	tag        int64 // what the entry says
	statements [2]statement
	turn       chan *pipeline // takes one, and never blocks who gives it
	state      atomic.Int32
	traced     context.Context //nolint:containedctx // the tracer's, from its start to its end
}

// The states of a read. Who gives it its turn and who stops to wait for it both leave waiting, and one of them wins.
const (
	waiting int32 = iota
	served
	gone
)

var (
	errAlone   = errors.New("postgres: not in a pipeline") // asks a caller to read alone
	errMixedUp = errors.New("postgres: the results in a pipeline are not those that were asked for")
)

// query gives the rows of a read. They are to be closed soon: others wait for what is behind them. Its error is the
// database's refusal of the entry, or errAlone.
func (p *pipelines) query(ctx context.Context, tag int64, entry, query statement) (pgx.Rows, error) {
	q := &pipelined{tag: tag, statements: [2]statement{entry, query}}
	if p.tracer != nil {
		q.traced = p.tracer.TraceQueryStart(ctx, nil, pgx.TraceQueryStartData{SQL: query.sql, Args: query.args})
	}
	rows, err := p.rows(ctx, q)
	if err != nil {
		p.over(q, err)
	}
	return rows, err
}

// over ends what query began.
func (p *pipelines) over(q *pipelined, err error) {
	if p.tracer != nil {
		p.tracer.TraceQueryEnd(q.traced, nil, pgx.TraceQueryEndData{Err: err})
	}
}

func (p *pipelines) rows(ctx context.Context, q *pipelined) (pgx.Rows, error) {
	r := p.join(q)
	if r == nil {
		if r = q.wait(ctx, p.patience); r == nil {
			return nil, errAlone
		}
	}
	if !r.sent {
		r.send(ctx)
	}
	return r.read(q)
}

// join gives a pipeline if one is free, else puts the read behind those that wait.
func (p *pipelines) join(q *pipelined) *pipeline {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free > 0 {
		p.free--
		return &pipeline{of: p, reads: []*pipelined{q}}
	}
	q.turn = make(chan *pipeline, 1)
	p.waiting = append(p.waiting, q)
	return nil
}

// wait gives the pipeline whose next results are the read's, or nil if it is not to wait any longer.
func (q *pipelined) wait(ctx context.Context, most time.Duration) *pipeline {
	patience := time.NewTimer(most)
	defer patience.Stop()
	select {
	case r := <-q.turn:
		return r
	case <-ctx.Done():
	case <-patience.C:
	}
	if q.state.CompareAndSwap(waiting, gone) {
		return nil
	}
	return <-q.turn // it has been given meanwhile
}

// next has those that wait sent on this connection, by the first of them; if there are none it gives both up.
func (p *pipelines) next(conn *pgxpool.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.waiting) > 0 {
		n := min(len(p.waiting), pipelineDepth)
		reads := slices.Clone(p.waiting[:n])
		p.waiting = slices.Delete(p.waiting, 0, n)
		for i, first := range reads {
			if first.state.CompareAndSwap(waiting, served) {
				first.turn <- &pipeline{of: p, conn: conn, reads: reads[i:]}
				return
			}
		}
	}
	p.free++
	if conn != nil {
		conn.Release()
	}
}

// pipeline is a number of reads on one connection. It belongs to the one whose turn it is, who passes it on.
type pipeline struct {
	of     *pipelines
	conn   *pgxpool.Conn // nil until one is needed
	wire   *pgconn.Pipeline
	cancel context.CancelFunc
	reads  []*pipelined
	sent   bool
	at     int  // whose turn it is
	broken bool // there is no connection any more
}

// send puts all reads on the wire. The context is that of the first.
func (r *pipeline) send(ctx context.Context) {
	r.sent = true
	if r.conn == nil {
		conn, err := r.of.pool.Acquire(ctx)
		if err != nil {
			r.drop()
			return
		}
		r.conn = conn
	}
	ctx, r.cancel = context.WithTimeout(context.WithoutCancel(ctx), r.of.timeout)
	conn := r.conn.Conn()
	prepared := make([]*pgconn.StatementDescription, 0, len(r.reads)*len(pipelined{}.statements))
	for _, q := range r.reads {
		for _, s := range q.statements {
			description, err := conn.Prepare(ctx, s.sql, s.sql)
			if err != nil {
				r.drop()
				return
			}
			prepared = append(prepared, description)
		}
	}
	r.wire = conn.PgConn().StartPipeline(ctx)
	var encoded pgx.ExtendedQueryBuilder
	for _, q := range r.reads {
		for _, s := range q.statements {
			if err := encoded.Build(conn.TypeMap(), prepared[0], s.args); err != nil {
				r.drop()
				return
			}
			// Not SendQueryStatement, which saves the description of the result: it loses count behind a statement that failed.
			r.wire.SendQueryPrepared(prepared[0].Name, encoded.ParamValues, encoded.ParamFormats, encoded.ResultFormats)
			prepared = prepared[1:]
		}
		r.wire.SendPipelineSync()
	}
	if err := r.wire.Flush(); err != nil {
		r.drop()
		return
	}
	r.of.rounds.Add(1)
	r.of.reads.Add(int64(len(r.reads)))
}

// read gives the rows of the read whose turn it is, which pass the pipeline on when they are closed.
func (r *pipeline) read(q *pipelined) (pgx.Rows, error) {
	err := r.entered(q.tag)
	var result *pgconn.ResultReader
	if err == nil {
		result, err = r.result()
	}
	if err == nil {
		return &pipelinedRows{Rows: pgx.RowsFromResultReader(r.conn.Conn().TypeMap(), result), of: r, read: q}, nil
	}
	_ = r.end(err)
	r.pass()
	if !isRefusal(err) {
		return nil, errAlone
	}
	return nil, translate(err)
}

// entered reads what an entry says: its tag, last of all, or a refusal.
func (r *pipeline) entered(tag int64) error {
	result, err := r.result()
	if err != nil {
		return err
	}
	said := result.NextRow() && bytes.Equal(result.Values()[len(result.Values())-1], binary.BigEndian.AppendUint64(nil, uint64(tag)))
	if _, err = result.Close(); err == nil && !said {
		err = errMixedUp
	}
	return err
}

// result gives the next result of the read whose turn it is.
func (r *pipeline) result() (*pgconn.ResultReader, error) {
	if r.broken {
		return nil, errAlone
	}
	result, err := r.wire.GetResults()
	if err != nil {
		return nil, err
	}
	reader, ok := result.(*pgconn.ResultReader)
	if !ok {
		return nil, fmt.Errorf("postgres: %T in place of a result", result)
	}
	return reader, nil
}

// end reads the end of a read's transaction, behind its last result or its failure. A refusal by one of our functions is
// an answer like any other; after any other failure the connection is not used again.
func (r *pipeline) end(failure error) error {
	if failure == nil || isRefusal(failure) {
		result, err := r.wire.GetResults()
		if _, over := result.(*pgconn.PipelineSync); over {
			return failure
		}
		failure = errors.Join(failure, err, errMixedUp)
	}
	r.drop()
	return failure
}

// skip reads past all that was sent for the read whose turn it is: nobody waits for it any more.
func (r *pipeline) skip() {
	for range len(pipelined{}.statements) {
		result, err := r.result()
		if err == nil {
			_, err = result.Close()
		}
		if err != nil {
			_ = r.end(err)
			return
		}
	}
	_ = r.end(nil)
}

// pass gives the pipeline to the next read that still waits, and ends it behind the last.
func (r *pipeline) pass() {
	for r.at++; r.at < len(r.reads); r.at++ {
		if next := r.reads[r.at]; next.state.CompareAndSwap(waiting, served) {
			next.turn <- r
			return
		}
		r.skip()
	}
	if !r.broken {
		_ = r.wire.Close()
	}
	if r.cancel != nil {
		r.cancel()
	}
	r.of.next(r.conn)
}

// drop closes the connection: what is still on its way on it belongs to reads that will go alone.
func (r *pipeline) drop() {
	r.broken = true
	if r.conn != nil {
		r.of.dropped.Add(1)
		_ = r.conn.Conn().Close(context.Background()) // says good-bye without waiting
		r.conn.Release()
		r.conn = nil
	}
}

// pipelinedRows pass their pipeline on when they are closed.
type pipelinedRows struct {
	pgx.Rows
	of     *pipeline
	read   *pipelined
	closed bool
	err    error
}

// Close is safe to call twice.
func (r *pipelinedRows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	r.Rows.Close()
	r.err = r.of.end(r.Rows.Err())
	r.of.of.over(r.read, r.err)
	r.of.pass()
}

// Next closes the rows at their end.
func (r *pipelinedRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Err gives the failure of the query or of its end.
func (r *pipelinedRows) Err() error {
	if r.closed {
		return translate(r.err)
	}
	return translate(r.Rows.Err())
}
