package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// Accounts reads and changes the account of the caller.
type Accounts struct{ db *postgres.DB }

// NewAccounts makes Accounts.
func NewAccounts(db *postgres.DB) *Accounts { return &Accounts{db} }

// Current returns the caller's account. It returns fail.ErrUnauthorized where the account was removed.
func (a *Accounts) Current(ctx context.Context) (domain.Account, error) {
	p := callctx.From(ctx).Principal
	row, err := authdb.New(a.db.In(ctx)).GetAccount(ctx, authdb.GetAccountParams{ID: p.UserID, WorkspaceID: p.WorkspaceID})
	if postgres.IsMissing(err) {
		return domain.Account{}, fail.ErrUnauthorized
	}
	if err != nil {
		return domain.Account{}, fmt.Errorf("read the account: %w", err)
	}
	return domain.Account{Email: row.Email, PasswordHash: row.PasswordHash, WorkspaceName: row.WorkspaceName}, nil
}

func (a *Accounts) User(ctx context.Context) (domain.User, error) {
	row, err := authdb.New(a.db.In(ctx)).DescribeUser(ctx, callctx.From(ctx).Principal.UserID)
	if err != nil {
		return domain.User{}, orNoUser(err, "read the user")
	}
	return domain.User(row), nil
}

func (a *Accounts) VerifyAddress(ctx context.Context, user uuid.UUID, address string, proof domain.Proof, at time.Time) error {
	q := authdb.New(a.db.In(ctx))
	free, err := takeAddress(ctx, q, address, proof)
	if err == nil && !free {
		return ports.ErrAddressProved
	}
	if err == nil {
		_, err = q.VerifyAddress(ctx, authdb.VerifyAddressParams{ID: user, Email: address, At: &at, ByLink: proof == domain.LinkProof})
	}
	switch {
	case err == nil, postgres.IsMissing(err): // it has another address by now
		return nil
	case isTaken(err):
		return ports.ErrAddressProved
	default:
		return fmt.Errorf("note that the address is proved: %w", err)
	}
}

// takeAddress takes an address, in all its forms, from accounts whose proof of it is weaker; false where there is another.
func takeAddress(ctx context.Context, q *authdb.Queries, address string, proof domain.Proof) (bool, error) {
	if proof == domain.LinkProof {
		return q.YieldAddress(ctx, formsOf(address))
	}
	return q.TakeAddress(ctx, formsOf(address))
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
