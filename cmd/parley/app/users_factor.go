package app

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"

	authpostgres "github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
)

// removeFactor removes the second factor of a user who has lost it. The event of the account and the notice to its owner are stored in the
// same transaction; a running server sends the notice.
func removeFactor(ctx context.Context, c *cli.Command, o *operator) error {
	u, err := o.findUser(ctx, c)
	if err != nil {
		return err
	}
	factors := authpostgres.NewSecondFactors(o.db, nil) // nothing of it is opened, so that it works without SECRET_KEY too
	remove := usecases.SecondFactors{
		Authenticators: factors, Factors: factors, Events: authpostgres.NewAccountEvents(o.db),
		Notices: usecases.AccountNotices{Emails: authpostgres.NewAccountEmails(o.db)}, Now: now,
	}
	err = o.db.Write(callctx.As(ctx, uuid.Nil, u.ID), func(ctx context.Context) error { return remove.Remove(ctx, u.ID, "") })
	if err != nil {
		return err
	}
	err = o.note(ctx, audit.Entry{Action: "user.remove_second_factor", Resource: "user", ResourceID: u.ID})
	if err != nil {
		return fmt.Errorf("the factor is removed, but that is not in the audit log of the installation: %w", err)
	}
	return o.print(map[string]any{"id": u.ID, "email": u.Email, "removed_at": now().UTC().Format(time.RFC3339)},
		fmt.Sprintf("user %s has no second factor any more", u.ID))
}
