// Package embedded runs a PostgreSQL server as a child process, for an
// installation that has no database server of its own.
//
// The server listens on a unix socket only, in a folder that nobody but its
// user (and root) may enter; that folder is the whole access control, so no
// password exists. The server ends when its parent ends, also when the parent
// is killed (on Linux at once, elsewhere when the next Start finds it).
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	superuser       = "postgres"
	defaultDatabase = "parley"
	port            = 5432 // names the socket file; nothing listens on TCP

	// After SIGQUIT Postgres itself kills what still lives after 5 s.
	quitTimeout = 10 * time.Second
)

// Server is a running PostgreSQL server. Its methods may be called from many
// goroutines at once.
type Server struct {
	dataDir   string
	socketDir string
	process   *os.Process
	log       *serverLog
	lock      *folderLock

	asked atomic.Bool
	done  chan struct{}
	exit  error // why the process ended; set before done is closed
	err   error // the same with the log's tail, unless Stop was called; set before done is closed
}

// URL returns the connection URL of a database of this server, for pgx and for
// golang-migrate (which wants "pgx5" in place of the scheme "postgres"). It
// connects as the superuser "postgres" and holds no secret. Start has created
// the database "parley"; the caller creates others.
//
// The URL names host, port, user, database and sslmode, so PGHOST and its
// kind do not change where it leads; PGOPTIONS, PGSERVICE, PGREQUIREAUTH and
// the like in the caller's own environment are still obeyed by pgx.
func (s *Server) URL(database string) string { return socketURL(s.socketDir, database) }

func socketURL(folder, database string) string {
	query := url.Values{}
	query.Set("host", folder)
	query.Set("port", strconv.Itoa(port))
	query.Set("sslmode", "disable")
	address := url.URL{
		Scheme:   "postgres",
		User:     url.User(superuser),
		Path:     "/" + database,
		RawQuery: query.Encode(),
	}
	return address.String()
}

// Done is closed when the server process has ended, for whatever reason. By
// then the lock on the folder is released.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err says why the server ended although nobody called Stop, with the last
// lines of its log. It is nil while the server runs and after a Stop.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stop shuts the server down: it ends the sessions of all clients, rolls back
// what they had open, writes a checkpoint and returns when the process is
// gone. When ctx ends first, the server is made to end at once and Stop
// returns ctx's error: nothing committed is lost, but the next start has to
// recover. Stopping a server that has ended already is no error.
func (s *Server) Stop(ctx context.Context) error {
	select {
	case <-s.done:
		return nil
	default:
	}
	s.asked.Store(true)
	if err := s.signal(syscall.SIGINT); err != nil {
		return err
	}
	select {
	case <-s.done:
		if s.exit != nil {
			return fmt.Errorf("postgres did not shut down cleanly: %w%s", s.exit, s.log.tail())
		}
		return nil
	case <-ctx.Done():
		if err := s.quit(); err != nil {
			return err
		}
		return fmt.Errorf("postgres did not shut down in time and was made to end at once: %w", ctx.Err())
	}
}

// quit ends the server without a checkpoint and returns when it is gone.
func (s *Server) quit() error {
	if err := s.signal(syscall.SIGQUIT); err != nil {
		return err
	}
	timer := time.NewTimer(quitTimeout)
	defer timer.Stop()
	select {
	case <-s.done:
		return nil
	case <-timer.C:
	}
	if err := s.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-s.done
	return nil
}

func (s *Server) signal(sig syscall.Signal) error {
	if err := s.process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("cannot send %v to postgres (process %d): %w", sig, s.process.Pid, err)
	}
	return nil
}

// ended records the end of the process and lets the folder go.
func (s *Server) ended(exit error) {
	s.exit = exit
	if !s.asked.Load() {
		reason := "exit status 0"
		if exit != nil {
			reason = exit.Error()
		}
		s.err = fmt.Errorf("postgres ended unasked: %s%s", reason, s.log.tail())
	}
	_ = os.Remove(s.socketDir) // empty after a clean end; otherwise the next start tidies it
	s.lock.release()
	close(s.done)
}
