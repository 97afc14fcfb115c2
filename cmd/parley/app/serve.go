package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/api"
	"github.com/parley/parley/platform/config"
	"github.com/parley/parley/platform/contract"
	"github.com/parley/parley/platform/docs"
	"github.com/parley/parley/platform/gateway"
	"github.com/parley/parley/platform/keystore"
	"github.com/parley/parley/platform/page"
	"github.com/parley/parley/platform/postgres"
	"github.com/parley/parley/platform/postgres/embedded"
	"github.com/parley/parley/platform/resilience"
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
	return withPlatform(ctx, cfg, log, drain, func(p *platform, database *database) error {
		p.connections = connections
		p.stopping = drained.Done() // while it drains, streams go on
		handler, err := newHandler(p)
		if err != nil {
			return err
		}
		p.startJobs(ctx)
		debug.FreeOSMemory() // the start allocates more than serving needs
		starting.Ready(handler)
		p.pages.ready(p)
		p.log.Info("serving", "address", "http://"+listener.Addr().String(), "version", cfg.Version, "database", database.where(),
			"redis", whereIs(p.cfg.RedisURL), "traces", whereIs(p.cfg.TraceEndpoint), "sentry", whereIs(p.cfg.SentryDSN), "workers", cfg.Workers, "reference", "/docs")
		return serving{
			server: server, ended: ended, lost: database.lost(), drain: drain, delay: cfg.StopDelay, drained: endStreams,
			grace: cfg.StopTimeout, turns: &p.running, cut: p.cutTurns, log: p.log,
		}.until(ctx)
	})
}

// work runs jobs and serves nothing, until the context ends or the embedded database stops.
func work(ctx context.Context, cfg *config.Config, stderr io.Writer) (err error) {
	if cfg.Workers == 0 {
		return usageError{errors.New("WORKERS: should be 1 or more for parley worker")}
	}
	log, closeLog, err := openLog(cfg, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	drain := &gateway.Drain{}
	return withPlatform(ctx, cfg, log, drain, func(p *platform, database *database) error {
		if _, err := newHandler(p); err != nil { // the modules register their handlers; nothing listens
			return err
		}
		p.startJobs(ctx)
		p.pages.ready(p)
		p.log.Info("working", "version", cfg.Version, "database", database.where(), "workers", cfg.Workers)
		select {
		case <-ctx.Done():
			drain.Begin()
			p.log.Info("stopping", "grace", cfg.StopTimeout)
			return nil
		case <-database.lost():
			return errDatabaseLost
		}
	})
}

// withPlatform runs a program on the platform, and closes the platform after it.
func withPlatform(
	ctx context.Context, cfg *config.Config, log *slog.Logger, drain *gateway.Drain, program func(*platform, *database) error,
) (err error) {
	pages, err := serveOperatorPages(ctx, cfg, drain, log)
	if err != nil {
		return err
	}
	defer func() { _ = pages.server.Close() }()
	if err := embedded.MakeFolder(cfg.DataDir, 0o755); err != nil { // the user of the embedded database needs access
		return fmt.Errorf("DATA_DIR: should be a folder that can be made and written: %w", err)
	}
	opening, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	database, err := openDatabase(opening, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.close()) }()
	if err := migrateOrRefuse(ctx, cfg, postgres.NewMigrator(database.direct, log)); err != nil { // without a timeout
		return err
	}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	p, err := newPlatform(starting, cfg, log, database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	p.stopping, p.pages = ctx.Done(), pages
	return program(p, database)
}

// outside returns the circuit breakers that /readyz reports: those of targets that others choose. Our own dependencies
// are checked directly.
func (p *platform) outside() []gateway.Outside {
	var list []gateway.Outside
	for _, g := range []*resilience.Group{p.targets, p.models} {
		list = append(list, gateway.Outside{Name: g.Name(), Open: func() int { return g.States()["open"] }})
	}
	return list
}

// newHandler makes the HTTP handler: the gateway with the modules behind it.
func newHandler(p *platform) (*echo.Echo, error) {
	document, err := api.JSON()
	if err != nil {
		return nil, err
	}
	calls, err := contract.Load(document, formats()...)
	if err != nil {
		return nil, err
	}
	pages, err := documentation()
	if err != nil {
		return nil, err
	}
	tokens, err := newTokens(p)
	if err != nil {
		return nil, err
	}
	bearers := newBearers(p, tokens)
	visitors := newVisitors(p)
	e, err := gateway.New(gateway.Options{
		Contract:        calls,
		Docs:            docs.New(pages),
		Authenticator:   bearers,
		Permissions:     permissions(),
		FingerprintKeys: slices.Concat(p.ring.Keys(keystore.Fingerprints), p.retired[keystore.Fingerprints]),
		AllowOrigins:    p.cfg.CORSOrigins,
		TrustedProxies:  p.cfg.Proxies(),
		BodyLimit:       p.cfg.BodyLimit,
		UploadLimit:     p.cfg.FileLimit,
		Deadline:        p.cfg.RequestTimeout,

		TransferDeadline: p.cfg.TransferTime,

		Checks:   p.checks(),
		Outside:  p.outside(),
		Limiter:  p.limiter,
		Visitors: visitors,
		Limits:   p.limits,
		Refused:  p.refused,
		Access:   p.access,
		Trace:    p.tracer(),
		Observed: p.metrics.request,

		LogAddress: gateway.LogAddress(p.cfg.LogAddress),
		LogSample:  p.cfg.LogSample,

		Log: p.log,
	})
	if err != nil {
		return nil, err
	}
	p.purgeElsewhere()
	if err := mountAuth(e, p, tokens, visitors); err != nil {
		return nil, err
	}
	answering, err := newModels(p)
	if err != nil {
		return nil, err
	}
	if err := mountKnowledge(e, p); err != nil {
		return nil, err
	}
	mountActivity(e, p)
	catalog := mountBots(e, p, answering.face())
	return e, mountConversations(e, p, calls, catalog, answering)
}

// whereIs returns the host of a service, and no secret of its URL; "none" for none.
func whereIs(service string) string {
	u, err := url.Parse(service)
	if err != nil || service == "" {
		return "none"
	}
	return u.Host + map[bool]string{true: u.Path}[u.Host == ""] // of a socket its path
}

// cursorKey returns the key that signs the cursors of all lists.
func cursorKey(p *platform) page.Key { return p.ring.Keys("cursor") }
