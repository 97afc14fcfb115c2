package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parley/parley/platform/data/postgres/embedded"
)

const database = "parley"

// environment is what both sides run on: a folder, a server, the program's binary, pgbench.
type environment struct {
	dir        string
	binary     string
	pgbench    string
	url        string // of the database, as superuser
	socketDir  string
	postmaster int
	server     *embedded.Server
}

// prepare makes the environment in a new folder below parent ("": the system's).
func prepare(ctx context.Context, parent string) (_ *environment, err error) {
	e := &environment{}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	if e.pgbench, err = findPgbench(); err != nil {
		return nil, err
	}
	if e.dir, err = os.MkdirTemp(parent, "parley-bench-"); err != nil {
		return nil, err
	}
	if err = os.Chmod(e.dir, 0o755); err != nil { //nolint:gosec // as root the server runs as another user, who has to pass
		return nil, err
	}
	e.binary = filepath.Join(e.dir, "parley")
	if err = build(ctx, e.binary); err != nil {
		return nil, err
	}
	if e.server, err = embedded.Start(ctx, embedded.Options{Dir: filepath.Join(e.dir, "postgres"), Settings: []string{"shared_buffers=128MB"}}); err != nil {
		return nil, err
	}
	e.url = e.server.URL(database)
	parsed, err := url.Parse(e.url)
	if err != nil {
		return nil, err
	}
	e.socketDir = parsed.Query().Get("host")
	pid, err := os.ReadFile(filepath.Join(e.dir, "postgres", "data", "postmaster.pid"))
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(string(pid), "\n")
	e.postmaster, err = strconv.Atoi(first)
	return e, err
}

// encoded is how a folder is written in a connection URL.
func encoded(dir string) string { return url.QueryEscape(dir) }

func (e *environment) folder(name string) (string, error) {
	dir := filepath.Join(e.dir, name)
	return dir, os.Mkdir(dir, 0o700)
}

// close stops the server and removes the folder.
func (e *environment) close() error {
	var err error
	if e.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err = e.server.Stop(ctx)
	}
	if e.dir != "" {
		err = errors.Join(err, os.RemoveAll(e.dir))
	}
	return err
}

// findPgbench searches PATH and the folders in which Debian and Homebrew install pgbench.
func findPgbench() (string, error) {
	if path, err := exec.LookPath("pgbench"); err == nil {
		return path, nil
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/pgbench", "/opt/homebrew/opt/postgresql*/bin/pgbench", "/usr/local/opt/postgresql*/bin/pgbench"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return slices.Max(found), nil
		}
	}
	return "", errors.New("pgbench is not on this machine: it comes with the PostgreSQL server (Debian: apt-get install postgresql)")
}

// table is where pgbench's clients find what they work on, each once when it starts. It is no table of the program's.
const table = `CREATE SCHEMA bench;
CREATE TABLE bench.clients (run int, client int, workspace uuid, usr uuid, session uuid, bot uuid, pages uuid, thread uuid);
GRANT USAGE ON SCHEMA bench TO PUBLIC;
GRANT SELECT ON bench.clients TO PUBLIC`

// announce writes the targets of a run of pgbench into its table.
func announce(ctx context.Context, conn *pgx.Conn, run int, targets []target) error {
	batch := &pgx.Batch{}
	for i, t := range targets {
		batch.Queue("INSERT INTO bench.clients VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
			run, i, t.workspace, t.user, t.session, t.bot, t.pages, t.thread)
	}
	return conn.SendBatch(ctx, batch).Close()
}

// facts returns the Postgres version and the settings that the figures depend on.
func facts(ctx context.Context, conn *pgx.Conn) (string, error) {
	var version, fsync, commit, pageWrites string
	err := conn.QueryRow(ctx, `SELECT current_setting('server_version'), current_setting('fsync'),
		current_setting('synchronous_commit'), current_setting('full_page_writes')`).Scan(&version, &fsync, &commit, &pageWrites)
	return fmt.Sprintf("Postgres %s, fsync %s, synchronous_commit %s, full_page_writes %s", version, fsync, commit, pageWrites), err
}
