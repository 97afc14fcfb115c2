package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// captured is what pgbench needs to do the program's work.
type captured struct {
	scripts map[string]script // by call
	options string            // PGOPTIONS of its connections, so that they are like the program's
}

// samplesPerCall are taken after one more, which prepares the statements.
const samplesPerCall = 3

// capture runs the program once with a tap before its database, makes every call a few times, and turns what it sent
// into scripts.
func capture(ctx context.Context, e *environment) (c captured, err error) {
	dir, err := e.folder("tap")
	if err != nil {
		return c, err
	}
	t, err := openTap(ctx, dir, filepath.Join(e.socketDir, ".s.PGSQL.5432"))
	if err != nil {
		return c, err
	}
	defer t.close()
	p, err := startProgram(ctx, e, strings.Replace(e.url, encoded(e.socketDir), encoded(dir), 1))
	if err != nil {
		return c, err
	}
	defer func() {
		if bad := p.stop(); err == nil {
			err = bad
		}
	}()
	who, err := settle(ctx, api{address: p.address}, 0)
	if err != nil {
		return c, err
	}
	conn, err := pgx.Connect(ctx, e.url)
	if err != nil {
		return c, err
	}
	defer conn.Close(ctx)
	c.scripts = map[string]script{}
	for _, call := range hotCalls() {
		samples := make([][]transaction, 0, samplesPerCall)
		for i := range samplesPerCall + 1 {
			_ = t.take()
			caller := who
			if i == 0 {
				caller.thread = who.pages // so that the samples begin in a new thread, as pgbench's clients do
			}
			if err := once(ctx, p.address, call.request(caller)); err != nil {
				return c, fmt.Errorf("try the call %s: %w", call.name, err)
			}
			transactions, err := readable(ctx, conn, t.take())
			if err != nil {
				return c, err
			}
			if i > 0 {
				samples = append(samples, transactions)
			}
		}
		if c.scripts[call.name], err = makeScript(samples, who.columns()); err != nil {
			return c, fmt.Errorf("make the script of %s: %w", call.name, err)
		}
	}
	c.options, err = connectionOptions(t.connectionSettings())
	return c, err
}

// readable puts parameters into text, asking the server for their types.
func readable(ctx context.Context, conn *pgx.Conn, batches [][]sent) ([]transaction, error) {
	transactions := make([]transaction, len(batches))
	for b, batch := range batches {
		for _, s := range batch {
			d, err := conn.PgConn().Prepare(ctx, "", s.sql, nil)
			if err != nil {
				return nil, fmt.Errorf("describe what the program sent: %w\n%s", err, s.sql)
			}
			args := make([]argument, len(s.values))
			for i, v := range s.values {
				if args[i], err = toText(conn.TypeMap(), d.ParamOIDs[i], format(s.formats, i), v); err != nil {
					return nil, fmt.Errorf("read $%d of what the program sent: %w\n%s", i+1, err, s.sql)
				}
			}
			transactions[b] = append(transactions[b], statement{sql: s.sql, args: args})
		}
	}
	return transactions, nil
}

func format(formats []int16, i int) int16 {
	switch len(formats) {
	case 0:
		return pgtype.TextFormatCode
	case 1:
		return formats[0]
	default:
		return formats[i]
	}
}

// longestBench is how long after the capture pgbench may still run.
const longestBench = 24 * time.Hour

func toText(m *pgtype.Map, oid uint32, format int16, value []byte) (argument, error) {
	a := argument{null: value == nil, isUUID: oid == pgtype.UUIDOID, text: string(value)}
	if a.null || format == pgtype.TextFormatCode {
		return a, nil
	}
	t, ok := m.TypeForOID(oid)
	if !ok {
		return a, fmt.Errorf("its type %d is not known", oid)
	}
	decoded, err := t.Codec.DecodeValue(m, oid, format, value)
	if err != nil {
		return a, err
	}
	if at, ok := decoded.(time.Time); ok && at.After(time.Now()) {
		decoded = at.Add(longestBench) // the lease of a turn: pgbench's would run out, and the program take its turns over
	}
	text, err := m.Encode(oid, pgtype.TextFormatCode, decoded, nil)
	a.text = string(text)
	return a, err
}

// connectionOptions turns what the program says on a new connection of its pool, SET statements, into options of libpq. The
// one connection that listens for notifications is not of the pool.
func connectionOptions(settings []string) (string, error) {
	var options []string
	for _, text := range settings {
		if !strings.HasPrefix(text, "SET ") || strings.HasPrefix(text, "SET LOCAL ") || strings.Contains(text, "LISTEN ") { // LOCAL: of a migration's transaction
			continue
		}
		for s := range strings.SplitSeq(text, ";") {
			s = strings.TrimPrefix(strings.TrimSpace(s), "SET ")
			name, value, ok := strings.Cut(s, " = ")
			if role, isRole := strings.CutPrefix(s, "ROLE "); isRole {
				name, value, ok = "role", role, true
			}
			if !ok {
				return "", fmt.Errorf("bench cannot say to pgbench what the program says on a new connection: %s", s)
			}
			options = append(options, "-c "+name+"="+strings.Trim(value, "'"))
		}
	}
	return strings.Join(options, " "), nil
}
