package postgres

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pipelineDepth is how many reads are on their way on one connection.
const pipelineDepth = 16

// pipelines lets reads of many callers share connections, in the pipeline mode of the protocol
// (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING). Reads wait while all of the
// few pipelines are busy. The first pipeline that is free sends all waiting reads together. Each read is followed by a
// Sync, so that it is a transaction of its own, entered for its own caller: a refused entry ends only its own read.
// Under load a read costs a fraction of the system calls and process switches of a single read.
//
// The assignment of rows to callers does not depend on counting results: each entry returns the tag of its read, and
// rows are accepted only after the right tag.
//
// It is for short reads, because results are returned in order. No read depends on it: if a read waits while no results
// arrive, or its connection breaks before the result, it is executed alone.
type pipelines struct {
	pool    *pgxpool.Pool
	stalled time.Duration   // how long a read waits while no pipeline moves, before it goes alone
	timeout time.Duration   // how long a read may take once its turn has come; then the connection is closed
	tracer  pgx.QueryTracer // sees every query, but never its connection, which is nobody's own; nil: none

	mu      sync.Mutex
	free    int // pipelines that nobody uses
	closed  bool
	waiting []*pipelined
	names   map[string]string // of prepared statements, by their SQL

	tags, moves, reads, rounds, dropped atomic.Int64
}

// newPipelines makes n pipelines; nil, which takes no read, where that is none.
func newPipelines(pool *pgxpool.Pool, n int) *pipelines {
	if n == 0 {
		return nil
	}
	return &pipelines{
		pool: pool, free: n, stalled: time.Second, timeout: 5 * time.Second, tracer: pool.Config().ConnConfig.Tracer,
		names: map[string]string{},
	}
}

// pipelined is one read: its entry, and its query.
type pipelined struct {
	tag        int64 // what the entry says
	statements [2]statement
	turn       chan *pipeline // takes one, and never blocks who gives it
	state      atomic.Int32
	traced     context.Context //nolint:containedctx // the tracer's, from its start to its end
}

// The states of a read. The goroutine that gives a read its turn and the goroutine that stops waiting both change the
// state from waiting, and only one of them succeeds.
const (
	waiting int32 = iota
	served
	gone
)

var (
	errAlone   = errors.New("postgres: not in a pipeline") // asks a caller to read alone
	errMixedUp = errors.New("postgres: the results in a pipeline are not those that were asked for")
)

// tag returns the tag of a read, which is unique.
func (p *pipelines) tag() int64 {
	if p == nil {
		return 0
	}
	return p.tags.Add(1)
}

// query returns the rows of a read. They must be closed soon, because later reads wait for them. Its error is the
// refusal of the database, or errAlone.
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
		if r = p.wait(ctx, q); r == nil {
			return nil, errAlone
		}
	}
	if r.sent {
		r.watch(ctx)
	} else {
		r.send(ctx)
	}
	return r.read(q)
}

// join returns a pipeline if one is free, and otherwise appends the read to the waiting ones.
func (p *pipelines) join(q *pipelined) *pipeline {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return p.spent(q)
	case p.free > 0:
		p.free--
		return &pipeline{of: p, reads: []*pipelined{q}}
	}
	q.turn = make(chan *pipeline, 1)
	p.waiting = append(p.waiting, q)
	return nil
}

// wait returns the pipeline whose next results belong to the read, or nil if the read should not wait any longer. A
// long queue is not a reason to leave it: the results of an abandoned read are read anyway, so the read would be
// executed twice when the load is highest.
func (p *pipelines) wait(ctx context.Context, q *pipelined) *pipeline {
	timer := time.NewTimer(p.stalled)
	defer timer.Stop()
	for moves := p.moves.Load(); ; moves = p.moves.Load() {
		select {
		case r := <-q.turn:
			return r
		case <-ctx.Done():
		case <-timer.C:
			if p.moves.Load() != moves {
				timer.Reset(p.stalled)
				continue
			}
		}
		if q.state.CompareAndSwap(waiting, gone) {
			return nil
		}
		return <-q.turn // it has been given meanwhile
	}
}

// next has those that wait sent by the first of them; if there are none the pipeline is free.
func (p *pipelines) next() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.waiting) > 0 {
		n := min(len(p.waiting), pipelineDepth)
		reads := slices.Clone(p.waiting[:n])
		p.waiting = slices.Delete(p.waiting, 0, n)
		for i, first := range reads {
			if first.state.CompareAndSwap(waiting, served) {
				first.turn <- &pipeline{of: p, reads: reads[i:]}
				return
			}
		}
	}
	p.free++
}

// again puts reads that were not sent before those that wait.
func (p *pipelines) again(reads []*pipelined) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = slices.Concat(reads, p.waiting)
}

// close has every read go alone from now on.
func (p *pipelines) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, q := range p.waiting {
		if q.state.CompareAndSwap(waiting, served) {
			q.turn <- p.spent(q)
		}
	}
	p.waiting = nil
}

// spent is a pipeline of no use, which sends its read away to go alone.
func (p *pipelines) spent(q *pipelined) *pipeline {
	return &pipeline{of: p, reads: []*pipelined{q}, sent: true, broken: true}
}

// name returns the name of a prepared statement. It differs from the name that pgx uses for the same SQL: a read that
// is executed alone would otherwise find the statement, but could not discard it when its plan has become invalid.
func (p *pipelines) name(sql string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	name, ok := p.names[sql]
	if !ok {
		name = "pipelined_" + strconv.Itoa(len(p.names))
		p.names[sql] = name
	}
	return name
}
