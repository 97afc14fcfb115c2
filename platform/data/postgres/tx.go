package postgres

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// Conn executes the generated queries. The package comment says when a statement is sent.
type Conn interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

type txKey struct{}

// In returns the transaction of the context. Outside a transaction, every query is a read-only transaction of its own,
// in one round trip, for the caller in the context.
func (db *DB) In(ctx context.Context) Conn {
	if t, ok := ctx.Value(txKey{}).(*tx); ok {
		return t
	}
	return reader{db: db}
}

// InPipeline is In for a short read, by a key or of one page of an index. Outside a transaction it may share a round
// trip with short reads of other callers. The data that its arguments point to must not be changed afterwards.
func (db *DB) InPipeline(ctx context.Context) Conn {
	if t, ok := ctx.Value(txKey{}).(*tx); ok {
		return t
	}
	return reader{db: db, pipelines: db.pipelines}
}

// Write runs fn in a transaction for the caller in the context, and commits the queued statements when fn returns nil.
// Inside another Write it is part of that transaction.
func (db *DB) Write(ctx context.Context, fn func(ctx context.Context) error) error {
	return db.write(ctx, &tx{db: db}, fn)
}

// WriteOnce is Write for an fn that makes at most one query, its last statement. Entry, effects, query and commit are
// then one round trip. An error that fn returns cannot undo a query that has succeeded; the SQL itself has to raise.
func (db *DB) WriteOnce(ctx context.Context, fn func(ctx context.Context) error) error {
	return db.write(ctx, &tx{db: db, once: true}, fn)
}

func (db *DB) write(ctx context.Context, t *tx, fn func(ctx context.Context) error) error {
	if _, ok := ctx.Value(txKey{}).(*tx); ok {
		return fn(ctx)
	}
	t.enter(ctx, map[bool]string{true: "on", false: "off"}[t.reads], 0)
	defer t.rollback()
	if err := fn(context.WithValue(ctx, txKey{}, t)); err != nil {
		return err
	}
	return t.commit(ctx)
}

// Relax queues that the commit of the transaction of the context does not wait for the disk. It is for a transaction
// whose loss in a crash of the server nobody can notice.
func (db *DB) Relax(ctx context.Context) error { return platformdb.New(db.In(ctx)).RelaxCommit(ctx) }

// Flush sends the queued statements of the transaction of the context, and waits for their results.
func (db *DB) Flush(ctx context.Context) error {
	_, err := platformdb.New(db.In(ctx)).Ping(ctx)
	return err
}

// Admitted checks in the database whether the caller of the context is admitted. It is one round trip.
func (db *DB) Admitted(ctx context.Context) error { return db.Flush(ctx) }

// tx is one transaction, including its queue of statements.
type tx struct {
	db    *DB
	conn  *pgxpool.Conn // nil until the first round trip
	queue []statement
	begin string // what opens it; "": BEGIN
	once  bool   // the first query ends it
	reads bool   // it cannot change anything
	slow  *slowRead
	leave func() // gives the turn of a slow read back; nil: it has none
	done  bool   // committed, rolled back or failed
	err   error  // the first failure; nothing runs after it
}

type statement struct {
	sql  string
	args []any
}

var errOver = errors.New("postgres: the transaction is over")

