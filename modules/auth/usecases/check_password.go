package usecases

import (
	"context"
	"errors"
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

// VerifyAny verifies the password of the accounts of an address as Verify does, the first one first, and returns the account
// that it is of. Where that is another than the first, the attempt counts as a failure all the same: it was a guess at the
// password of the first. The time and the counters say nothing of which of the accounts there are.
func (c PasswordCheck) VerifyAny(ctx context.Context, address, password string, of domain.Candidates, ip netip.Addr, deviceToken string) (*domain.Login, domain.Attempt, error) {
	attempt, err := c.Verify(ctx, address, password, of.First, ip, deviceToken)
	if !errors.Is(err, ports.ErrInvalidCredentials) {
		return of.First, attempt, err
	}
	var found *domain.Login
	for _, login := range of.Unverified {
		hash := "" // which no password matches
		if login != nil {
			hash = login.PasswordHash
		}
		ok, failed := c.Passwords.Verify(ctx, password, hash)
		if failed != nil {
			return nil, domain.Attempt{}, failed
		}
		if ok && found == nil {
			found = login
		}
	}
	if found == nil {
		return nil, domain.Attempt{}, err
	}
	return found, domain.Attempt{Network: domain.Network(ip)}, nil
}

// VerifyOwn verifies the password of a user who is signed in. Failed log-ins of others do not delay it.
func (c PasswordCheck) VerifyOwn(ctx context.Context, login *domain.Login, password string) (domain.Attempt, error) {
	return c.verify(ctx, domain.Origin{Account: login.UserID.String(), Trusted: "sessions"}, login, password)
}

// VerifyWithLink verifies the password of the account of a link, whose token was right. It has a limit of its own, as who has the
// mailbox must not delay who has the account. ErrNotItsPassword for a wrong password.
func (c PasswordCheck) VerifyWithLink(ctx context.Context, login *domain.Login, password string, ip netip.Addr) (domain.Attempt, error) {
	attempt, err := c.verify(ctx, domain.Origin{Account: login.UserID.String(), Trusted: "links", IP: ip}, login, password)
	if errors.Is(err, ports.ErrInvalidCredentials) {
		return attempt, ports.ErrNotItsPassword
	}
	return attempt, err
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
