package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// ChangePassword sets another password and ends the user's other sessions.
type ChangePassword struct {
	Accounts ports.Accounts
	Check    PasswordCheck
	Sessions ports.Sessions
	Emails   ports.AccountEmails
	Links    ports.AccountLinks
}

// NewPassword is a password that has been checked and hashed and can be set.
type NewPassword struct {
	attempt          domain.Attempt
	oldHash, newHash string
	address          string
}

// Prepare does the slow part outside of a transaction: it verifies the current password and hashes the new one.
func (u ChangePassword) Prepare(ctx context.Context, user uuid.UUID, current, next string) (NewPassword, error) {
	account, err := u.Accounts.Current(ctx)
	if err != nil {
		return NewPassword{}, err
	}
	if account.PasswordHash == "" {
		return NewPassword{}, ports.ErrNoPassword
	}
	password, err := domain.NewPassword(next, domain.PasswordContext(account.Email, account.WorkspaceName)...)
	if err != nil {
		return NewPassword{}, fail.Fields(fail.Field{Field: "new_password", Code: "INVALID", Message: err.Error()})
	}
	attempt, err := u.Check.VerifyOwn(ctx, &domain.Login{UserID: user, PasswordHash: account.PasswordHash}, current)
	if err != nil {
		return NewPassword{}, err
	}
	prepared := NewPassword{attempt: attempt, oldHash: account.PasswordHash, address: account.Email}
	prepared.newHash, err = u.Check.Passwords.Hash(ctx, password)
	return prepared, err
}

// Do sets the prepared password, ends every session of the user but this one, voids links that set a password or change the address, and sends a notice in a language (an
// Accept-Language).
func (u ChangePassword) Do(ctx context.Context, user, session uuid.UUID, p NewPassword, language string) error {
	if err := u.Accounts.ReplacePassword(ctx, user, p.oldHash, p.newHash); err != nil {
		return err
	}
	if err := u.Check.Attempts.Pass(ctx, p.attempt); err != nil {
		return err
	}
	if _, err := u.Sessions.EndOthers(ctx, session); err != nil {
		return err
	}
	if err := u.Links.Void(ctx, user); err != nil { // of whoever knew the former password or had the mailbox
		return err
	}
	return u.Emails.Queue(ctx, passwordChanged(ctx, user, p.address, language))
}

// passwordChanged is the notice to the owner of an account.
func passwordChanged(ctx context.Context, user uuid.UUID, address, language string) domain.AccountEmail {
	return domain.AccountEmail{
		ID: uuid.Must(uuid.NewV7()), Kind: domain.EmailPasswordChanged, UserID: user, Address: address, Language: language,
		TraceID: callctx.From(ctx).TraceID,
	}
}
