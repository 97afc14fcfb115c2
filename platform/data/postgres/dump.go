package postgres

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parley/parley/db/platformdb"
)

// Dumped describes the content of a dump.
type Dumped struct {
	Postgres  string           `json:"postgres"` // the server's version
	Schema    uint             `json:"schema"`   // the version of the schema
	Tables    []DumpedTable    `json:"tables"`
	Sequences []DumpedSequence `json:"sequences"`
}

// DumpedTable is a table of a dump.
type DumpedTable struct {
	Schema  string   `json:"schema"`
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
}

// DumpedSequence is a sequence of a dump and the last number that it returned.
type DumpedSequence struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
	Value  int64  `json:"value"`
}

// plainName matches a name that can be part of a key unchanged.
var plainName = regexp.MustCompile(`^[a-z0-9_]+$`)

// Key returns the key of the content of the table in a dump. A table of an operator may have any name.
func (t DumpedTable) Key() string {
	name := t.Name
	if !plainName.MatchString(name) {
		name = "x" + hex.EncodeToString([]byte(name))
	}
	return t.Schema + "." + name + ".copy.gz"
}

func (t DumpedTable) sanitized() (table, columns string) {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = pgx.Identifier{c}.Sanitize()
	}
	return pgx.Identifier{t.Schema, t.Name}.Sanitize(), strings.Join(names, ", ")
}

// Dump reads all rows of the database behind a URL from one snapshot, while the database is in use, and passes the
// content of each table to put. A dump contains only rows, as the migrations create the tables. It can therefore be
// loaded into any other major version of Postgres, and pg_dump is not needed. Row-level security must not restrict the
// user.
func Dump(ctx context.Context, url string, put func(key string, content io.Reader) error) (d Dumped, err error) {
	conn, err := copyingConn(ctx, url)
	if err != nil {
		return d, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		q := platformdb.New(tx)
		row, err := q.SchemaVersion(ctx)
		if err != nil {
			return fmt.Errorf("the database has no schema of parley: %w", err)
		}
		if row.Dirty {
			return errors.New("the schema is half done: run parley migrate repair")
		}
		d.Schema = uint(row.Version)
		if d.Postgres, err = q.ServerVersion(ctx); err != nil {
			return err
		}
		tables, err := q.DumpedTables(ctx)
		if err != nil {
			return fmt.Errorf("list the tables: %w", err)
		}
		for _, t := range tables {
			table := DumpedTable{Schema: t.SchemaName, Name: t.Name, Columns: t.Columns}
			if table.Rows, err = dumpTable(ctx, conn, table, put); err != nil {
				return err
			}
			d.Tables = append(d.Tables, table)
		}
		// Sequences are of no moment: read after the rows, they are never behind them.
		sequences, err := q.DumpedSequences(ctx)
		if err != nil {
			return fmt.Errorf("read the sequences: %w", err)
		}
		for _, s := range sequences {
			d.Sequences = append(d.Sequences, DumpedSequence{Schema: s.SchemaName, Name: s.Name, Value: s.Value})
		}
		return nil
	})
	return d, err
}

// copyingConn connects for statements that take as long as there are rows, and that fail rather than see fewer.
func copyingConn(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	cfg.RuntimeParams["row_security"] = "off"
	cfg.RuntimeParams["statement_timeout"] = "0"
	cfg.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("reach the database: %w", oneLine{err})
	}
	return conn, nil
}

func dumpTable(ctx context.Context, conn *pgx.Conn, t DumpedTable, put func(string, io.Reader) error) (rows int64, err error) {
	table, columns := t.sanitized()
	reader, writer := io.Pipe()
	stored := make(chan error, 1)
	go func() {
		err := put(t.Key(), reader)
		reader.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // whoever still writes ends
		stored <- err
	}()
	packed, _ := gzip.NewWriterLevel(writer, gzip.BestSpeed) // of a level that exists
	tag, err := conn.PgConn().CopyTo(ctx, packed, "COPY "+table+" ("+columns+") TO STDOUT")
	err = errors.Join(err, packed.Close())
	writer.CloseWithError(err) // io.EOF for none
	if failed := <-stored; failed != nil && err == nil {
		err = failed
	}
	if isState(err, stateNotAllowed) { // row-level security would have shown fewer rows
		return 0, fmt.Errorf("read %s: the user of DATABASE_URL is held back by row-level security: name a superuser, or one with BYPASSRLS, for this command: %w", t.Name, err)
	}
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", t.Name, err)
	}
	return tag.RowsAffected(), nil
}

// Load loads a dump into a database whose schema has the version of the dump, and replaces the rows that the migrations
// have inserted there. It is atomic. Foreign keys are dropped meanwhile and added again at the end, which checks all
// rows. foreign are the tables of the dump that the schema does not have, such as tables of an operator: they are left
// out.
func Load(ctx context.Context, url string, d Dumped, get func(key string) (io.ReadCloser, error)) (foreign []DumpedTable, err error) {
	conn, err := copyingConn(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) (err error) {
		foreign, err = load(ctx, tx, d, get)
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "ANALYZE"); err != nil {
		return nil, fmt.Errorf("gather statistics: %w", err)
	}
	return foreign, nil
}

