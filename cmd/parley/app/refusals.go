package app

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
)

// refused records a forbidden change in an audit log: that of the workspace in which it was tried where the caller is a
// member there, else that of the workspace in which the caller is signed in. A session that has ended records nothing,
// because the signature of its token alone does not permit that. A call without a token is in no workspace: its use
// case records the refusal, where the account or endpoint is known.
func (p *platform) refused(ctx context.Context, who call.Principal, what string, why error) {
	if who.UserID == uuid.Nil {
		return
	}
	ctx, cancel := context.WithTimeout(call.WithoutPermissions(context.WithoutCancel(ctx)), refusalTimeout)
	defer cancel()
	switch {
	case who.HomeID == uuid.Nil:
		p.refusedAlone(ctx, who, why)
		return
	case errors.Is(why, fail.ErrForbidden):
		ctx = call.InHomeWorkspace(ctx)
	case errors.Is(why, fail.ErrDeleted) && who.KeyID != uuid.Nil:
		ctx = call.Trusted(ctx) // the key is valid; the entry does not give access to the deleted workspace
	}
	err := p.recordRefusal(ctx, who, what, why)
	if errors.Is(err, fail.ErrForbidden) { // the membership ended in the meantime
		err = p.recordRefusal(call.InHomeWorkspace(ctx), who, what, why)
	}
	if err != nil && !errors.Is(err, fail.ErrUnauthorized) {
		p.log.ErrorContext(ctx, "refusal was not audited", "error", err)
	}
}

// refusedAlone records a forbidden change of a user in no workspace as an event of the account, if the session is
// alive.
func (p *platform) refusedAlone(ctx context.Context, who call.Principal, why error) {
	events := postgres.NewAccountEvents(p.db)
	err := p.db.Write(ctx, func(ctx context.Context) error {
		return events.Record(ctx, domain.AccountEvent{UserID: who.UserID, Action: "access.refuse", Reason: fail.From(why).Code})
	})
	if err != nil && !errors.Is(err, fail.ErrUnauthorized) {
		p.log.ErrorContext(ctx, "refusal was not recorded", "error", err)
	}
}

func (p *platform) recordRefusal(ctx context.Context, who call.Principal, what string, why error) error {
	return p.db.Write(ctx, func(ctx context.Context) error {
		return p.audit.Record(ctx, audit.Entry{
			Action: "access.refuse", Resource: "workspace", ResourceID: who.WorkspaceID,
			Changes: map[string]any{"call": what, "reason": fail.From(why).Message},
		})
	})
}

// refusalTimeout is how long a refused caller waits until its refusal is recorded. A database that does not respond
// must not hold the caller and its connection forever.
const refusalTimeout = 3 * time.Second
