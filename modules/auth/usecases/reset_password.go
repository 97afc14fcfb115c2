package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/fail"
)

// ResetPassword sets a password without the current one, for an operator, and ends all sessions of the user.
type ResetPassword struct {
	Control   ports.Control
	Sessions  ports.Sessions
	Events    ports.AccountEvents
	Passwords ports.Passwords
	Links     ports.AccountLinks
}

// Prepare checks a password for the user of an address and hashes it. It is slow and must not run in a transaction.
func (u ResetPassword) Prepare(ctx context.Context, email, password string) (hash string, err error) {
	checked, err := domain.NewPassword(password, domain.PasswordContext(email, "")...)
	if err != nil {
		return "", fail.Fields(fail.Field{Field: "password", Code: "INVALID", Message: err.Error()})
	}
	return u.Passwords.Hash(ctx, checked)
}

// Do sets the prepared password in the transaction of the context, which must be that of this user in no workspace. It
// returns how many sessions it ended. A disabled user stays disabled.
func (u ResetPassword) Do(ctx context.Context, user uuid.UUID, hash string) (sessions int, err error) {
	if err := u.Control.SetPassword(ctx, user, hash); err != nil {
		return 0, err
	}
	if sessions, err = u.Sessions.EndOthers(ctx, uuid.Nil); err != nil {
		return 0, err
	}
	if err := u.Links.Void(ctx, user); err != nil { // of whoever knew the former password or had the mailbox
		return 0, err
	}
	return sessions, u.Events.Record(ctx, domain.AccountEvent{UserID: user, Action: "password.reset"})
}
