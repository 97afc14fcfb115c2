package usecases

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/fail"
)

// FinishLogIn opens the session of a log-in that waits for a second factor.
type FinishLogIn struct {
	Accounts ports.Accounts
	Devices  ports.Devices
	Check    FactorCheck
	Notices  AccountNotices
	Events   ports.AccountEvents
	Issuer   SessionIssuer
}

// SecondStep is the input of FinishLogIn.
type SecondStep struct {
	Ticket, Code string
	DeviceToken  string // of an earlier log-in; "" for none
	Client       domain.Client
	Language     string // of emails, as an Accept-Language
}

// Do opens a session for a ticket and a code. ErrBadTicket where the ticket cannot be used, also after the password was
// changed; it does not tell why.
func (u FinishLogIn) Do(ctx context.Context, in SecondStep) (Grant, error) {
	user, ok := domain.TicketUser(in.Ticket)
	if !ok {
		return Grant{}, ports.ErrBadTicket
	}
	ticket, account, err := u.find(ctx, user, in.Ticket)
	if err != nil {
		return Grant{}, err
	}
	given := Given{UserID: user, Code: in.Code, IP: in.Client.IP, Trusted: u.Devices.Trusted(in.DeviceToken, user, account.PasswordHash)}
	use, err := u.Check.Verify(ctx, given, func(ctx context.Context) error { return u.Issuer.Tickets.Try(ctx, ticket, u.Issuer.Now()) })
	if errors.Is(err, ports.ErrNoFactor) { // it was removed meanwhile, and the tickets with it
		return Grant{}, ports.ErrBadTicket
	}
	if err != nil {
		return Grant{}, u.refuse(ctx, user, err)
	}
	grant, err := u.Issuer.OpenBy(ctx, SignIn{
		WorkspaceID: ticket.WorkspaceID, UserID: user, Client: in.Client, Action: openAction,
		Methods: append(slices.Clone(ticket.Methods), use.Method),
	}, func(ctx context.Context) error {
		// The user is locked by that: a password that is being changed opens no session that would outlive the change.
		if err := u.Accounts.ReplacePassword(ctx, user, account.PasswordHash, account.PasswordHash); err != nil {
			return err
		}
		if err := u.Issuer.Tickets.Use(ctx, ticket, u.Issuer.Now()); err != nil {
			return err
		}
		if err := u.Check.Use(ctx, use); err != nil {
			return err
		}
		return u.Notices.Used(ctx, user, account.Email, in.Language, use.Method)
	})
	switch {
	case errors.Is(err, ports.ErrPasswordChanged), errors.Is(err, ports.ErrMembershipEnded):
		return Grant{}, ports.ErrBadTicket
	case err != nil:
		return Grant{}, u.refuse(ctx, user, u.Check.Counted(ctx, use, err))
	}
	grant.DeviceToken = u.Devices.Issue(user, account.PasswordHash, in.DeviceToken)
	return grant, nil
}

// find returns a valid ticket and the account that it is for.
func (u FinishLogIn) find(ctx context.Context, user uuid.UUID, token string) (ticket domain.Ticket, account domain.Account, err error) {
	err = u.Issuer.Transactions.As(ctx, uuid.Nil, user, func(ctx context.Context) (err error) {
		if ticket, err = u.Issuer.Tickets.Find(ctx, domain.HashOf(token), u.Issuer.Now()); err != nil {
			return err
		}
		account, err = u.Accounts.Current(ctx)
		return err
	})
	if errors.Is(err, fail.ErrUnauthorized) || err == nil && !slices.Equal(ticket.PasswordPrint, domain.HashOf(account.PasswordHash)) {
		return ticket, account, ports.ErrBadTicket
	}
	return ticket, account, err
}

// refuse records a code that was refused, and returns its error.
func (u FinishLogIn) refuse(ctx context.Context, user uuid.UUID, err error) error {
	if refused, ok := errors.AsType[*fail.Error](err); ok && (refused.Kind == fail.Unauthenticated || errors.Is(err, ports.ErrAccountDisabled)) {
		event := domain.AccountEvent{UserID: user, Action: "session.refuse", Reason: refused.Code}
		if err := u.Events.Record(ctx, event); err != nil {
			return err
		}
	}
	return err
}
