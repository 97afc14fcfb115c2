package usecases

import (
	"context"
	"errors"
	"net/netip"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/fail"
)

// AccountCheck finds out whether who brings the link of an email also has the account that it is of. Who has the mailbox may not: a
// stranger can make an account with any address, and the owner of the address may mistake the email for one about its own account.
type AccountCheck struct {
	Accounts     ports.Accounts
	Check        PasswordCheck
	Transactions ports.Transactions
}

// Bearer is what comes with the token of a link.
type Bearer struct {
	UserID   uuid.UUID // of the session of the call; the zero id: none
	Password string    // of the account of the link; "" for none
	IP       netip.Addr
}

// CheckedBearer is what was found out about a Bearer.
type CheckedBearer struct {
	Proof   domain.Proof // domain.LinkProof or domain.AccountProof
	hash    string       // of the password that was right; "" where none was sent
	attempt domain.Attempt
}

// Prepare does the slow part outside of a transaction: it verifies the password. ErrNotItsPassword for a wrong one, and
// ErrOtherAccount for the session of another account without a password.
func (u AccountCheck) Prepare(ctx context.Context, link domain.AccountLink, b Bearer) (CheckedBearer, error) {
	switch {
	case b.UserID == link.UserID:
		return CheckedBearer{Proof: domain.AccountProof}, nil
	case b.Password == "" && b.UserID != uuid.Nil:
		return CheckedBearer{}, ports.ErrOtherAccount
	case b.Password == "":
		return CheckedBearer{Proof: domain.LinkProof}, nil
	}
	var account domain.Account
	err := u.Transactions.As(ctx, uuid.Nil, link.UserID, func(ctx context.Context) (err error) {
		account, err = u.Accounts.Current(ctx)
		return err
	})
	if errors.Is(err, fail.ErrUnauthorized) { // the account was removed
		return CheckedBearer{}, ports.ErrLinkNotFound
	}
	if err != nil {
		return CheckedBearer{}, err
	}
	attempt, err := u.Check.VerifyWithLink(ctx, &domain.Login{UserID: link.UserID, PasswordHash: account.PasswordHash}, b.Password, b.IP)
	return CheckedBearer{domain.AccountProof, account.PasswordHash, attempt}, err
}

// Do ends the check in the transaction of the context, which must be that of the account. ErrNotItsPassword where the password was
// changed meanwhile.
func (u AccountCheck) Do(ctx context.Context, user uuid.UUID, c CheckedBearer) error {
	if c.hash == "" {
		return nil
	}
	err := u.Accounts.ReplacePassword(ctx, user, c.hash, c.hash)
	if errors.Is(err, ports.ErrPasswordChanged) {
		return ports.ErrNotItsPassword
	}
	if err != nil {
		return err
	}
	return u.Check.Attempts.Pass(ctx, c.attempt)
}
