package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/api"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/config"
	"github.com/parley/parley/platform/contract"
	"github.com/parley/parley/platform/gateway"
	"github.com/parley/parley/platform/operations"
	"github.com/parley/parley/platform/postgres"
	"github.com/parley/parley/platform/secret"
)

// platform is what the modules are built on.
type platform struct {
	cfg      *config.Config
	log      *slog.Logger
	db       *postgres.DB
	audit    *audit.Log
	commands *command.Pipeline
	master   secret.Master
	jwt      string
	now      func() time.Time
}

// startPatience is how long the database may take to come up and to be migrated.
const startPatience = 2 * time.Minute

// serve runs the whole program until the context ends, or the embedded database does.
func serve(ctx context.Context, cfg *config.Config, stderr io.Writer) (err error) {
	log := newLogger(cfg, stderr)
	starting, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if err := os.MkdirAll(cfg.DataDir, 0o755); err != nil { //nolint:gosec // the embedded database's user has to pass through
		return fmt.Errorf("DATA_DIR: should be a folder that can be made and written: %w", err)
	}
	database, err := openDatabase(starting, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.close()) }()
	p, err := newPlatform(starting, cfg, log, database)
	if err != nil {
		return err
	}
	defer p.db.Close()
	handler, err := newHandler(p)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.HTTPAddr)
	if err != nil {
		return fmt.Errorf("HTTP_ADDR: should be an address that is free: %w", err)
	}
	where := "DATABASE_URL"
	if database.own != nil {
		where = "embedded"
	}
	log.Info("serving", "address", "http://"+listener.Addr().String(), "version", version, "database", where, "reference", "/docs")
	return listenUntil(ctx, gateway.NewServer(handler, log), listener, database.lost(), cfg.StopTimeout, log)
}

// listenUntil serves until the context ends; then it lets running requests go on for a while.
func listenUntil(ctx context.Context, server *http.Server, l net.Listener, lost <-chan struct{}, grace time.Duration, log *slog.Logger) error {
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	var cause error
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-lost:
		cause = errors.New("the embedded database has ended: see postgres.log under DATA_DIR")
	case <-ctx.Done():
	}
	log.Info("stopping", "grace", grace)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		log.Warn("requests were cut off", "error", err)
		_ = server.Close() // what is cut off rolls back
	}
	return cause
}

func newPlatform(ctx context.Context, cfg *config.Config, log *slog.Logger, d *database) (*platform, error) {
	if err := migrateOrRefuse(ctx, cfg, postgres.NewMigrator(d.direct, log)); err != nil {
		return nil, err
	}
	p := &platform{cfg: cfg, log: log, now: now}
	var err error
	if p.jwt, err = keep(cfg.JWTSecret, cfg.DataDir, "jwt-secret"); err != nil {
		return nil, fmt.Errorf("JWT_SECRET: %w", err)
	}
	key, err := keep(cfg.SecretKey, cfg.DataDir, "secret-key")
	if err != nil {
		return nil, fmt.Errorf("SECRET_KEY: %w", err)
	}
	if p.master, err = secret.NewMaster(key); err != nil {
		return nil, fmt.Errorf("SECRET_KEY: %w", err)
	}
	if p.db, err = postgres.Open(ctx, postgres.Options{URL: d.url, MaxConns: cfg.DatabaseConns}); err != nil {
		return nil, err
	}
	p.audit = audit.NewLog(p.db)
	p.commands = command.NewPipeline(p.db, operations.NewStore(p.db), p.audit)
	return p, nil
}

// migrateOrRefuse brings the schema up to date, or where the operator does that by hand, wants it done. A schema that is
// newer than this program is let through: it is that of the next version, which is being rolled out.
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
		return nil
	}
}

// keep gives a configured secret, or one that is made once and kept in the data folder.
func keep(configured, dir, name string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	return secret.Keep(filepath.Join(dir, name))
}

// now is the clock, in the precision that Postgres keeps, so that an answer and what is read later are the same.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// newHandler puts the modules behind the gateway.
func newHandler(p *platform) (*echo.Echo, error) {
	document, err := api.JSON()
	if err != nil {
		return nil, err
	}
	calls, err := contract.Load(document, emailFormat())
	if err != nil {
		return nil, err
	}
	tokens, err := newTokens(p)
	if err != nil {
		return nil, err
	}
	e, err := gateway.New(gateway.Options{
		Contract:       calls,
		Document:       api.YAML,
		DocumentJSON:   document,
		Authenticator:  tokens,
		FingerprintKey: p.master.Key("operation fingerprint"),
		AllowOrigins:   p.cfg.CORSOrigins,
		TrustedProxies: p.cfg.Proxies(),
		BodyLimit:      p.cfg.BodyLimit,
		Deadline:       p.cfg.RequestTimeout,
		Checks:         []gateway.Check{{Name: "postgres", Probe: p.db.Ping}},
		Log:            p.log,
	})
	if err != nil {
		return nil, err
	}
	if err := mountAuth(e, p, tokens); err != nil {
		return nil, err
	}
	catalog := mountBots(e, p)
	mountConversations(e, p, catalog)
	return e, nil
}
