package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
)

// AccountEmails is the queue of emails about accounts.
type AccountEmails struct{ db *postgres.DB }

var _ ports.AccountEmails = (*AccountEmails)(nil)

// NewAccountEmails makes AccountEmails.
func NewAccountEmails(db *postgres.DB) *AccountEmails { return &AccountEmails{db} }

// emailLease is how long a claimed email is held. To send one takes 20 seconds at most, and a process claims what four
// senders do one after another.
const emailLease = 5 * time.Minute

// emailFacts is what a row keeps of an email beside its columns.
type emailFacts struct {
	Device *domain.SeenDevice `json:"device,omitempty"`
}

func (a *AccountEmails) Queue(ctx context.Context, e domain.AccountEmail) error {
	facts, err := json.Marshal(emailFacts{e.Device})
	if err != nil {
		return fmt.Errorf("queue an email about an account: %w", err)
	}
	err = a.db.Write(ctx, func(ctx context.Context) error {
		return authdb.New(a.db.In(ctx)).QueueAccountEmail(ctx, authdb.QueueAccountEmailParams{
			ID: e.ID, Kind: string(e.Kind), UserID: known(e.UserID), Address: e.Address, Language: e.Language, TraceID: e.TraceID,
			Facts: facts,
		})
	})
	if err != nil {
		return fmt.Errorf("queue an email about an account: %w", err)
	}
	return nil
}

func (a *AccountEmails) Claim(ctx context.Context, limit int) (due []domain.AccountEmail, err error) {
	err = a.db.WriteOnce(ctx, func(ctx context.Context) error {
		rows, err := authdb.New(a.db.In(ctx)).ClaimAccountEmails(ctx, authdb.ClaimAccountEmailsParams{
			MaxRows: int32(limit), LeaseSeconds: emailLease.Seconds(),
		})
		for _, r := range rows {
			var facts emailFacts
			if err := json.Unmarshal(r.Facts, &facts); err != nil {
				return err
			}
			due = append(due, domain.AccountEmail{
				ID: r.ID, Kind: domain.EmailKind(r.Kind), UserID: r.UserID, Address: r.Address, Language: r.Language, TraceID: r.TraceID,
				Attempt: int(r.Attempt), CreatedAt: r.CreatedAt, Device: facts.Device,
			})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim emails about accounts: %w", err)
	}
	return due, nil
}

func (a *AccountEmails) Done(ctx context.Context, e domain.AccountEmail) error {
	return a.end(ctx, e, nil)
}

func (a *AccountEmails) Retry(ctx context.Context, e domain.AccountEmail, after time.Duration) error {
	return a.end(ctx, e, new(after.Seconds()))
}

func (a *AccountEmails) end(ctx context.Context, e domain.AccountEmail, again *float64) error {
	err := a.db.Write(ctx, func(ctx context.Context) error {
		return authdb.New(a.db.In(ctx)).EndAccountEmail(ctx, authdb.EndAccountEmailParams{ID: e.ID, Attempt: int32(e.Attempt), AgainSeconds: again})
	})
	if err != nil {
		return fmt.Errorf("end an attempt to send an email: %w", err)
	}
	return nil
}

// AccountLinks stores the links of emails to accounts.
type AccountLinks struct{ db *postgres.DB }

var _ ports.AccountLinks = (*AccountLinks)(nil)

// NewAccountLinks makes AccountLinks.
func NewAccountLinks(db *postgres.DB) *AccountLinks { return &AccountLinks{db} }

func (a *AccountLinks) Replace(ctx context.Context, l domain.AccountLink) error {
	err := authdb.New(a.db.In(ctx)).ReplaceAccountLink(ctx, authdb.ReplaceAccountLinkParams{
		UserID: l.UserID, Purpose: string(l.Purpose), TokenHash: l.TokenHash, CodeHash: l.CodeHash, Address: l.Address,
		CreatedAt: l.CreatedAt, ExpiresAt: l.ExpiresAt,
	})
	if err != nil {
		return fmt.Errorf("store a link: %w", err)
	}
	return nil
}

func (a *AccountLinks) Find(ctx context.Context, purpose domain.LinkPurpose, hash []byte, at time.Time) (domain.AccountLink, error) {
	row, err := authdb.New(a.db.InPipeline(ctx)).FindAccountLink(ctx, authdb.FindAccountLinkParams{Purpose: string(purpose), TokenHash: hash})
	if postgres.IsMissing(err) || err == nil && !at.Before(row.ExpiresAt) {
		return domain.AccountLink{}, ports.ErrLinkNotFound
	}
	if err != nil {
		return domain.AccountLink{}, fmt.Errorf("find a link: %w", err)
	}
	return domain.AccountLink{UserID: row.UserID, Purpose: purpose, Address: row.Address, TokenHash: hash, ExpiresAt: row.ExpiresAt}, nil
}

func (a *AccountLinks) Use(ctx context.Context, l domain.AccountLink, at time.Time) (address string, err error) {
	address, err = authdb.New(a.db.In(ctx)).UseAccountLink(ctx, authdb.UseAccountLinkParams{
		UserID: l.UserID, Purpose: string(l.Purpose), TokenHash: l.TokenHash, At: at,
	})
	if postgres.IsMissing(err) {
		return "", ports.ErrLinkNotFound
	}
	if err != nil {
		return "", fmt.Errorf("use a link: %w", err)
	}
	return address, nil
}

func (a *AccountLinks) Void(ctx context.Context, user uuid.UUID) error {
	purposes := append(changePurposes(), string(domain.ResetsPassword))
	if err := authdb.New(a.db.In(ctx)).RemoveAccountLinks(ctx, authdb.RemoveAccountLinksParams{UserID: user, Purposes: purposes}); err != nil {
		return fmt.Errorf("remove the links of an account: %w", err)
	}
	return nil
}

func (a *AccountLinks) TryCode(ctx context.Context, user uuid.UUID, purpose domain.LinkPurpose, at time.Time) (l domain.AccountLink, err error) {
	err = a.db.Write(ctx, func(ctx context.Context) error {
		row, err := authdb.New(a.db.In(ctx)).TryCode(ctx, authdb.TryCodeParams{UserID: user, Purpose: string(purpose), At: at, Tries: domain.CodeTries})
		l = domain.AccountLink{UserID: user, Purpose: purpose, TokenHash: row.TokenHash, CodeHash: row.CodeHash}
		return err
	})
	if postgres.IsMissing(err) {
		return l, ports.ErrLinkNotFound
	}
	if err != nil {
		return l, fmt.Errorf("count a try of a code: %w", err)
	}
	return l, nil
}

// Expire removes links that are no longer valid.
func (a *AccountLinks) Expire(ctx context.Context) error {
	return expire(ctx, a.db, "links of emails", (*authdb.Queries).ExpireAccountLinks)
}
