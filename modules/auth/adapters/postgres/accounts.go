package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/postgres"
)

// Accounts implements ports.Accounts.
type Accounts struct{ db *postgres.DB }

// NewAccounts makes Accounts.
func NewAccounts(db *postgres.DB) *Accounts { return &Accounts{db} }

// Current gives the caller's account; fail.ErrUnauthorized where it was removed.
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

// ReplacePassword implements ports.Accounts.
func (a *Accounts) ReplacePassword(ctx context.Context, user uuid.UUID, oldHash, newHash string) error {
	_, err := authdb.New(a.db.In(ctx)).ReplacePasswordHash(ctx, authdb.ReplacePasswordHashParams{
		ID: user, OldHash: oldHash, NewHash: newHash,
	})
	if postgres.IsMissing(err) {
		return ports.ErrPasswordChanged
	}
	if err != nil {
		return fmt.Errorf("replace the password's hash: %w", err)
	}
	return nil
}

// Attempts implements ports.Attempts. Targets are kept as a keyed hash.
type Attempts struct {
	db  *postgres.DB
	key []byte
}

// NewAttempts makes Attempts.
func NewAttempts(db *postgres.DB, key []byte) *Attempts { return &Attempts{db, key} }

func (a *Attempts) hash(target string) []byte {
	mac := hmac.New(sha256.New, a.key)
	mac.Write([]byte(target))
	return mac.Sum(nil)
}

// Begin implements ports.Attempts. It commits at once, whatever comes of the attempt.
func (a *Attempts) Begin(ctx context.Context, target string) error {
	var wait float64
	err := a.db.WriteOnce(ctx, func(ctx context.Context) (err error) {
		wait, err = authdb.New(a.db.In(ctx)).BeginLogin(ctx, a.hash(target))
		return err
	})
	if err != nil {
		return fmt.Errorf("count the attempt: %w", err)
	}
	if wait > 0 {
		return ports.ErrTooManyAttempts.After(time.Duration(wait * float64(time.Second)))
	}
	return nil
}

// Forget removes the counts of targets that nobody has tried for a day.
func (a *Attempts) Forget(ctx context.Context) error {
	return a.db.Write(ctx, func(ctx context.Context) error { return authdb.New(a.db.In(ctx)).ForgetLoginAttempts(ctx) })
}

// Succeeded implements ports.Attempts.
func (a *Attempts) Succeeded(ctx context.Context, target string) error {
	return authdb.New(a.db.In(ctx)).EndLogin(ctx, a.hash(target))
}
