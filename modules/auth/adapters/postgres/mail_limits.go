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
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/fail"
)

// MailLimits counts emails. A counter is stored under a keyed hash of its purpose and of whom it counts.
type MailLimits struct {
	db  *postgres.DB
	key []byte
	now func() time.Time
}

var _ ports.MailLimits = (*MailLimits)(nil)

// NewMailLimits makes MailLimits.
func NewMailLimits(db *postgres.DB, key []byte, now func() time.Time) *MailLimits {
	return &MailLimits{db, key, now}
}

const invitations = "invitations" // a purpose

func (m *MailLimits) scope(purpose, kind, of string) []byte {
	mac := hmac.New(sha256.New, m.key)
	_, _ = fmt.Fprintf(mac, "%s of %s %s", purpose, kind, of)
	return mac.Sum(nil)
}

// CountInvitation counts an invitation in one round trip.
func (m *MailLimits) CountInvitation(ctx context.Context, workspace, inviter uuid.UUID, daily int64) error {
	exceeded, err := authdb.New(m.db.In(ctx)).CountMail(ctx, authdb.CountMailParams{
		Scopes: [][]byte{m.scope(invitations, "workspace", workspace.String()), m.scope(invitations, "inviter", inviter.String())},
		Limits: []int64{daily, daily},
	})
	if err != nil {
		return fmt.Errorf("count the invitation: %w", err)
	}
	if exceeded == 0 {
		return nil
	}
	tomorrow := m.now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	return fail.ErrLimitReached.With("metric", "invitations").With("limit", daily).With("used", daily).With("resets_at", tomorrow)
}

// Announce checks and counts an email in one round trip.
func (m *MailLimits) Announce(ctx context.Context, email domain.Email) (bool, error) {
	announced, err := authdb.New(m.db.In(ctx)).AnnounceInvitation(ctx, authdb.AnnounceInvitationParams{
		Address: email.String(), Mailbox: m.scope(invitations, "mailbox", email.Mailbox()),
	})
	if err != nil {
		return false, fmt.Errorf("count the email: %w", err)
	}
	return announced, nil
}

// Limits of emails of a kind that a mailbox receives in a day.
const (
	accountEmailsDaily   = 5  // those that one network has asked for, or all where it does not matter who has
	strangersEmailsDaily = 15 // those that all networks have asked for that the account does not know
)

// CountAccountEmail counts an email in one round trip.
func (m *MailLimits) CountAccountEmail(ctx context.Context, kind domain.EmailKind, email domain.Email, by domain.EmailAsker) (bool, error) {
	all := m.scope(string(kind), "mailbox", email.Mailbox())
	params := authdb.CountMailParams{Scopes: [][]byte{all}, Limits: []int64{accountEmailsDaily}}
	if by.Network != "" {
		params.Scopes = [][]byte{m.scope(string(kind), "mailbox", email.Mailbox()+" for "+by.Network)}
		if !by.Known {
			params.Scopes, params.Limits = append(params.Scopes, all), append(params.Limits, strangersEmailsDaily)
		}
	}
	exceeded, err := authdb.New(m.db.In(ctx)).CountMail(ctx, params)
	if err != nil {
		return false, fmt.Errorf("count the email: %w", err)
	}
	return exceeded == 0, nil
}

// Forget removes the counters of past days.
func (m *MailLimits) Forget(ctx context.Context) error {
	return m.db.Write(ctx, func(ctx context.Context) error { return authdb.New(m.db.In(ctx)).ForgetMailCounts(ctx) })
}
