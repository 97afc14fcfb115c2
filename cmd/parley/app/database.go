package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/data/postgres/embedded"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/telemetry"
)

// database is the Postgres of the program: an embedded one, or the one that DATABASE_URL names.
type database struct {
	url    string // for the pool
	direct string // past a pooler, for migrations
	own    *embedded.Server
	joined bool // it is embedded in another process, which may stop it at any time
}

// pooled reports whether the connections of the pool go through a pooler.
func (d *database) pooled() bool { return d.url != d.direct }

// openDatabase connects to the configured database, or starts the embedded one.
func openDatabase(ctx context.Context, cfg *config.Config, log *slog.Logger) (*database, error) {
	if cfg.DatabaseURL != "" {
		return &database{url: cfg.DatabaseURL, direct: cfg.DirectURL()}, nil
	}
	dir, err := embeddedFolder(cfg)
	if err != nil {
		return nil, err
	}
	own, err := embedded.Start(ctx, embedded.Options{Dir: dir, BinDir: cfg.PostgresBinDir, Settings: cfg.PostgresConf, Log: log})
	if err != nil {
		return nil, err
	}
	url := own.URL("parley")
	return &database{url: url, direct: url, own: own}, nil
}

func embeddedFolder(cfg *config.Config) (string, error) {
	dir, err := filepath.Abs(filepath.Join(cfg.DataDir, "postgres"))
	if err != nil {
		return "", fmt.Errorf("DATA_DIR: %w", err)
	}
	return dir, nil
}

// joinPause is the time between two checks of a database that another process is starting or stopping.
const joinPause = 50 * time.Millisecond

// joinDatabase is openDatabase for commands that can also use an embedded database that another process has started.
func joinDatabase(ctx context.Context, cfg *config.Config, log *slog.Logger) (*database, error) {
	for {
		d, err := openDatabase(ctx, cfg, log)
		if !errors.Is(err, embedded.ErrInUse) {
			return d, err
		}
		dir, notFound := embeddedFolder(cfg)
		if notFound != nil {
			return nil, notFound
		}
		if url, ok := embedded.Running(dir, "parley"); ok {
			if d := (&database{url: url, direct: url, joined: true}); d.answers(ctx) {
				return d, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(joinPause):
		}
	}
}

// answers reports whether the database can be reached.
func (d *database) answers(ctx context.Context) bool {
	return postgres.Reaches(ctx, d.direct)
}

// absent returns a database that stands for an embedded one that could not be opened: every connection to it fails.
func absent(cfg *config.Config) *database {
	dir, err := embeddedFolder(cfg)
	if err != nil {
		dir = cfg.DataDir
	}
	url := embedded.Nowhere(dir, "parley")
	return &database{url: url, direct: url}
}

// stopTimeout is how long the embedded database may take for an orderly stop.
const stopTimeout = 20 * time.Second

// close stops what openDatabase has started.
func (d *database) close() error {
	if d.own == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return d.own.Stop(ctx)
}

// where returns "embedded" or "DATABASE_URL", for the log.
func (d *database) where() string {
	if d.own != nil {
		return "embedded"
	}
	return "DATABASE_URL"
}

// lost returns a channel that is closed when our own embedded database has stopped by itself. For other databases it is
// nil: their loss is noticed only when calls fail.
func (d *database) lost() <-chan struct{} {
	if d.own == nil {
		return nil
	}
	return d.own.Done()
}

func newLogger(cfg *config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.LogLevel)) // config has checked it
	return telemetry.NewLogger(w, cfg.LogFormat, level)
}

type configAction = func(context.Context, *cli.Command, *config.Config) error