func load(ctx context.Context, tx pgx.Tx, d Dumped, get func(key string) (io.ReadCloser, error)) (foreign []DumpedTable, err error) {
	q := platformdb.New(tx)
	there, err := q.DumpedTables(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	keys, err := q.ForeignKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the foreign keys: %w", err)
	}
	var ours []DumpedTable
	for _, t := range d.Tables {
		if slices.ContainsFunc(there, func(r platformdb.DumpedTablesRow) bool { return r.SchemaName == t.Schema && r.Name == t.Name }) {
			ours = append(ours, t)
		} else {
			foreign = append(foreign, t)
		}
	}
	var before, after []string
	for _, k := range keys {
		before, after = append(before, k.TakeAway), append(after, k.PutBack)
	}
	for _, t := range there {
		name := pgx.Identifier{t.SchemaName, t.Name}.Sanitize()
		if t.Forced { // an owner who is no superuser is held back too
			before = append(before, "ALTER TABLE "+name+" NO FORCE ROW LEVEL SECURITY")
			after = append(after, "ALTER TABLE "+name+" FORCE ROW LEVEL SECURITY")
		}
	}
	for _, t := range ours {
		name, _ := t.sanitized()
		before = append(before, "DELETE FROM "+name)
	}
	if err := execAll(ctx, tx, before); err != nil {
		return nil, fmt.Errorf("make room for the rows: %w", err)
	}
	for _, t := range ours {
		if err := loadTable(ctx, tx.Conn().PgConn(), t, get); err != nil {
			return nil, err
		}
	}
	for _, s := range d.Sequences {
		if err := q.SetSequence(ctx, platformdb.SetSequenceParams{SchemaName: s.Schema, Name: s.Name, Value: s.Value}); err != nil {
			return nil, fmt.Errorf("set the sequence %s: %w", s.Name, err)
		}
	}
	if err := execAll(ctx, tx, after); err != nil {
		return nil, fmt.Errorf("check the rows against one another: %w", err)
	}
	return foreign, nil
}

func loadTable(ctx context.Context, conn *pgconn.PgConn, t DumpedTable, get func(key string) (io.ReadCloser, error)) error {
	packed, err := get(t.Key())
	if err != nil {
		return fmt.Errorf("write %s: %w", t.Name, err)
	}
	defer packed.Close()
	content, err := gzip.NewReader(packed)
	if err != nil {
		return fmt.Errorf("write %s: %w", t.Name, err)
	}
	table, columns := t.sanitized()
	tag, err := conn.CopyFrom(ctx, content, "COPY "+table+" ("+columns+") FROM STDIN")
	if err != nil {
		return fmt.Errorf("write %s: %w", t.Name, err)
	}
	if tag.RowsAffected() != t.Rows {
		return fmt.Errorf("write %s: %d rows, but the dump has %d", t.Name, tag.RowsAffected(), t.Rows)
	}
	return nil
}

func execAll(ctx context.Context, tx pgx.Tx, statements []string) error {
	for _, s := range statements {
		if _, err := tx.Exec(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// Use describes how a database is used, for a caller that is about to replace its content.
type Use struct {
	Version uint  // of its schema; 0: none
	Held    bool  // by a workspace or an account
	Clients int64 // connections beside the one that asks
}

// Used returns the schema version of the database behind a URL, whether it holds a workspace or an account, and how
// many other clients are connected.
func Used(ctx context.Context, url string) (u Use, err error) {
	conn, err := copyingConn(ctx, url)
	if err != nil {
		return u, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	q := platformdb.New(conn)
	if u.Clients, err = q.OtherClients(ctx); err != nil {
		return u, fmt.Errorf("count the connections: %w", err)
	}
	at, err := q.WhereTablesAre(ctx)
	if err != nil || !at.Versioned {
		return u, err
	}
	row, err := q.SchemaVersion(ctx)
	if IsMissing(err) {
		return u, nil
	}
	if err != nil {
		return u, fmt.Errorf("read the version of the schema: %w", err)
	}
	u.Version = uint(row.Version)
	u.Held, err = anyRows(ctx, conn)
	return u, err
}

// anyRows reports whether there is a workspace or an account. It returns true if row-level security prevents the role
// from seeing all rows.
func anyRows(ctx context.Context, conn *pgx.Conn) (bool, error) {
	q := platformdb.New(conn)
	tables, err := q.DumpedTables(ctx)
	if err != nil {
		return false, fmt.Errorf("list the tables: %w", err)
	}
	for _, t := range tables {
		if t.Name != "workspaces" && t.Name != "users" {
			continue
		}
		var held bool
		err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+pgx.Identifier{t.SchemaName, t.Name}.Sanitize()+")").Scan(&held)
		if isState(err, stateNotAllowed) { // row-level security would have shown fewer rows
			return true, nil
		}
		if err != nil || held {
			return held, err
		}
	}
	return false, nil
}
