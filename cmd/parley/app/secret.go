package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"

	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/keystore"
	"github.com/parley/parley/platform/request/callctx"
)

// secretCommand is parley secret.
func secretCommand(k operatorCommands) *cli.Command {
	return k.group("secret", "change the SECRET_KEY that a database is used with",
		k.command("status", "show how much is sealed with which key", secretStatus, nil),
		k.command("rotate", "seal everything that is stored with the configured SECRET_KEY, while servers run; it can be repeated", rotateSecret, nil),
		k.command("adopt", "use the database with the configured SECRET_KEY from now on, where the first one is lost", adoptSecret, func(c *cli.Command) error {
			if !c.Bool("yes") {
				return errors.New("--yes: should be given: seals of the audit log and stored secrets of the lost key cannot be used again")
			}
			return nil
		}, &cli.BoolFlag{Name: "yes", Usage: "accept that what was sealed under the lost key cannot be opened again"}),
	)
}

// adoptSecret adopts a SECRET_KEY, and records that in the same transaction.
func adoptSecret(ctx context.Context, _ *cli.Command, o *operator) error {
	ring, err := ringOf(o.cfg)
	if err != nil {
		return err
	}
	store := keystore.Store{DB: o.db}
	before, err := store.Known(ctx)
	if err != nil {
		return err
	}
	key := ring.Current()
	err = o.db.Write(callctx.As(ctx, audit.Installation(), uuid.Nil), func(ctx context.Context) error {
		entry := audit.Entry{Action: "secret.adopt", Resource: "installation", ResourceID: audit.Installation(), Changes: map[string]any{
			"key": key.ID().String(), "former": before.String(),
		}}
		return errors.Join(store.Adopt(ctx, key), o.note(ctx, entry))
	})
	if err != nil {
		return fmt.Errorf("adopt SECRET_KEY: %w", err)
	}
	return o.print(map[string]any{"key": key.ID().String(), "former": before.String()}, "the database is used with the configured SECRET_KEY from now on")
}
