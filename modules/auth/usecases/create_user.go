package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// CreateUser makes a user with a workspace, without signing the user in.
type CreateUser struct {
	Users     ports.Users
	Accounts  ports.Accounts
	Passwords ports.Passwords
	Now       func() time.Time
}

// Prepare checks the input and hashes the password. It is slow and must not run in a transaction. Its errors name the
// fields email, password and workspace_name.
func (u CreateUser) Prepare(ctx context.Context, email, password, workspaceName string) (domain.Registration, error) {
	address, emailErr := domain.NewEmail(email)
	checked, passwordErr := domain.NewPassword(password, domain.PasswordContext(email, workspaceName)...)
	if err := wrongFields(map[string]error{
		"email": emailErr, "password": passwordErr, "workspace_name": domain.CheckName(workspaceName),
	}); err != nil {
		return domain.Registration{}, err
	}
	hash, err := u.Passwords.Hash(ctx, checked)
	if err != nil {
		return domain.Registration{}, err
	}
	return domain.NewRegistration(address, hash, workspaceName, uuid.New(), u.Now())
}

// Do stores the user and its workspace in the transaction of the context, which must be that of this user in this
// workspace; ErrEmailExists where the address is taken. Who makes the user vouches for the address.
func (u CreateUser) Do(ctx context.Context, r domain.Registration) error {
	if err := u.Users.Register(ctx, r); err != nil {
		return err
	}
	return u.Accounts.VerifyAddress(ctx, r.UserID, r.Email.String(), domain.AccountProof, r.At)
}
