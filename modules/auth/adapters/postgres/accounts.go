package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/postgres"
)

// Accounts reads and changes the password of the caller.
type Accounts struct{ db *postgres.DB }

// NewAccounts makes Accounts.
func NewAccounts(db *postgres.DB) *Accounts { return &Accounts{db} }

// Current returns the caller's account. It returns fail.ErrUnauthorized where the account was removed.
func (a *Accounts) Current(ctx context.Context) (domain.Account, error) {
	p := call.From(ctx).Principal
	row, err := authdb.New(a.db.In(ctx)).GetAccount(ctx, authdb.GetAccountParams{ID: p.UserID, WorkspaceID: p.WorkspaceID})
	if postgres.IsMissing(err) {
		return domain.Account{}, fail.ErrUnauthorized
	}
	if err != nil {
		return domain.Account{}, fmt.Errorf("read the account: %w", err)
	}
	return domain.Account{Email: row.Email, PasswordHash: row.PasswordHash, WorkspaceName: row.WorkspaceName}, nil
}

func (a *Accounts) ReplacePassword(ctx context.Context, user uuid.UUID, oldHash, newHash string) error {
	row, err := authdb.New(a.db.In(ctx)).ReplacePasswordHash(ctx, authdb.ReplacePasswordHashParams{
		ID: user, OldHash: oldHash, NewHash: newHash,
	})
	if postgres.IsMissing(err) {
		return ports.ErrPasswordChanged
	}
	if err != nil {
		return fmt.Errorf("replace the password's hash: %w", err)
	}
	if row.Disabled {
		return ports.ErrAccountDisabled
	}
	return nil
}
