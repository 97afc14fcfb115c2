package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v3"

	"github.com/parley/parley/platform/config"
	"github.com/parley/parley/platform/postgres"
)

// secretCommand is parley secret.
func secretCommand(withConfig func(configAction) cli.ActionFunc, stdout, stderr io.Writer, wrong cli.OnUsageErrorFunc) *cli.Command {
	return &cli.Command{
		Name: "secret", Usage: "decide which SECRET_KEY a database is used with", OnUsageError: wrong, HideHelpCommand: true,
		Action: alone(func(_ context.Context, c *cli.Command) error { return cli.ShowSubcommandHelp(c) }),
		Commands: []*cli.Command{{
			Name: "adopt", Usage: "use the database with the configured SECRET_KEY from now on, where the first one is lost", OnUsageError: wrong,
			Flags: []cli.Flag{&cli.BoolFlag{Name: "yes", Usage: "accept that what was sealed under the lost key cannot be opened again"}},
			Action: withConfig(func(ctx context.Context, c *cli.Command, cfg *config.Config) error {
				return adoptSecret(ctx, c.Bool("yes"), cfg, stdout, stderr)
			}),
		}},
	}
}

func adoptSecret(ctx context.Context, yes bool, cfg *config.Config, stdout, stderr io.Writer) (err error) {
	if !yes {
		return usageError{errors.New("--yes: should be given: seals of the audit log and stored secrets of the lost key cannot be used again")}
	}
	master, err := masterOf(cfg)
	if err != nil {
		return err
	}
	database, err := joinDatabase(ctx, cfg, newLogger(cfg, stderr))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.close()) }()
	db, err := postgres.Open(ctx, postgres.Options{URL: database.url, Pooled: database.pooled(), MaxConns: 2})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.AdoptKey(ctx, master.Key("print")); err != nil {
		return fmt.Errorf("adopt SECRET_KEY: %w", err)
	}
	_, err = fmt.Fprintln(stdout, "the database is used with the configured SECRET_KEY from now on")
	return err
}
