package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pipeline is one round of reads on one connection. It belongs to the read whose turn it is, which passes it on.
type pipeline struct {
	of     *pipelines
	reads  []*pipelined
	at     int // whose turn it is
	sent   bool
	broken bool // there is no connection, or none any more

	conn    *pgxpool.Conn
	wire    *pgconn.Pipeline
	cut     context.CancelFunc // cuts the connection
	timer   *time.Timer        // cuts it when a turn takes too long
	unwatch func() bool        // ends the watch that cuts it when the context of the one whose turn it is ends
}

// send puts all reads on the wire. The context is that of the first, whose turn it is.
func (r *pipeline) send(ctx context.Context) {
	r.sent = true
	defer func() {
		if recover() != nil { // an argument cannot be encoded, and will panic again where it is alone
			r.drop()
		}
	}()
	conn, err := r.of.pool.Acquire(ctx)
	if err != nil {
		if ctx.Err() != nil { // which is no concern of the others
			r.of.again(r.reads[1:])
			r.reads = r.reads[:1]
		}
		r.drop()
		return
	}
	r.conn = conn
	var whole context.Context
	whole, r.cut = context.WithCancel(context.WithoutCancel(ctx))
	r.timer = time.AfterFunc(r.of.timeout, r.cut)
	r.watch(ctx)
	r.reads = slices.DeleteFunc(r.reads, func(q *pipelined) bool { return q.state.Load() == gone })
	if err := r.write(whole); err != nil {
		r.drop()
		return
	}
	r.of.rounds.Add(1)
	r.of.reads.Add(int64(len(r.reads)))
}

func (r *pipeline) write(ctx context.Context) error {
	conn := r.conn.Conn()
	prepared := make([]*pgconn.StatementDescription, 0, len(r.reads)*len(pipelined{}.statements))
	for _, q := range r.reads {
		for _, s := range q.statements {
			description, err := conn.Prepare(ctx, r.of.name(s.sql), s.sql)
			if err != nil {
				return err
			}
			prepared = append(prepared, description)
		}
	}
	r.wire = conn.PgConn().StartPipeline(ctx)
	var encoded pgx.ExtendedQueryBuilder
	for _, q := range r.reads {
		for _, s := range q.statements {
			if err := encoded.Build(conn.TypeMap(), prepared[0], s.args); err != nil {
				return err
			}
			// Not SendQueryStatement, which saves the description of the result: it loses count behind a statement that failed.
			r.wire.SendQueryPrepared(prepared[0].Name, encoded.ParamValues, encoded.ParamFormats, encoded.ResultFormats)
			prepared = prepared[1:]
		}
		r.wire.SendPipelineSync()
	}
	return r.wire.Flush()
}

// watch has the connection cut when the context of the one whose turn it is ends before it has passed it on.
func (r *pipeline) watch(ctx context.Context) {
	if r.cut != nil {
		r.unwatch = context.AfterFunc(ctx, r.cut)
	}
}

// read returns the rows of the read whose turn it is. Closing them passes the pipeline to the next read.
func (r *pipeline) read(q *pipelined) (pgx.Rows, error) {
	err := r.entered(q.tag)
	var result *pgconn.ResultReader
	if err == nil {
		result, err = r.result()
	}
	if err == nil {
		return &rows{Rows: pgx.RowsFromResultReader(r.conn.Conn().TypeMap(), result), over: func(failure error) error {
			failure = r.end(failure)
			r.of.over(q, failure)
			r.pass()
			return translate(failure)
		}}, nil
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
	entered := result.NextRow() && bytes.Equal(result.Values()[len(result.Values())-1], binary.BigEndian.AppendUint64(nil, uint64(tag)))
	if _, err = result.Close(); err == nil && !entered {
		err = errMixedUp
	}
	return err
}

// result returns the next result of the read whose turn it is.
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

// end reads the end of a read's transaction, after its last result or its failure. A refusal by one of our SQL
// functions is a normal result. After any other failure the connection is not used again.
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

// pass hands the pipeline to the next read, and ends it after the last one.
func (r *pipeline) pass() {
	r.of.moves.Add(1)
	if r.cut != nil {
		watched := r.unwatch == nil || r.unwatch()
		if timely := r.timer.Reset(r.of.timeout); !watched || !timely { // it is being cut
			r.drop()
		}
		r.unwatch = nil
	}
	for r.at++; r.at < len(r.reads); r.at++ {
		if next := r.reads[r.at]; next.state.CompareAndSwap(waiting, served) {
			next.turn <- r
			return
		}
		if !r.broken {
			go r.passOver()
			return
		}
	}
	if !r.broken {
		_ = r.wire.Close()
		r.conn.Release()
	}
	if r.cut != nil {
		r.timer.Stop()
		r.cut()
	}
	r.of.next()
}

// passOver reads and discards all results of the read whose turn it is, because its caller no longer waits.
func (r *pipeline) passOver() {
	var err error
	for range len(pipelined{}.statements) {
		var result *pgconn.ResultReader
		if result, err = r.result(); err != nil {
			break
		}
		if _, err = result.Close(); err != nil {
			break
		}
	}
	_ = r.end(err)
	r.pass()
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
