package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// RecoverPassword lets users who have forgotten their passwords set others, by a link in an email.
type RecoverPassword struct {
	Emails   ports.AccountEmails
	Links    ports.AccountLinks
	Accounts ports.Accounts
	Reset    ResetPassword
	Issuer   SessionIssuer
	Check    PasswordCheck

	Distrust DistrustAccount
}

// Request queues an email with a link to whoever has an address. It does the same where nobody has, so that neither the
// answer nor the time it takes shows whether the address has an account.
func (u RecoverPassword) Request(ctx context.Context, address, language string, client domain.Client) error {
	email, err := domain.GivenEmail(address)
	if err != nil {
		return fail.Fields(fail.Field{Field: "email", Code: "INVALID", Message: err.Error()})
	}
	return u.Emails.Queue(ctx, domain.AccountEmail{
		ID: uuid.Must(uuid.NewV7()), Kind: domain.EmailPasswordReset, Address: email.String(), Language: language,
		TraceID: callctx.From(ctx).TraceID, Device: client.Seen(),
	})
}

// Do sets the password of the account that a link was sent to, ends all its sessions and sends a notice. The address is
// proved by that too; where it was not before, or by a link alone, somebody else may have made the account, and what it made is
// stopped. ErrLinkNotFound where the link cannot be used, also for an account that is disabled.
func (u RecoverPassword) Do(ctx context.Context, token, password, language string, client domain.Client) error {
	link, err := u.Links.Find(ctx, domain.ResetsPassword, domain.HashOf(token), u.Issuer.Now())
	if err != nil {
		return err
	}
	hash, err := u.Reset.Prepare(ctx, link.Address, password)
	if err != nil {
		return err
	}
	return u.Issuer.Transactions.As(ctx, uuid.Nil, link.UserID, func(ctx context.Context) error {
		if _, err := u.Links.Use(ctx, link, u.Issuer.Now()); err != nil {
			return err
		}
		if _, err := u.Reset.Do(ctx, link.UserID, hash); errors.Is(err, ports.ErrNoUser) {
			return ports.ErrLinkNotFound
		} else if err != nil {
			return err
		}
		user, err := u.Accounts.User(ctx)
		if err != nil {
			return err
		}
		if user.DisabledAt != nil || user.Email != link.Address {
			return ports.ErrLinkNotFound
		}
		if user.Proof() != domain.AccountProof {
			if err := u.Distrust.Do(ctx, user.ID); err != nil {
				return err
			}
		}
		if err := u.Accounts.VerifyAddress(ctx, user.ID, user.Email, domain.AccountProof, u.Issuer.Now()); err != nil && !errors.Is(err, ports.ErrAddressProved) {
			return err
		}
		if err := u.Check.Attempts.Pass(ctx, domain.Attempt{Network: domain.Network(client.IP)}); err != nil {
			return err
		}
		return u.Emails.Queue(ctx, passwordChanged(ctx, link.UserID, user.Email, language))
	})
}
