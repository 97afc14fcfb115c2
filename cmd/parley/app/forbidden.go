package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	authpostgres "github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// forbiddenChanges records changes that were forbidden.
type forbiddenChanges struct {
	db    *postgres.DB
	audit *audit.Log
	log   *slog.Logger
}

// record records a forbidden change in an audit log: that of the workspace in which it was tried where the caller is a
// member there, else that of the workspace in which the caller is signed in. A session that has ended records nothing,
// because the signature of its token alone does not permit that. A call without a token is in no workspace: its use
// case records the refusal, where the account or endpoint is known.
func (f forbiddenChanges) record(ctx context.Context, who callctx.Principal, what string, why error) {
	if who.UserID == uuid.Nil {
		return
	}
	ctx, cancel := context.WithTimeout(callctx.WithoutPermissions(context.WithoutCancel(ctx)), forbiddenTimeout)
	defer cancel()
	switch {
	case who.HomeID == uuid.Nil:
		f.ofAccount(ctx, who, why)
		return
	case errors.Is(why, fail.ErrForbidden):
		ctx = callctx.InHomeWorkspace(ctx)
	case errors.Is(why, fail.ErrDeleted) && who.KeyID != uuid.Nil:
		ctx = callctx.Trusted(ctx) // the key is valid; the entry does not give access to the deleted workspace
	}
	err := f.inWorkspace(ctx, who, what, why)
	if errors.Is(err, fail.ErrForbidden) { // the membership ended in the meantime
		err = f.inWorkspace(callctx.InHomeWorkspace(ctx), who, what, why)
	}
	if err != nil && !errors.Is(err, fail.ErrUnauthorized) {
		f.log.ErrorContext(ctx, "refusal was not audited", "error", err)
	}
}

// ofAccount records a forbidden change of a user in no workspace as an event of the account, if the session is
// alive.
func (f forbiddenChanges) ofAccount(ctx context.Context, who callctx.Principal, why error) {
	events := authpostgres.NewAccountEvents(f.db)
	err := f.db.Write(ctx, func(ctx context.Context) error {
		return events.Record(ctx, domain.AccountEvent{UserID: who.UserID, Action: "access.refuse", Reason: fail.From(why).Code})
	})
	if err != nil && !errors.Is(err, fail.ErrUnauthorized) {
		f.log.ErrorContext(ctx, "refusal was not recorded", "error", err)
	}
}

func (f forbiddenChanges) inWorkspace(ctx context.Context, who callctx.Principal, what string, why error) error {
	return f.db.Write(ctx, func(ctx context.Context) error {
		return f.audit.Record(ctx, audit.Entry{
			Action: "access.refuse", Resource: "workspace", ResourceID: who.WorkspaceID,
			Changes: map[string]any{"call": what, "reason": fail.From(why).Message},
		})
	})
}

// forbiddenTimeout is how long a refused caller waits until its refusal is recorded. A database that does not respond
// must not hold the caller and its connection forever.
const forbiddenTimeout = 3 * time.Second
