package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

const (
	fillers  = 2       // tables that are filled at a time
	fillPart = 100_000 // turns of which the rows go in with one COPY
)

// fill inserts old data into the database with COPY, as a superuser: the given number of messages, half as many turns
// and audit rows, a tenth as many operations, and their threads. shape.go and rows.go define what the data looks like.
// A fifth of it belongs to the workspaces of the targets, the rest to other workspaces. All indexes and constraints
// exist while it runs. It returns the size of the database afterwards.
func (m *match) fill(ctx context.Context, messages int, targets []target, progress io.Writer) (size string, err error) {
	s, err := newShape(messages/2, targets, time.Now())
	if err != nil {
		return "", err
	}
	began := time.Now()
	// Where nothing has ever been sealed the program would begin with all of the old rows.
	if _, err := m.conn.Exec(ctx, "SELECT app.audit_sealed(now())"); err != nil {
		return "", err
	}
	if err := m.copyOwners(ctx, s); err != nil {
		return "", fmt.Errorf("fill: workspaces: %w", err)
	}
	group, filling := errgroup.WithContext(ctx)
	group.SetLimit(fillers)
	for _, t := range oldTables() {
		group.Go(func() error {
			start := time.Now()
			rows, err := m.copyTable(filling, s, t)
			if err != nil {
				return fmt.Errorf("fill %s: %w", t.name, err)
			}
			fmt.Fprintf(progress, "filled %s: %d rows in %s\n", t.name, rows, time.Since(start).Round(100*time.Millisecond))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	copied := time.Since(began)
	if _, err := m.conn.Exec(ctx, "VACUUM (ANALYZE)"); err != nil {
		return "", err
	}
	if _, err := m.conn.Exec(ctx, "CHECKPOINT"); err != nil {
		return "", err
	}
	if err = m.conn.QueryRow(ctx, "SELECT pg_size_pretty(pg_database_size(current_database()))").Scan(&size); err != nil {
		return "", err
	}
	fmt.Fprintf(progress, "filled: %d messages in all tables in %s, and %s of VACUUM, ANALYZE and CHECKPOINT; the database has %s\n",
		messages, copied.Round(100*time.Millisecond), (time.Since(began) - copied).Round(100*time.Millisecond), size)
	return size, nil
}

// filler opens a connection for filling. Foreign keys are not checked: every row that shape.go references is filled
// too, which rows_test.go verifies, and the checks would take longer than the filling. CHECK constraints and unique
// indexes apply as usual. The checkpoint at the end writes everything that was committed to the disk.
func (m *match) filler(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, m.url)
	if err != nil {
		return nil, err
	}
	_, err = conn.Exec(ctx, "SET session_replication_role = replica; SET synchronous_commit = off")
	return conn, err
}

// copyTable streams the rows of a table, in parts.
func (m *match) copyTable(ctx context.Context, s *shape, t oldTable) (rows int64, err error) {
	conn, err := m.filler(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for from := 0; from < s.turns; from += fillPart {
		n, err := conn.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, &part{
			shape: s, rows: t.rows, next: from, end: min(from+fillPart, s.turns),
		})
		if err != nil {
			return rows, err
		}
		rows += n
	}
	return rows, nil
}

// part streams the rows of some turns: it is a pgx.CopyFromSource that holds those of one.
type part struct {
	shape     *shape
	rows      func(*shape, oldTurn) [][]any
	next, end int
	current   [][]any
}

func (p *part) Next() bool {
	if len(p.current) > 0 {
		p.current = p.current[1:]
	}
	for len(p.current) == 0 && p.next < p.end {
		p.current = p.rows(p.shape, p.shape.turn(p.next))
		p.next++
	}
	return len(p.current) > 0
}

func (p *part) Values() ([]any, error) { return p.current[0], nil }

func (p *part) Err() error { return nil }

// copyOwners creates the missing workspaces, each with a user who owns it and a bot.
func (m *match) copyOwners(ctx context.Context, s *shape) error {
	conn, err := m.filler(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tables := []struct {
		name, columns string
		row           func(o owner) []any
	}{
		{"workspaces", "id name created_at", func(o owner) []any { return []any{pgUUID(o.workspace), "Bench", s.begin} }},
		{"users", "id email password_hash operation_id created_at", func(o owner) []any {
			return []any{pgUUID(o.user), fmt.Sprintf("old-%d@example.com", o.number), "nobody logs in with this", pgUUID(o.user), s.begin}
		}},
		{"workspace_members", "workspace_id user_id role created_at", func(o owner) []any {
			return []any{pgUUID(o.workspace), pgUUID(o.user), "owner", s.begin}
		}},
		{"bots", "workspace_id id name status current_version created_by created_at updated_at", func(o owner) []any {
			return []any{pgUUID(o.workspace), pgUUID(o.bot), "Bench", "active", int32(1), pgUUID(o.user), s.begin, s.begin}
		}},
		{"bot_versions", "workspace_id bot_id version instruction settings created_by created_at", func(o owner) []any {
			return []any{pgUUID(o.workspace), pgUUID(o.bot), int32(1), "Answer in one sentence.", `{"temperature": 0.2}`, pgUUID(o.user), s.begin}
		}},
	}
	var bad error
	for _, t := range tables {
		var rows [][]any
		for _, o := range s.owners {
			if o.number >= 0 {
				rows = append(rows, t.row(o))
			}
		}
		_, err := conn.CopyFrom(ctx, pgx.Identifier{t.name}, strings.Fields(t.columns), pgx.CopyFromRows(rows))
		bad = errors.Join(bad, err)
	}
	return bad
}
