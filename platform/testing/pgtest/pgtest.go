// Package pgtest provides tests with a real Postgres: one server per test binary, and one database per test, copied
// from a migrated template in some 30 ms. Tests therefore run in parallel and do not affect each other.
package pgtest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/data/postgres/embedded"
	"github.com/parley/parley/platform/testing/foldertest"
)

// Server is the Postgres of one test binary.
type Server struct {
	server *embedded.Server
	made   atomic.Int64
}

const template = "parley_template"

// Run starts a server, runs the tests and stops it again. Call it from TestMain with the variable that the tests use:
//
//	var pg pgtest.Server
//
//	func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }
func (s *Server) Run(m *testing.M) int {
	dir, err := foldertest.Make("parley-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := s.start(ctx, dir); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return 1
	}
	defer func() { _ = s.server.Stop(context.Background()) }()
	return m.Run()
}

// Start starts a server for one test, which stops at the end of the test, and returns the URL of a migrated database.
// It is for tests that move data from one server to another.
func (s *Server) Start(t testing.TB) string {
	t.Helper()
	dir, err := foldertest.Make("parley-test-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, s.start(t.Context(), dir))
	t.Cleanup(func() { _ = s.server.Stop(context.Background()) })
	return s.server.URL(template)
}

func (s *Server) start(ctx context.Context, dir string) error {
	var err error
	s.server, err = embedded.Start(ctx, embedded.Options{Dir: dir, Log: slog.New(slog.DiscardHandler), Unsafe: true, MaxConnections: 300, Settings: []string{"shared_buffers=128MB"}})
	if err != nil {
		return err
	}
	if err := s.exec(ctx, "parley", "CREATE DATABASE "+template); err != nil {
		return err
	}
	return postgres.NewMigrator(s.server.URL(template), slog.New(slog.DiscardHandler)).Up(ctx)
}

func (s *Server) exec(ctx context.Context, database, sql string) error {
	conn, err := pgx.Connect(ctx, s.server.URL(database))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// URL creates a migrated database for one test and returns its URL, as superuser.
func (s *Server) URL(t testing.TB) string {
	t.Helper()
	return s.make(t, "TEMPLATE "+template+" STRATEGY file_copy")
}

// EmptyURL creates a database without the schema of the program, and returns its URL.
func (s *Server) EmptyURL(t testing.TB) string {
	t.Helper()
	return s.make(t, "")
}

func (s *Server) make(t testing.TB, how string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.made.Add(1))
	require.NoError(t, s.exec(t.Context(), "parley", "CREATE DATABASE "+name+" "+how))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, s.exec(ctx, "parley", "DROP DATABASE "+name+" WITH (FORCE)"))
	})
	return s.server.URL(name)
}

// DB opens a pool on a migrated database of the test's own.
func (s *Server) DB(t testing.TB) *postgres.DB {
	t.Helper()
	return s.Open(t, s.URL(t))
}

// Open opens a pool that is closed at the end of the test.
func (s *Server) Open(t testing.TB, url string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Options{URL: url, MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return db
}

// Superuser connects as a superuser, for whom row-level security does not apply, to read and change rows in ways that
// no caller can.
func (s *Server) Superuser(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}