// enter queues the first statement: for whom the transaction works. It says the tag back.
func (t *tx) enter(ctx context.Context, readOnly string, tag int64) {
	q, p, needs := platformdb.New(t), callctx.From(ctx).Principal, callctx.From(ctx).Needs
	switch { // :exec only queues, so there is no error to see here
	case p.SessionID != uuid.Nil && p.EndUser != nil:
		_ = q.EnterEndUser(ctx, platformdb.EnterEndUserParams{
			ReadOnly: readOnly, EndUserID: p.UserID, KeyID: p.EndUser.KeyID, BotID: p.EndUser.BotID, WorkspaceID: p.WorkspaceID,
			Roles: needs.Roles, May: string(needs.Keys), Tag: tag,
		})
	case p.SessionID != uuid.Nil && p.KeyID != uuid.Nil:
		_ = q.EnterKey(ctx, platformdb.EnterKeyParams{
			ReadOnly: readOnly, KeyID: p.KeyID, WorkspaceID: p.WorkspaceID, Roles: needs.Roles, May: string(needs.Keys), Tag: tag,
		})
	case p.SessionID != uuid.Nil && p.WorkspaceID == uuid.Nil && p.HomeID == uuid.Nil:
		_ = q.EnterAccount(ctx, platformdb.EnterAccountParams{
			ReadOnly: readOnly, SessionID: p.SessionID, UserID: p.UserID, Fresh: needs.Fresh, Tag: tag,
		})
	case p.SessionID != uuid.Nil:
		_ = q.EnterSession(ctx, platformdb.EnterSessionParams{
			ReadOnly: readOnly, SessionID: p.SessionID, UserID: p.UserID, HomeID: p.HomeID, WorkspaceID: p.WorkspaceID,
			Roles: needs.Roles, Deleted: needs.Deleted, Fresh: needs.Fresh, WithoutFactor: needs.WithoutFactor, Tag: tag,
		})
	case p.WorkspaceID != uuid.Nil:
		_ = q.EnterTenant(ctx, platformdb.EnterTenantParams{
			ReadOnly: readOnly, WorkspaceID: p.WorkspaceID.String(), UserID: p.UserID.String(), Tag: tag,
		})
	case p.UserID != uuid.Nil: // a person in no workspace, who sees what belongs to its account
		_ = q.EnterTenant(ctx, platformdb.EnterTenantParams{ReadOnly: readOnly, UserID: p.UserID.String(), Tag: tag})
	default:
		_ = q.EnterNowhere(ctx, platformdb.EnterNowhereParams{ReadOnly: readOnly, Tag: tag})
	}
}

// Exec queues a statement. Its failure is returned by the next query or by the commit. The tag is always empty.
func (t *tx) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if t.err != nil || t.done {
		return pgconn.CommandTag{}, errors.Join(t.err, errOver)
	}
	t.queue = append(t.queue, statement{sql, args})
	return pgconn.CommandTag{}, nil
}

// Query sends all queued statements and the query.
func (t *tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if t.err != nil {
		return nil, t.err
	}
	if t.done {
		return nil, errOver
	}
	var opening []statement
	if t.conn == nil && !t.once {
		opening = []statement{{sql: cmp.Or(t.begin, "BEGIN")}}
	}
	results, err := t.send(ctx, append(opening, t.queue...), statement{sql, args})
	if err != nil {
		return nil, err
	}
	inner, err := results.Query()
	if err != nil {
		return nil, t.fail(errors.Join(err, results.Close()))
	}
	return &rows{Rows: inner, over: func(failure error) error {
		if err := errors.Join(failure, results.Close()); err != nil {
			return t.fail(err)
		}
		if t.once {
			t.end()
		}
		return nil
	}}, nil
}

// QueryRow is Query for one row.
func (t *tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	r, err := t.Query(ctx, sql, args...)
	return row{rows: r, err: err}
}

// send puts statements on the wire in one go and reads the results of all but the last. A batch without BEGIN is a
// transaction of its own, which commits at its end.
//
// A first batch whose connection turns out to be broken goes out once more, on another one, if it cannot have changed
// anything: it only reads, or its COMMIT was not in it. Any other may have been committed, and is the caller's to repeat.
func (t *tx) send(ctx context.Context, statements []statement, last statement) (pgx.BatchResults, error) {
	t.queue = nil
	again := t.conn == nil && (t.reads || len(statements) > 0 && statements[0].sql == "BEGIN")
	results, err := t.sendOnce(ctx, statements, last)
	if err != nil && again && t.conn != nil && t.conn.Conn().IsClosed() && ctx.Err() == nil {
		t.conn.Release() // which drops it
		t.conn = nil
		results, err = t.sendOnce(ctx, statements, last)
	}
	if err != nil {
		return nil, t.fail(err)
	}
	return results, nil
}

