package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/fail"
)

// DeleteAccount removes the account of the caller. What the caller made in workspaces stays theirs.
type DeleteAccount struct {
	Accounts     ports.Accounts
	Check        PasswordCheck
	Departure    ports.Departure
	Members      ports.Members
	Authorities  ports.Authorities
	Workspaces   ports.Workspaces
	Transactions ports.Transactions
}

// LeavingAccount is an account whose user has proved that it may be deleted.
type LeavingAccount struct {
	attempt domain.Attempt
	hash    string
}

// Prepare verifies the password, if the account has one. It is slow and must not run in a transaction.
func (u DeleteAccount) Prepare(ctx context.Context, user uuid.UUID, password string) (LeavingAccount, error) {
	account, err := u.Accounts.Current(ctx)
	if err != nil || account.PasswordHash == "" {
		return LeavingAccount{}, err
	}
	if password == "" {
		return LeavingAccount{}, fail.Fields(fail.Field{Field: "password", Code: "REQUIRED", Message: "must be the password of the account"})
	}
	attempt, err := u.Check.VerifyOwn(ctx, &domain.Login{UserID: user, PasswordHash: account.PasswordHash}, password)
	return LeavingAccount{attempt, account.PasswordHash}, err
}

// Do removes the account in the transaction of the context. It returns ErrSoleOwner, with the workspaces in its details, where
// the user is the only owner of a workspace that is not deleted; the transaction must not continue after an error.
func (u DeleteAccount) Do(ctx context.Context, user uuid.UUID, l LeavingAccount) error {
	if err := u.Departure.Lock(ctx, l.hash); err != nil {
		return err
	}
	if l.hash != "" {
		if err := u.Check.Attempts.Pass(ctx, l.attempt); err != nil {
			return err
		}
	}
	homes, err := u.Departure.Workspaces(ctx)
	if err != nil {
		return err
	}
	var orphans []map[string]any
	for _, home := range homes {
		err := u.Departure.In(ctx, home, func(ctx context.Context) error {
			workspace, err := u.leave(ctx, user)
			if workspace != nil {
				orphans = append(orphans, map[string]any{"id": workspace.ID, "name": workspace.Name})
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(orphans) > 0 {
		return ports.ErrSoleOwner.With("workspaces", orphans)
	}
	return u.Departure.Remove(ctx)
}

// WithoutWorkspace does the same as Do for a user who is signed in to no workspace, in a transaction of its own.
func (u DeleteAccount) WithoutWorkspace(ctx context.Context, user uuid.UUID, l LeavingAccount) error {
	return u.Transactions.As(ctx, uuid.Nil, user, func(ctx context.Context) error { return u.Do(ctx, user, l) })
}

// leave ends the membership in the workspace of the context. If the workspace would be left without an owner, leave returns it
// and changes nothing; one that is deleted needs none.
func (u DeleteAccount) leave(ctx context.Context, user uuid.UUID) (orphan *domain.Workspace, err error) {
	team, err := u.Members.Lock(ctx, user)
	if err != nil {
		return nil, err
	}
	workspace, err := u.Workspaces.Get(ctx)
	if err != nil {
		return nil, err
	}
	if err := team.Leave(user); errors.Is(err, domain.ErrLastOwner) && workspace.DeletedAt == nil {
		return &workspace, nil
	}
	if err := u.Members.Remove(ctx, user); err != nil {
		return nil, err
	}
	ended, err := u.Authorities.End(ctx, user, domain.Authority{})
	if err != nil {
		return nil, err
	}
	return nil, u.Departure.Left(ctx, ended)
}
