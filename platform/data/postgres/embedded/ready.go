package embedded

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const readyTick = 5 * time.Millisecond

// awaitReady returns when the server accepts connections and has the default
// database, or why it will not.
func (s *Server) awaitReady(ctx context.Context) error {
	tick := time.NewTicker(readyTick)
	defer tick.Stop()
	for !s.saysReady() {
		select {
		case <-s.done:
			return fmt.Errorf("postgres did not start: %w", s.err)
		case <-ctx.Done():
			return fmt.Errorf("postgres was not ready in time: %w%s", ctx.Err(), s.log.tail())
		case <-tick.C:
		}
	}
	if err := s.ensureDatabase(ctx); err != nil {
		return fmt.Errorf("postgres started, but %w%s", err, s.log.tail())
	}
	return nil
}

// saysReady reads the status that the server writes into the eighth line of
// postmaster.pid. Asking by connecting instead would fill its log with
// refusals.
func (s *Server) saysReady() bool {
	content, err := os.ReadFile(filepath.Join(s.dataDir, pidFile))
	if err != nil {
		return false
	}
	lines := strings.Split(string(content), "\n")
	return len(lines) >= 8 &&
		strings.TrimSpace(lines[0]) == strconv.Itoa(s.process.Pid) &&
		strings.TrimSpace(lines[7]) == "ready"
}

func (s *Server) ensureDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("cannot connect to it: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()

	var exists bool
	const find = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`
	if err := conn.QueryRow(ctx, find, defaultDatabase).Scan(&exists); err != nil {
		return fmt.Errorf("cannot list its databases: %w", err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{defaultDatabase}.Sanitize()); err != nil {
		return fmt.Errorf("cannot create the database %q: %w", defaultDatabase, err)
	}
	return nil
}