func (t *tx) sendOnce(ctx context.Context, statements []statement, last statement) (pgx.BatchResults, error) {
	if t.conn == nil {
		conn, err := t.db.pool.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		t.conn = conn
	}
	batch := &pgx.Batch{QueuedQueries: make([]*pgx.QueuedQuery, 0, len(statements)+1)}
	for _, s := range statements {
		batch.Queue(s.sql, s.args...)
	}
	batch.Queue(last.sql, last.args...)
	sent := false
	defer func() {
		if !sent { // the encoder of an argument has panicked
			t.end()
		}
	}()
	results := t.conn.SendBatch(ctx, batch)
	sent = true
	for range statements {
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // repeats the same error
			return nil, err
		}
	}
	return results, nil
}

func (t *tx) commit(ctx context.Context) error {
	if t.err != nil || t.done {
		return t.err
	}
	last := statement{sql: "COMMIT"}
	if t.conn == nil { // nothing was asked: the whole transaction is one batch, which commits at its end
		last, t.queue = t.queue[len(t.queue)-1], t.queue[:len(t.queue)-1]
	}
	results, err := t.send(ctx, t.queue, last)
	if err != nil {
		return err
	}
	_, err = results.Exec()
	if err = errors.Join(err, results.Close()); err != nil {
		return t.fail(err)
	}
	t.end()
	return nil
}

// fail records the first failure, translated, and releases the connection.
func (t *tx) fail(err error) error {
	if t.err == nil {
		t.err = translate(err)
		if t.slow != nil && t.slow.filtered && isCanceled(err) {
			t.err = fail.ErrTooBroad.Because(err)
		}
	}
	t.rollback()
	return t.err
}

// rollback undoes what has not been committed. It runs also when the caller's context is over.
func (t *tx) rollback() {
	if t.done {
		return
	}
	if t.conn != nil && !t.conn.Conn().IsClosed() && t.conn.Conn().PgConn().TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, _ = t.conn.Exec(ctx, "ROLLBACK") // if it fails, releasing destroys the connection and the server rolls back
	}
	t.end()
}

func (t *tx) end() {
	t.done = true
	if t.conn != nil {
		t.conn.Release()
		t.conn = nil
	}
	if t.leave != nil {
		t.leave()
		t.leave = nil
	}
}

// reader runs each query in a read-only transaction of its own.
type reader struct {
	db        *DB
	pipelines *pipelines // nil: it goes alone
	slow      *slowRead  // nil: it is over soon
}

func (r reader) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	t := &tx{db: r.db, once: true, reads: true, slow: r.slow}
	if r.slow != nil {
		return r.slowQuery(ctx, t, sql, args)
	}
	tag := r.pipelines.tag()
	t.enter(ctx, "on", tag)
	if r.pipelines != nil {
		if rows, err := r.pipelines.query(ctx, tag, t.queue[0], statement{sql, args}); !errors.Is(err, errAlone) {
			return rows, err
		}
	}
	return t.Query(ctx, sql, args...)
}

// slowQuery is Query for a read that may be slow.
func (r reader) slowQuery(ctx context.Context, t *tx, sql string, args []any) (pgx.Rows, error) {
	end, err := r.db.slowReads.begin(ctx)
	if err != nil {
		return nil, err
	}
	t.leave = end
	t.enter(ctx, "on", 0)
	_ = platformdb.New(t).BoundRead(ctx, strconv.FormatInt(r.slow.timeout.Milliseconds(), 10)) // :exec only queues
	return t.Query(ctx, sql, args...)
}

func (r reader) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := r.Query(ctx, sql, args...)
	return row{rows: rows, err: err}
}

func (r reader) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, errors.New("postgres: a change needs DB.Write around it")
}
