// Command snapshot fills a database with the real program of a release, through its API, and packs what a test needs to
// upgrade it later: the dump of the database, the files, and a list of what was made. It is run once for each release:
//
//	snapshot -parley bin/parley -version v0.1.0 -out db/testdata/releases/v0.1.0.tar.gz
//
// It needs the server programs of PostgreSQL 15, so that the dump can be loaded into every version that Parley supports,
// and pg_dump and psql in the same folder.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = time.Minute
	fillTimeout  = 90 * time.Second // until the background tasks have filled their tables
	poll         = 200 * time.Millisecond
)

func main() {
	parley := flag.String("parley", "bin/parley", "the program of the release")
	version := flag.String("version", "", "the version of the release")
	out := flag.String("out", "", "the archive that is written")
	partial := flag.Bool("partial", false, "for a release from before this program: leave tables empty that cannot be filled")
	flag.Parse()
	if err := run(context.Background(), *parley, *version, *out, *partial); err != nil {
		fmt.Fprintln(os.Stderr, "snapshot:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, parley, version, out string, partial bool) (err error) {
	if version == "" || out == "" {
		return errors.New("-version and -out are wanted")
	}
	dir, err := os.MkdirTemp("", "parley-snapshot-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // Postgres runs as another user where this is root
		return err
	}
	s := &server{data: filepath.Join(dir, "data"), settings: map[string]string{
		"SECRET_KEY":     "a master secret of a released version, for its test",
		"JWT_SECRET":     "a secret for tokens of a released version, for its test",
		"ENCRYPTION_KEY": "a secret for keys of models of a released version",
	}}
	if err := s.start(ctx, parley); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	m := manifest{Version: version, MadeAt: time.Now().UTC().Truncate(time.Second), Settings: s.settings}
	w := &walk{server: s, manifest: &m}
	if err := w.all(ctx); err != nil {
		return err
	}
	for _, skipped := range w.skipped {
		fmt.Fprintln(os.Stderr, "skipped:", skipped)
	}
	if err := s.fill(ctx, &m); err != nil {
		return err
	}
	if !partial && (len(m.Empty) > 0 || len(w.skipped) > 0) {
		return fmt.Errorf("nothing was made in %s; see what was skipped above, or give -partial", strings.Join(m.Empty, ", "))
	}
	dump, err := s.dump(ctx)
	if err != nil {
		return err
	}
	if err := pack(out, m, dump, filepath.Join(s.data, "files")); err != nil {
		return err
	}
	fmt.Printf("%s: %d tables with data, empty: %s\n", out, len(m.Rows), strings.Join(m.Empty, ", "))
	return nil
}

// server is the program of the release, on an embedded database.
type server struct {
	data, url string
	settings  map[string]string
	cmd       *exec.Cmd
}

func (s *server) start(ctx context.Context, parley string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return err
	}
	s.url = "http://" + address
	s.cmd = exec.Command(parley, "serve")
	s.cmd.Stderr = os.Stderr
	s.cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HTTP_ADDR=" + address, "DATA_DIR=" + s.data, "LOG_LEVEL=error", "WEBHOOK_ALLOW_PRIVATE=true",
		"UPKEEP_INTERVAL=200ms", "JOB_POLL_INTERVAL=100ms",
	}
	for name, value := range s.settings {
		s.cmd.Env = append(s.cmd.Env, name+"="+value)
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for until := time.Now().Add(startTimeout); time.Now().Before(until); time.Sleep(poll) {
		if status, _, err := request(ctx, "GET", s.url+"/readyz", "", nil); err == nil && status == 200 {
			return nil
		}
	}
	return errors.Join(errors.New("the program of the release does not get ready"), s.stop())
}

func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// postgres makes a command on the embedded database.
func (s *server) postgres(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, append([]string{"--host=" + filepath.Join(s.data, "postgres", "socket"), "--username=postgres", "--dbname=parley"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "PGOPTIONS=-c client_min_messages=error"}
	return cmd
}

func (s *server) sql(ctx context.Context, sql string) (string, error) {
	out, err := s.postgres(ctx, "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--command="+sql).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", sql, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// dump is the database as statements, without what only psql understands.
func (s *server) dump(ctx context.Context) (string, error) {
	cmd := s.postgres(ctx, "pg_dump", "--inserts", "--rows-per-insert=500")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("pg_dump: %w", err)
	}
	var kept strings.Builder
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, `\restrict `) && !strings.HasPrefix(line, `\unrestrict `) {
			kept.WriteString(line)
		}
	}
	return kept.String(), nil
}
