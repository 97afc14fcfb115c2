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

// LogIn opens a session for an address and a password.
type LogIn struct {
	Users    ports.Users
	Accounts ports.Accounts
	Check    PasswordCheck
	Events   ports.AccountEvents
	Issuer   SessionIssuer
	Shared   ports.SharedAddresses // nil: an address has one account
	Networks ports.Familiars       // where several have it
}

// Credentials are the input of LogIn.
type Credentials struct {
	Email, Password string
	DeviceToken     string    // of an earlier log-in; "" for none
	Workspace       uuid.UUID // the requested workspace; the zero id: any
	Client          domain.Client
}

// Do logs a user in. The session of a user without a workspace is in no workspace. An unknown address costs the same
// time and returns the same errors as a wrong password.
func (u LogIn) Do(ctx context.Context, in Credentials) (Grant, error) {
	email, err := domain.GivenEmail(in.Email)
	if err != nil { // no account has such an address
		if _, err := u.Check.Passwords.Verify(ctx, in.Password, ""); err != nil {
			return Grant{}, err
		}
		return Grant{}, ports.ErrInvalidCredentials
	}
	grant, err := u.open(ctx, email, in)
	if errors.Is(err, ports.ErrPasswordChanged) || errors.Is(err, ports.ErrMembershipEnded) {
		// The stored password may change between the check and the opening. It may only have been hashed again, and the
		// user may now be in another workspace.
		grant, err = u.open(ctx, email, in)
	}
	if errors.Is(err, ports.ErrPasswordChanged) {
		return Grant{}, ports.ErrInvalidCredentials
	}
	return grant, err
}

// open reads the password hash again when it opens the session; ErrPasswordChanged where it has changed in the
// meantime.
func (u LogIn) open(ctx context.Context, email domain.Email, in Credentials) (Grant, error) {
	candidates, err := u.candidates(ctx, email, in)
	if err != nil {
		return Grant{}, err
	}
	login, attempt, err := u.Check.VerifyAny(ctx, email.String(), in.Password, candidates, in.Client.IP, in.DeviceToken)
	if err != nil {
		return Grant{}, err
	}
	if login.WorkspaceID == uuid.Nil && in.Workspace != uuid.Nil { // only after the password was verified
		if err := u.Check.Attempts.Pass(ctx, attempt); err != nil {
			return Grant{}, err
		}
		return Grant{}, u.refuse(ctx, login.UserID, in.Workspace)
	}
	hash, err := u.renewed(ctx, in.Password, login.PasswordHash)
	if err != nil {
		return Grant{}, err
	}
	grant, err := u.Issuer.Open(ctx, login.WorkspaceID, login.UserID, in.Client, "session.open", func(ctx context.Context) error {
		// The hash is replaced even where it is the same: a password that is being changed opens no session that would
		// outlive the change.
		if err := u.Accounts.ReplacePassword(ctx, login.UserID, login.PasswordHash, hash); err != nil {
			return err
		}
		return u.Check.Attempts.Pass(ctx, attempt)
	})
	if errors.Is(err, ports.ErrAccountDisabled) {
		return Grant{}, u.refuseDisabled(ctx, login.UserID, attempt)
	}
	if err != nil {
		return Grant{}, err
	}
	grant.DeviceToken = u.Check.Devices.Issue(login.UserID, hash, in.DeviceToken)
	return grant, nil
}

// candidates returns the accounts of an address. Where several have it, those come first that know the device or the network.
func (u LogIn) candidates(ctx context.Context, email domain.Email, in Credentials) (domain.Candidates, error) {
	if u.Shared == nil {
		login, err := u.Users.FindLogin(ctx, email, in.Workspace)
		return domain.Candidates{First: login}, err
	}
	found, err := u.Shared.FindLogins(ctx, email, in.Workspace, domain.MaxUnverifiedSeen)
	if err != nil {
		return domain.Candidates{}, err
	}
	people := make([]uuid.UUID, len(found))
	for i, login := range found {
		people[i] = login.UserID
	}
	here, err := u.Networks.Familiar(ctx, people, in.Client.IP) // also for nobody: it takes its time
	if err != nil {
		return domain.Candidates{}, err
	}
	return domain.SharedAddress(found, func(l domain.Login) bool {
		return slices.Contains(here, l.UserID) || u.Check.Devices.Trusted(in.DeviceToken, l.UserID, l.PasswordHash) != ""
	}), nil
}

// renewed hashes a password again where its hash was made with outdated parameters; otherwise it returns the same hash.
func (u LogIn) renewed(ctx context.Context, password, hash string) (string, error) {
	if !u.Check.Passwords.Outdated(hash) {
		return hash, nil
	}
	return u.Check.Passwords.Hash(ctx, domain.KnownPassword(password))
}

// refuse records and returns the error for a user who is not a member of the requested workspace.
func (u LogIn) refuse(ctx context.Context, user, wanted uuid.UUID) error {
	err := u.Events.Record(ctx, domain.AccountEvent{
		UserID: user, Action: "session.refuse", Reason: fail.ErrForbidden.Code, WantedWorkspace: wanted,
	})
	if err != nil {
		return err
	}
	return fail.ErrForbidden
}

// refuseDisabled records and returns the error for a user who is disabled.
func (u LogIn) refuseDisabled(ctx context.Context, user uuid.UUID, attempt domain.Attempt) error {
	refusal := u.Check.Disabled(ctx, attempt)
	if !errors.Is(refusal, ports.ErrAccountDisabled) {
		return refusal
	}
	err := u.Events.Record(ctx, domain.AccountEvent{UserID: user, Action: "session.refuse", Reason: ports.ErrAccountDisabled.Code})
	if err != nil {
		return err
	}
	return refusal
}
