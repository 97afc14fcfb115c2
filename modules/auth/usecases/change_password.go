package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/fail"
)

// ChangePassword sets another password and ends the user's other sessions.
type ChangePassword struct {
	Accounts ports.Accounts
	Check    PasswordCheck
	Sessions ports.Sessions
}

// NewPassword is a password that has been checked and hashed and can be set.
type NewPassword struct {
	attempt          domain.Attempt
	oldHash, newHash string
}

// Prepare does the slow part outside of a transaction: it verifies the current password and hashes the new one.
func (u ChangePassword) Prepare(ctx context.Context, user uuid.UUID, current, next string) (NewPassword, error) {
	account, err := u.Accounts.Current(ctx)
	if err != nil {
		return NewPassword{}, err
	}
	password, err := domain.NewPassword(next, domain.PasswordContext(account.Email, account.WorkspaceName)...)
	if err != nil {
		return NewPassword{}, fail.Fields(fail.Field{Field: "new_password", Code: "INVALID", Message: err.Error()})
	}
	attempt, err := u.Check.VerifyOwn(ctx, &domain.Login{UserID: user, PasswordHash: account.PasswordHash}, current)
	if err != nil {
		return NewPassword{}, err
	}
	prepared := NewPassword{attempt: attempt, oldHash: account.PasswordHash}
	prepared.newHash, err = u.Check.Passwords.Hash(ctx, password)
	return prepared, err
}

// Do sets the prepared password, and ends every session of the user but this one.
func (u ChangePassword) Do(ctx context.Context, user, session uuid.UUID, p NewPassword) error {
	if err := u.Accounts.ReplacePassword(ctx, user, p.oldHash, p.newHash); err != nil {
		return err
	}
	if err := u.Check.Attempts.Pass(ctx, p.attempt); err != nil {
		return err
	}
	_, err := u.Sessions.EndOthers(ctx, session)
	return err
}
