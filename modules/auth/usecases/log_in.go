package usecases

import (
	"context"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// LogIn opens a session with an address and a password.
type LogIn struct {
	Users     ports.Users
	Passwords ports.Passwords
	Opener    Opener
}

// Credentials are what LogIn is given.
type Credentials struct {
	Email, Password string
	Client          domain.Client
}

// Do logs in. An unknown address costs the same time and gives the same answer as a wrong password.
func (u LogIn) Do(ctx context.Context, in Credentials) (Grant, error) {
	login := &domain.Login{} // nobody, whose empty hash no password fits
	if email, err := domain.NewEmail(in.Email); err == nil {
		found, err := u.Users.FindLogin(ctx, email)
		if err != nil {
			return Grant{}, err
		}
		if found != nil {
			login = found
		}
	}
	ok, err := u.Passwords.Verify(ctx, in.Password, login.PasswordHash)
	if err != nil {
		return Grant{}, err
	}
	if !ok {
		return Grant{}, ports.ErrInvalidCredentials
	}
	return u.Opener.Open(ctx, login.WorkspaceID, login.UserID, in.Client, "session.open", nil)
}
