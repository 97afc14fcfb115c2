package usecases

import (
	"context"
	"net/netip"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// PasswordCheck verifies passwords, and limits how often they may be guessed.
type PasswordCheck struct {
	Attempts  ports.Attempts
	Devices   ports.Devices
	Passwords ports.Passwords
}

// Verify verifies the password of the account of an address; a nil login means that there is no account. It returns
// ErrInvalidCredentials for a wrong password, and ErrTooManyAttempts where the origin has to wait. After a right
// password the caller must end the attempt with Attempts.Pass before it reveals that the password was right.
func (c PasswordCheck) Verify(ctx context.Context, address, password string, login *domain.Login, ip netip.Addr, deviceToken string) (domain.Attempt, error) {
	if login == nil {
		login = &domain.Login{} // an empty hash, which no password matches
	}
	origin := domain.Origin{Account: address, IP: ip, Trusted: c.Devices.Trusted(deviceToken, login.UserID, login.PasswordHash)}
	return c.verify(ctx, origin, login, password)
}

// VerifyOwn verifies the password of a user who is signed in. Failed log-ins of others do not delay it.
func (c PasswordCheck) VerifyOwn(ctx context.Context, login *domain.Login, password string) (domain.Attempt, error) {
	return c.verify(ctx, domain.Origin{Account: login.UserID.String(), Trusted: "sessions"}, login, password)
}

// Disabled ends an attempt whose password was right, for an account that is disabled. It returns ErrAccountDisabled, or
// ErrTooManyAttempts where the origin has to wait by now.
func (c PasswordCheck) Disabled(ctx context.Context, a domain.Attempt) error {
	if err := c.Attempts.Pass(ctx, a); err != nil {
		return err
	}
	return ports.ErrAccountDisabled
}

func (c PasswordCheck) verify(ctx context.Context, origin domain.Origin, login *domain.Login, password string) (domain.Attempt, error) {
	attempt, err := c.Attempts.Begin(ctx, login.UserID, origin)
	if err != nil {
		return domain.Attempt{}, err
	}
	ok, err := c.Passwords.Verify(ctx, password, login.PasswordHash)
	if err != nil {
		return domain.Attempt{}, err
	}
	if ok {
		return attempt, nil
	}
	if err := c.Attempts.Fail(ctx, attempt); err != nil {
		return domain.Attempt{}, err
	}
	return domain.Attempt{}, ports.ErrInvalidCredentials
}
