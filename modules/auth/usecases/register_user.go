package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/fail"
)

// RegisterUser makes a user with a workspace, and signs the user in.
type RegisterUser struct {
	Users    ports.Users
	Accounts ports.Accounts
	Check    PasswordCheck
	Issuer   SessionIssuer
	Verify   VerifyEmail
	Closed   bool // nobody can register
	// Shared finds the accounts of an address that several accounts have until one proves it; nil: an address has one account.
	Shared ports.SharedAddresses
}

// Registration is the input of RegisterUser.
type Registration struct {
	Email, Password, WorkspaceName string
	DeviceToken                    string // of an earlier log-in; "" for none
	OperationID                    uuid.UUID
	Client                         domain.Client
	Language                       string // of emails, as an Accept-Language
}

// Do registers a user. The same call again (same operation, same password) opens another session of the user that the
// first one made; any other call with a taken address returns ErrEmailExists. Where addresses are shared, none is taken: the call
// does the same, and takes the same time, whoever else has the address.
func (u RegisterUser) Do(ctx context.Context, in Registration) (Grant, error) {
	if u.Closed {
		return Grant{}, ports.ErrSignUpClosed
	}
	email, emailErr := domain.NewEmail(in.Email)
	password, passwordErr := domain.NewPassword(in.Password, domain.PasswordContext(in.Email, in.WorkspaceName)...)
	if err := wrongFields(map[string]error{
		"email": emailErr, "password": passwordErr, "workspace_name": domain.CheckName(in.WorkspaceName),
	}); err != nil {
		return Grant{}, err
	}
	hash, err := u.Check.Passwords.Hash(ctx, password)
	if err != nil {
		return Grant{}, err
	}
	r, err := domain.NewRegistration(email, hash, in.WorkspaceName, in.OperationID, u.Issuer.Now())
	if err != nil {
		return Grant{}, err
	}
	r.SharesAddress = u.Shared != nil
	grant, err := u.Issuer.Open(ctx, r.WorkspaceID, r.UserID, in.Client, "user.register", func(ctx context.Context) error {
		if err := u.Users.Register(ctx, r); err != nil {
			return err
		}
		if err := u.Verify.Ask(ctx, r.UserID, email.String(), in.Language, in.Client); err != nil {
			return err
		}
		return u.Check.Attempts.Pass(ctx, domain.Attempt{Network: domain.Network(in.Client.IP)})
	})
	if errors.Is(err, ports.ErrEmailExists) {
		return u.again(ctx, email, in)
	}
	if err != nil {
		return Grant{}, err
	}
	grant.DeviceToken = u.Check.Devices.Issue(r.UserID, hash, in.DeviceToken)
	return grant, nil
}

// again handles an address that is taken. The call may be a repetition of the one that registered it.
func (u RegisterUser) again(ctx context.Context, email domain.Email, in Registration) (Grant, error) {
	login, err := u.earlier(ctx, email, in.OperationID)
	if err != nil {
		return Grant{}, err
	}
	if login == nil || login.OperationID != in.OperationID {
		return Grant{}, ports.ErrEmailExists
	}
	attempt, err := u.verify(ctx, email, login, in)
	if errors.Is(err, ports.ErrInvalidCredentials) {
		return Grant{}, ports.ErrEmailExists
	}
	if err != nil {
		return Grant{}, err
	}
	grant, err := u.Issuer.Open(ctx, login.WorkspaceID, login.UserID, in.Client, "session.open", func(ctx context.Context) error {
		if err := u.Accounts.ReplacePassword(ctx, login.UserID, login.PasswordHash, login.PasswordHash); err != nil {
			return err // as at log-in
		}
		return u.Check.Attempts.Pass(ctx, attempt)
	})
	if errors.Is(err, ports.ErrPasswordChanged) {
		return Grant{}, ports.ErrEmailExists
	}
	if errors.Is(err, ports.ErrAccountDisabled) {
		return Grant{}, u.Check.Disabled(ctx, attempt)
	}
	if err != nil {
		return Grant{}, err
	}
	grant.DeviceToken = u.Check.Devices.Issue(login.UserID, login.PasswordHash, in.DeviceToken)
	return grant, nil
}

// earlier returns the account that the same call may have registered.
func (u RegisterUser) earlier(ctx context.Context, email domain.Email, operation uuid.UUID) (*domain.Login, error) {
	if u.Shared != nil {
		return u.Shared.FindRegistration(ctx, email, operation)
	}
	return u.Users.FindLogin(ctx, email, uuid.Nil)
}

// verify verifies the password of a repeated call, which counts as a log-in. That of an account which has not proved its
// address has nothing to do with failures of whoever else has it.
func (u RegisterUser) verify(ctx context.Context, email domain.Email, login *domain.Login, in Registration) (domain.Attempt, error) {
	if u.Shared != nil && !login.Verified {
		return u.Check.VerifyOwn(ctx, login, in.Password)
	}
	return u.Check.Verify(ctx, email.String(), in.Password, login, in.Client.IP, in.DeviceToken)
}

func wrongFields(errs map[string]error) error {
	var wrong []fail.Field
	for _, name := range []string{"email", "password", "workspace_name"} {
		if err := errs[name]; err != nil {
			wrong = append(wrong, fail.Field{Field: name, Code: "INVALID", Message: err.Error()})
		}
	}
	return fail.Fields(wrong...)
}
