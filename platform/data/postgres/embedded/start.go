package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

const defaultMaxConnections = 100

// Options configure where a server stores its data and how it runs.
type Options struct {
	// Dir is the folder that holds everything of this server: its data, its
	// lock, its log. It is made when missing. It must be on a local disk:
	// the lock does not hold between two machines.
	Dir string
	// BinDir is the folder of initdb and postgres. When empty they are looked
	// for in PATH and where Debian and Homebrew put them.
	BinDir string
	// Log receives messages about starts and repairs; errors are returned and not logged. Nil: nothing is logged.
	Log *slog.Logger
	// Unsafe switches fsync, full_page_writes and synchronous_commit off. A
	// crash of the machine may then destroy the whole data folder: for tests.
	Unsafe bool
	// MaxConnections is the number of clients at the same time; 0 means 100.
	MaxConnections int
	// Settings are settings of PostgreSQL, such as shared_buffers=1GB, in place of those that Start chooses.
	Settings []string
}

// Start starts the server of the folder o.Dir and returns when it accepts
// connections. It creates the data folder and the database "parley" if they
// are missing. ctx bounds the start only: the server lives until Stop
// or until this process ends.
//
// It returns ErrInUse when another process, or another Server of this one,
// holds the folder. All errors are meant to be shown to the operator as they
// are; when postgres or initdb failed they end with its last lines.
//
// As root the server runs as the user "postgres", else as "nobody", and the
// data is given to that user.
func Start(ctx context.Context, o Options) (*Server, error) {
	began := time.Now()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = defaultMaxConnections
	}
	who, err := serverAccount()
	if err != nil {
		return nil, err
	}
	dir, err := makeFolder(o.Dir, who)
	if err != nil {
		return nil, err
	}
	lock, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, o, dir, who, lock)
	if err != nil {
		lock.release()
		return nil, err
	}
	o.Log.Info("postgres is ready", "folder", dir, "pid", s.process.Pid, "took", time.Since(began))
	return s, nil
}

// start does the work of Start while lock is held. When it fails, no process
// is left.
func start(ctx context.Context, o Options, dir string, who account, lock *folderLock) (*Server, error) {
	data := filepath.Join(dir, "data")
	bin, err := chooseBinaries(ctx, o.BinDir, data, who)
	if err != nil {
		return nil, err
	}
	if err := endOrphans(ctx, data, o.Log); err != nil {
		return nil, err
	}
	if err := ensureData(ctx, bin, data, who, o); err != nil {
		return nil, err
	}
	sockets, err := makeSocketFolder(dir, who)
	if err != nil {
		return nil, err
	}
	log, err := openLog(filepath.Join(dir, "postgres.log"))
	if err != nil {
		return nil, err
	}
	defer log.file.Close() // the child has its own copy

	s := &Server{
		dataDir: data, socketDir: sockets, log: log, lock: lock,
		done: make(chan struct{}),
	}
	cmd := exec.Command(filepath.Join(bin.dir, "postgres"), serverArguments(data, sockets, o)...)
	cmd.Dir = data
	cmd.Env = childEnvironment()
	cmd.Stdout, cmd.Stderr = log.file, log.file
	cmd.SysProcAttr = who.attributes(syscall.SIGINT)
	if err := s.launch(cmd); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", cmd.Path, err)
	}
	if err := s.awaitReady(ctx); err != nil {
		s.asked.Store(true)
		return nil, errors.Join(err, s.quit())
	}
	return s, nil
}

// launch starts cmd and watches it. The death signal is bound to the thread
// that starts the child, not to the process: the thread must live as long as
// the child, so its goroutine keeps it until then.
func (s *Server) launch(cmd *exec.Cmd) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		s.process = cmd.Process
		started <- nil
		s.ended(cmd.Wait())
	}()
	return <-started
}

func serverArguments(data, sockets string, o Options) []string {
	settings := []string{
		"listen_addresses=",
		"port=" + strconv.Itoa(port),
		"unix_socket_directories=" + sockets,
		"unix_socket_permissions=0700",
		"cluster_name=parley",
		"max_connections=" + strconv.Itoa(o.MaxConnections),
		// While it recovers from archived WAL it is not ready: a start waits until it can be written to.
		"hot_standby=off",
		"logging_collector=off",
		"log_destination=stderr",
		// A failed statement may hold what users wrote; it has no place in a log.
		"log_min_error_statement=panic",
	}
	settings = append(settings, memorySettings(memoryLimit("/"))...)
	if o.Unsafe {
		settings = append(settings, "fsync=off", "full_page_writes=off", "synchronous_commit=off")
	}
	arguments := []string{"-D", data}
	for _, setting := range append(settings, o.Settings...) { // of two the last one holds
		arguments = append(arguments, "-c", setting)
	}
	return arguments
}

// childEnvironment keeps only what a program needs to run: PG* would change
// what the server does, and the secrets of this process are not its business.
func childEnvironment() []string {
	environment := []string{"LC_ALL=C"}
	for _, name := range []string{"PATH", "TMPDIR", "LD_LIBRARY_PATH", "LOCALE_ARCHIVE"} {
		if value, ok := os.LookupEnv(name); ok {
			environment = append(environment, name+"="+value)
		}
	}
	return environment
}
