package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/parley/parley/platform/data/blob"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/data/postgres/embedded"
	"github.com/parley/parley/platform/ops/config"
)

// upgradePostgresCommand is parley upgrade-postgres.
func upgradePostgresCommand(withConfig func(configAction) cli.ActionFunc, stdout, stderr io.Writer, wrong cli.OnUsageErrorFunc) *cli.Command {
	return &cli.Command{
		Name: "upgrade-postgres", Usage: "move the embedded database to the PostgreSQL of POSTGRES_BIN_DIR; the old data is kept beside", OnUsageError: wrong,
		Flags: []cli.Flag{&cli.StringFlag{Name: "old-bin", Usage: "the folder of initdb and postgres that made the data; empty: they are looked for"}},
		Action: withConfig(func(ctx context.Context, c *cli.Command, cfg *config.Config) error {
			return upgradePostgres(ctx, cfg, c.String("old-bin"), stdout, stderr)
		}),
	}
}

func upgradePostgres(ctx context.Context, cfg *config.Config, oldBin string, stdout, stderr io.Writer) error {
	if cfg.DatabaseURL != "" {
		return usageError{errors.New("DATABASE_URL: should be empty, as only the embedded database is moved; move another with parley backup and parley restore")}
	}
	dir, err := embeddedFolder(cfg)
	if err != nil {
		return err
	}
	log := newLogger(cfg, stderr)
	u, err := embedded.Upgrade(ctx, embedded.Options{Dir: dir, BinDir: cfg.PostgresBinDir, Log: log}, oldBin, func(ctx context.Context, from, to string) error {
		return transfer(ctx, cfg.DataDir, from, postgres.NewMigrator(to, log), to)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "the database was moved from PostgreSQL %d to %d; the old data is in %s: remove it when all is well\n", u.From, u.To, u.Kept)
	return err
}

// transfer copies a whole database into another one, whose migrator is m, through a folder within dir.
func transfer(ctx context.Context, dir, from string, m *postgres.Migrator, to string) (err error) {
	folder, err := os.MkdirTemp(dir, ".upgrade-")
	if err != nil {
		return fmt.Errorf("make a folder for the dump: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	store, err := blob.NewDisk(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	dumped, err := postgres.Dump(ctx, from, func(key string, content io.Reader) error {
		_, err := store.Put(ctx, key, content)
		return err
	})
	if err != nil {
		return err
	}
	if err := m.Rebuild(ctx, dumped.Schema); err != nil {
		return err
	}
	foreign, err := postgres.Load(ctx, to, dumped, func(key string) (io.ReadCloser, error) { return store.Get(ctx, key, 0, -1) })
	if err != nil || len(foreign) == 0 {
		return err
	}
	names := make([]string, len(foreign))
	for i, t := range foreign {
		names[i] = t.Name
	}
	return fmt.Errorf("there are tables that are not parley's, which would be left behind: %s: move them elsewhere first", strings.Join(names, ", "))
}
