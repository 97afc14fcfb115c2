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
)

// RecoveryCodes stores the hashes of recovery codes.
type RecoveryCodes struct{ db *postgres.DB }

var _ ports.RecoveryCodes = (*RecoveryCodes)(nil)

// NewRecoveryCodes makes RecoveryCodes.
func NewRecoveryCodes(db *postgres.DB) *RecoveryCodes { return &RecoveryCodes{db} }

func (r *RecoveryCodes) queries(ctx context.Context) (*authdb.Queries, uuid.UUID) {
	return authdb.New(r.db.In(ctx)), callctx.From(ctx).Principal.UserID
}

func (r *RecoveryCodes) Replace(ctx context.Context, hashes [][]byte, at time.Time) error {
	q, user := r.queries(ctx)
	if err := q.RemoveRecoveryCodes(ctx, user); err != nil {
		return fmt.Errorf("remove the recovery codes: %w", err)
	}
	return q.AddRecoveryCodes(ctx, authdb.AddRecoveryCodesParams{UserID: user, Hashes: hashes, CreatedAt: at})
}

func (r *RecoveryCodes) Has(ctx context.Context, hash []byte) (bool, error) {
	q, user := r.queries(ctx)
	has, err := q.HasRecoveryCode(ctx, authdb.HasRecoveryCodeParams{UserID: user, CodeHash: hash})
	if err != nil {
		return false, fmt.Errorf("look for a recovery code: %w", err)
	}
	return has, nil
}

func (r *RecoveryCodes) Use(ctx context.Context, hash []byte) error {
	q, user := r.queries(ctx)
	_, err := q.UseRecoveryCode(ctx, authdb.UseRecoveryCodeParams{UserID: user, CodeHash: hash})
	if postgres.IsMissing(err) {
		return ports.ErrWrongFactor
	}
	if err != nil {
		return fmt.Errorf("use up a recovery code: %w", err)
	}
	return q.ForgiveCodes(ctx, user)
}

func (r *RecoveryCodes) Count(ctx context.Context) (int, error) {
	q, user := r.queries(ctx)
	n, err := q.CountRecoveryCodes(ctx, user)
	if err != nil {
		return 0, fmt.Errorf("count the recovery codes: %w", err)
	}
	return int(n), nil
}

// Tickets stores tickets of log-ins.
type Tickets struct{ db *postgres.DB }

var _ ports.Tickets = (*Tickets)(nil)

// NewTickets makes Tickets.
func NewTickets(db *postgres.DB) *Tickets { return &Tickets{db} }

func (t *Tickets) Add(ctx context.Context, ticket domain.Ticket) error {
	q := authdb.New(t.db.In(ctx))
	if err := q.TrimTickets(ctx, authdb.TrimTicketsParams{UserID: ticket.UserID, Keep: domain.TicketsKept - 1}); err != nil {
		return fmt.Errorf("remove old tickets: %w", err)
	}
	return q.AddTicket(ctx, authdb.AddTicketParams{
		UserID: ticket.UserID, TokenHash: ticket.TokenHash, WantedWorkspaceID: known(ticket.WorkspaceID), Methods: methodNames(ticket.Methods),
		PasswordPrint: ticket.PasswordPrint, CreatedAt: ticket.CreatedAt, ExpiresAt: ticket.ExpiresAt,
	})
}

func (t *Tickets) Find(ctx context.Context, hash []byte, at time.Time) (domain.Ticket, error) {
	user := callctx.From(ctx).Principal.UserID
	row, err := authdb.New(t.db.In(ctx)).GetTicket(ctx, authdb.GetTicketParams{UserID: user, TokenHash: hash, At: at, Tries: domain.TicketTries})
	if err != nil {
		return domain.Ticket{}, orBadTicket(err, "read the ticket")
	}
	return domain.Ticket{
		UserID: user, TokenHash: hash, WorkspaceID: row.WorkspaceID, Methods: toMethods(row.Methods), PasswordPrint: row.PasswordPrint,
		CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt,
	}, nil
}

func (t *Tickets) Try(ctx context.Context, ticket domain.Ticket, at time.Time) error {
	_, err := authdb.New(t.db.In(ctx)).TryTicket(ctx, authdb.TryTicketParams{
		UserID: ticket.UserID, TokenHash: ticket.TokenHash, At: at, Tries: domain.TicketTries,
	})
	return orBadTicket(err, "count a try of a ticket")
}

func (t *Tickets) Use(ctx context.Context, ticket domain.Ticket, at time.Time) error {
	_, err := authdb.New(t.db.In(ctx)).UseTicket(ctx, authdb.UseTicketParams{UserID: ticket.UserID, TokenHash: ticket.TokenHash, At: at})
	return orBadTicket(err, "use up a ticket")
}

// Expire removes tickets that are no longer valid.
func (t *Tickets) Expire(ctx context.Context) error {
	return expire(ctx, t.db, "tickets of log-ins", (*authdb.Queries).ExpireTickets)
}

func orBadTicket(err error, doing string) error {
	if postgres.IsMissing(err) {
		return ports.ErrBadTicket
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
