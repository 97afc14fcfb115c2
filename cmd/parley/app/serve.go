package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"runtime/debug"
	"time"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/data/postgres/embedded"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/request/gateway"
)

// startTimeout is how long the database may take to start, and the rest of the program after the migration.
const startTimeout = 2 * time.Minute

// heapGrowth is how far the heap grows, in percent of the live heap, before a garbage collection, unless GOGC is set.
// The live heap is small, some 10 MB, and collecting at 100 % took a fifth of the processor time of a page of messages.
const heapGrowth = 200

// serve runs the whole program until the context ends, or the embedded database does.
func serve(ctx context.Context, cfg *config.Config, stderr io.Writer) (err error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	log, closeLog, err := openLog(cfg, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	// It listens before anything else, so that a port in use is found at once, and health checks are answered during the
	// migration.
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.HTTPAddr)
	if err != nil {
		return fmt.Errorf("HTTP_ADDR: should be an address that is free: %w", err)
	}
	limit, err := connectionLimit(ctx, cfg, log)
	if err != nil {
		return err
	}
	connections := gateway.BoundConnections(gateway.CloseStalled(listener), limit, log)
	starting, drain := &gateway.Starting{}, &gateway.Drain{}
	server := gateway.NewServer(drain.Wrap(starting), cfg.RequestTimeout, cfg.ModelTimeout, log)
	defer func() { _ = server.Close() }()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(connections) }()
	drained, endStreams := context.WithCancel(context.WithoutCancel(ctx))
	defer endStreams()
	return withProgram(ctx, programOptions{cfg: cfg, log: log, stopping: drained.Done(), connections: connections}, drain, func(p *program, database *database) error {
		cut, err := p.start(ctx)
		if err != nil {
			return err
		}
		if economiesOf(ctx) == nil {
			debug.FreeOSMemory() // the start allocates more than serving needs
		}
		starting.Ready(p.handler)
		p.ready()
		log.Info("serving", "address", "http://"+listener.Addr().String(), "version", cfg.Version, "database", database.where(),
			"redis", whereIs(cfg.RedisURL), "traces", whereIs(cfg.TraceEndpoint), "sentry", whereIs(cfg.SentryDSN), "workers", cfg.Workers, "reference", "/docs")
		printSetUp(ctx, cfg, log, p.setUp, listener.Addr())
		return serving{
			server: server, ended: ended, lost: database.lost(), drain: drain, delay: cfg.StopDelay, drained: endStreams,
			grace: cfg.StopTimeout, turns: p.turns, cut: cut, log: log,
		}.until(ctx)
	})
}

// workOnly runs jobs and serves nothing, until the context ends or the embedded database stops.
func workOnly(ctx context.Context, cfg *config.Config, stderr io.Writer) (err error) {
	if cfg.Workers == 0 {
		return usageError{errors.New("WORKERS: should be 1 or more for parley worker")}
	}
	log, closeLog, err := openLog(cfg, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	drain := &gateway.Drain{}
	return withProgram(ctx, programOptions{cfg: cfg, log: log, stopping: ctx.Done()}, drain, func(p *program, database *database) error {
		if _, err := p.start(ctx); err != nil {
			return err
		}
		p.ready()
		log.Info("working", "version", cfg.Version, "database", database.where(), "workers", cfg.Workers)
		select {
		case <-ctx.Done():
			drain.Begin()
			log.Info("stopping", "grace", cfg.StopTimeout)
			return nil
		case <-database.lost():
			return errDatabaseLost
		}
	})
}

// withProgram opens the database, builds a program on it, runs it, and closes everything after it.
func withProgram(ctx context.Context, o programOptions, drain *gateway.Drain, run func(*program, *database) error) (err error) {
	cfg, log := o.cfg, o.log
	var closing closers
	defer func() { err = errors.Join(err, closing.close()) }()
	pages, err := serveOperatorPages(ctx, cfg, drain, log)
	if err != nil {
		return err
	}
	closing.do(func() { _ = pages.server.Close() })
	if err := embedded.MakeFolder(cfg.DataDir, 0o755); err != nil { // the user of the embedded database needs access
		return fmt.Errorf("DATA_DIR: should be a folder that can be made and written: %w", err)
	}
	opening, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	database, err := openDatabase(opening, cfg, log)
	if err != nil {
		return err
	}
	closing.push(database.close)
	if err := migrateOrRefuse(ctx, cfg, postgres.NewMigrator(database.direct, log)); err != nil { // without a timeout
		return err
	}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	o.pages, o.database = pages, database
	p, err := newProgram(starting, o, &closing)
	if err != nil {
		return err
	}
	return run(p, database)
}

// migrateOrRefuse brings the schema up to date. Where MIGRATE_ON_START is false it returns an error for a schema that
// is not. It accepts a schema that is newer than this program, because the next version may be rolled out at the
// moment.
func migrateOrRefuse(ctx context.Context, cfg *config.Config, m *postgres.Migrator) error {
	if cfg.MigrateOnStart {
		return m.Up(ctx)
	}
	at, newest, dirty, err := m.Status(ctx)
	switch {
	case err != nil:
		return err
	case dirty || at < newest:
		return fmt.Errorf("the database is at version %d of %d and MIGRATE_ON_START is false: run parley migrate up", at, newest)
	default:
		return m.Drift(ctx)
	}
}

// whereIs returns the host of a service, and no secret of its URL; "none" for none.
func whereIs(service string) string {
	u, err := url.Parse(service)
	if err != nil || service == "" {
		return "none"
	}
	return u.Host + map[bool]string{true: u.Path}[u.Host == ""] // of a socket its path
}
