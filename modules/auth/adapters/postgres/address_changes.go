package postgres

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
)

// AddressChanges changes the addresses of accounts.
type AddressChanges struct{ db *postgres.DB }

var _ ports.AddressChanges = (*AddressChanges)(nil)

// NewAddressChanges makes AddressChanges.
func NewAddressChanges(db *postgres.DB) *AddressChanges { return &AddressChanges{db} }

func (a *AddressChanges) Renew(ctx context.Context, l domain.AccountLink, at time.Time) (until time.Time, err error) {
	until, err = authdb.New(a.db.In(ctx)).RenewAccountLink(ctx, authdb.RenewAccountLinkParams{
		TokenHash: l.TokenHash, UserID: l.UserID, Purpose: string(l.Purpose), Address: l.Address, At: at,
	})
	if postgres.IsMissing(err) {
		return until, ports.ErrLinkNotFound
	}
	if err != nil {
		return until, fmt.Errorf("renew a link: %w", err)
	}
	return until, nil
}

func (a *AddressChanges) Pending(ctx context.Context, user uuid.UUID, at time.Time) (domain.AddressChange, error) {
	from, to, err := a.lock(ctx, user, at)
	return domain.AddressChange{From: from.Address, To: to.Address}, err
}

func (a *AddressChanges) Agree(ctx context.Context, l domain.AccountLink, proof domain.Proof, at time.Time) (domain.AddressChange, error) {
	from, to, err := a.lock(ctx, l.UserID, at)
	if err != nil {
		return domain.AddressChange{}, err
	}
	used, other := from, to
	if l.Purpose == domain.TakesEmail {
		used, other = to, from
		to.WithAccount = proof == domain.AccountProof
	}
	if used.ProvedAt != nil || !bytes.Equal(used.TokenHash, l.TokenHash) {
		return domain.AddressChange{}, ports.ErrLinkNotFound
	}
	err = authdb.New(a.db.In(ctx)).ProveAccountLink(ctx, authdb.ProveAccountLinkParams{
		UserID: l.UserID, Purpose: string(l.Purpose), At: &at, WithAccount: proof == domain.AccountProof,
	})
	return domain.AddressChange{
		From: from.Address, To: to.Address, Agreed: other.ProvedAt != nil, Proof: domain.ProofOf(&at, !to.WithAccount),
	}, err
}

// lock locks and returns the two links of a change.
func (a *AddressChanges) lock(ctx context.Context, user uuid.UUID, at time.Time) (from, to authdb.LockAccountLinksRow, err error) {
	rows, err := authdb.New(a.db.In(ctx)).LockAccountLinks(ctx, authdb.LockAccountLinksParams{UserID: user, Purposes: changePurposes(), At: at})
	if err != nil {
		return from, to, fmt.Errorf("read the links of a change of the address: %w", err)
	}
	if len(rows) != len(changePurposes()) {
		return from, to, ports.ErrLinkNotFound
	}
	return rows[0], rows[1], nil // in the order of their purposes
}

// changePurposes are the purposes of the links of a change, in their order.
func changePurposes() []string {
	return []string{string(domain.LeavesEmail), string(domain.TakesEmail)}
}

func (a *AddressChanges) Apply(ctx context.Context, user uuid.UUID, c domain.AddressChange, at time.Time) error {
	q := authdb.New(a.db.In(ctx))
	free, err := takeAddress(ctx, q, c.To, c.Proof)
	if err == nil && !free {
		return ports.ErrAddressProved
	}
	if err == nil {
		_, err = q.ChangeAddress(ctx, authdb.ChangeAddressParams{
			NextEmail: c.To, At: &at, ByLink: c.Proof == domain.LinkProof, ID: user, Email: c.From,
		})
	}
	switch {
	case err == nil:
		return q.RemoveAccountLinks(ctx, authdb.RemoveAccountLinksParams{UserID: user, Purposes: changePurposes()})
	case postgres.IsMissing(err):
		return ports.ErrLinkNotFound
	case isTaken(err):
		return ports.ErrAddressProved
	default:
		return fmt.Errorf("change the address: %w", err)
	}
}

// formsOf returns the forms in which accounts may have an address.
func formsOf(address string) []string {
	email, err := domain.GivenEmail(address)
	if err != nil {
		return []string{address}
	}
	return email.Forms()
}

// isTaken reports whether another account has proved an address, or claims it.
func isTaken(err error) bool {
	return postgres.Violates(err, "users_email_verified") || postgres.Violates(err, "users_email_key")
}

// SetUp makes sure that the first account is made once.
type SetUp struct{ db *postgres.DB }

var _ ports.SetUp = (*SetUp)(nil)

// NewSetUp makes SetUp.
func NewSetUp(db *postgres.DB) *SetUp { return &SetUp{db} }

func (s *SetUp) Begin(ctx context.Context) (empty bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) error {
		empty, err = authdb.New(s.db.In(ctx)).BeginSetUp(ctx)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look whether there is an account: %w", err)
	}
	return empty, nil
}
