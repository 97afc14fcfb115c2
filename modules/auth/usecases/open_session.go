// Package usecases has the use cases of auth, one file each.
package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/callctx"
)

// Grant is a signed-in session with its tokens.
type Grant struct {
	Session     domain.Session
	Tokens      ports.Pair
	DeviceToken string // for the next log-in of this client; "" where no password was sent
}

// SessionIssuer opens sessions. The use cases that sign a user in share it, so that none gets round the second factor.
type SessionIssuer struct {
	Sessions     ports.Sessions
	Tokens       ports.Tokens
	Transactions ports.Transactions
	Audit        ports.Audit
	Devices      *NoticeDevice // nil: nobody is notified of new devices
	Factors      ports.Factors
	Tickets      ports.Tickets
	IdleLife     time.Duration // how long an unused session lives
	Now          func() time.Time
}

// SignIn is who is to be signed in, and where.
type SignIn struct {
	WorkspaceID uuid.UUID // the zero id: in none
	UserID      uuid.UUID
	Client      domain.Client
	Methods     []domain.Method // by which the user has proved who it is
	Action      string          // for the audit log: session.open
}

// Open signs in a user whose password was right, in a workspace or, with the zero id, in none. It is OpenBy.
func (o SessionIssuer) Open(ctx context.Context, workspace, user uuid.UUID, client domain.Client, action string, first func(ctx context.Context) error) (Grant, error) {
	return o.OpenBy(ctx, SignIn{
		WorkspaceID: workspace, UserID: user, Client: client, Methods: []domain.Method{domain.MethodPassword}, Action: action,
	}, first)
}

// OpenBy finishes a log-in. It opens a session, unless the user has a second factor that is not among the methods: then it
// makes a ticket and returns ErrFactorRequired with the detail ticket, which FinishLogIn takes with a code. first runs
// before either, if it is not nil, in the same transaction, which is committed in both cases. It returns
// ErrAccountDisabled for a user who is disabled.
func (o SessionIssuer) OpenBy(ctx context.Context, in SignIn, first func(ctx context.Context) error) (Grant, error) {
	session := domain.NewSession(in.WorkspaceID, in.UserID, o.Tokens.KeyID(), in.Client, o.IdleLife, o.Now())
	session.Authenticate(in.Methods, session.CreatedAt)
	tokens, err := o.Tokens.Pair(session)
	if err != nil {
		return Grant{}, err
	}
	ticket := ""
	err = o.Transactions.As(ctx, in.WorkspaceID, in.UserID, func(ctx context.Context) error {
		if first != nil {
			if err := first(ctx); err != nil {
				return err
			}
		}
		account, err := o.Factors.LockAccount(ctx, in.UserID)
		switch {
		case err != nil:
			return err
		case account.Disabled:
			return ports.ErrAccountDisabled
		case account.SecondFactor && !domain.WithSecondFactor(in.Methods):
			ticket, err = o.issue(ctx, in, account.PasswordHash, session.ID)
			return err
		}
		if o.Devices != nil {
			if err := o.Devices.Do(ctx, in.UserID, in.Client); err != nil {
				return err
			}
		}
		if err := o.Sessions.Create(ctx, session); err != nil {
			return err
		}
		return o.Audit.Session(ctx, in.Action, session.ID)
	})
	if err != nil {
		return Grant{}, err
	}
	if ticket != "" {
		return Grant{}, ports.ErrFactorRequired.With("ticket", ticket)
	}
	return Grant{Session: session, Tokens: tokens}, nil
}

// issue makes a ticket for the second step of a log-in, and returns its token. What the first step has done is recorded
// now, the opening of the session when there is one.
func (o SessionIssuer) issue(ctx context.Context, in SignIn, passwordHash string, session uuid.UUID) (token string, err error) {
	t, token := domain.NewTicket(in.UserID, in.WorkspaceID, in.Methods, passwordHash, o.Now())
	if err := o.Tickets.Add(ctx, t); err != nil {
		return "", err
	}
	if in.Action != openAction {
		if err := o.Audit.Session(ctx, in.Action, session); err != nil {
			return "", err
		}
	}
	return token, o.Audit.Session(callctx.As(ctx, uuid.Nil, in.UserID), "session.ask_factor", session)
}

// openAction is the action of a session that is opened and nothing besides.
const openAction = "session.open"