// migrateCommand is parley migrate.
func migrateCommand(withConfig func(configAction) cli.ActionFunc, stdout, stderr io.Writer, usage cli.OnUsageErrorFunc) *cli.Command {
	return &cli.Command{
		Name: "migrate", Usage: "change the version of the database schema", OnUsageError: usage, HideHelpCommand: true,
		Action: alone(func(_ context.Context, c *cli.Command) error { return cli.ShowSubcommandHelp(c) }),
		Commands: []*cli.Command{
			{Name: "up", Usage: "apply every migration that is missing", Action: withConfig(migrateUp(stdout, stderr)), OnUsageError: usage},
			{
				Name: "down", Usage: "revert the newest migration, and remove its data", OnUsageError: usage,
				Flags: []cli.Flag{
					&cli.IntFlag{Name: "steps", Value: 1, Usage: "how many to revert; 0: all"},
					&cli.BoolFlag{Name: "yes", Usage: "confirm that the data of the migrations is removed"},
				},
				Action: withConfig(migrateDown(stdout, stderr)),
			},
			{
				Name: "repair", Usage: "detect the version of the schema, and store it", OnUsageError: usage,
				Flags:  []cli.Flag{&cli.BoolFlag{Name: "yes", Usage: "accept a schema that matches no version as that of the stored version"}},
				Action: withConfig(migrateRepair(stdout, stderr)),
			},
			{Name: "status", Usage: "print the version of the database", Action: withConfig(migrateStatus(stdout, stderr)), OnUsageError: usage},
		},
	}
}

// withMigrator runs work with a migrator of the configured database.
func withMigrator(ctx context.Context, cfg *config.Config, stderr io.Writer, work func(*postgres.Migrator) error) error {
	log := newLogger(cfg, stderr)
	db, err := openDatabase(ctx, cfg, log)
	if err != nil {
		return err
	}
	return errors.Join(work(postgres.NewMigrator(db.direct, log)), db.close())
}

func migrateUp(stdout, stderr io.Writer) configAction {
	return func(ctx context.Context, _ *cli.Command, cfg *config.Config) error {
		return withMigrator(ctx, cfg, stderr, func(m *postgres.Migrator) error {
			if err := m.Up(ctx); err != nil {
				return err
			}
			return printVersion(ctx, m, stdout)
		})
	}
}

func migrateDown(stdout, stderr io.Writer) configAction {
	return func(ctx context.Context, c *cli.Command, cfg *config.Config) error {
		steps := c.Int("steps")
		if steps < 0 {
			return usageError{errors.New("--steps: should be 0 (all) or more")}
		}
		if !c.Bool("yes") {
			return usageError{errors.New("--yes: should be given, as taking migrations back removes the data that they hold")}
		}
		return withMigrator(ctx, cfg, stderr, func(m *postgres.Migrator) error {
			if err := m.Down(ctx, steps); err != nil {
				return err
			}
			return printVersion(ctx, m, stdout)
		})
	}
}

func migrateRepair(stdout, stderr io.Writer) configAction {
	return func(ctx context.Context, c *cli.Command, cfg *config.Config) error {
		return withMigrator(ctx, cfg, stderr, func(m *postgres.Migrator) error {
			report, different, err := m.Repair(ctx, c.Bool("yes"))
			for _, line := range different {
				fmt.Fprintln(stdout, line)
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(stdout, report)
			return printVersion(ctx, m, stdout)
		})
	}
}

func migrateStatus(stdout, stderr io.Writer) configAction {
	return func(ctx context.Context, _ *cli.Command, cfg *config.Config) error {
		return withMigrator(ctx, cfg, stderr, func(m *postgres.Migrator) error { return printVersion(ctx, m, stdout) })
	}
}

func printVersion(ctx context.Context, m *postgres.Migrator, stdout io.Writer) error {
	at, newest, dirty, err := m.Status(ctx)
	if err != nil {
		return err
	}
	word := "up to date"
	switch {
	case dirty:
		word = "half done by an earlier release that was killed: parley migrate repair"
	case at < newest:
		word = fmt.Sprintf("%d to apply: parley migrate up", newest-at)
	case at > newest:
		word = "newer than this program"
	}
	_, err = fmt.Fprintf(stdout, "version %d of %d (%s)\n", at, newest, word)
	return err
}
