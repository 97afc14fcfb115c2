package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
)

// SecondFactors stores authenticators, whose secrets it seals, and counts tries of their codes.
type SecondFactors struct {
	db  *postgres.DB
	box *secret.Box
}

var (
	_ ports.Authenticators = (*SecondFactors)(nil)
	_ ports.Factors        = (*SecondFactors)(nil)
)

// NewSecondFactors makes SecondFactors.
func NewSecondFactors(db *postgres.DB, box *secret.Box) *SecondFactors {
	return &SecondFactors{db, box}
}

func (s *SecondFactors) queries(ctx context.Context) (*authdb.Queries, uuid.UUID) {
	return authdb.New(s.db.In(ctx)), callctx.From(ctx).Principal.UserID
}

// sealedFor returns the additional data of a sealed secret: one that is moved to another row cannot be opened there.
func sealedFor(user, authenticator uuid.UUID) []byte { return slices.Concat(user[:], authenticator[:]) }

func (s *SecondFactors) open(user, authenticator uuid.UUID, sealed []byte) (string, error) {
	plain, err := s.box.Open(sealed, sealedFor(user, authenticator))
	if err != nil {
		return "", fmt.Errorf("open the secret of an authenticator: %w", err)
	}
	return string(plain), nil
}

func (s *SecondFactors) Find(ctx context.Context) (a domain.Authenticator, err error) {
	q, user := s.queries(ctx)
	row, err := q.GetTOTP(ctx, user)
	if postgres.IsMissing(err) {
		return a, ports.ErrNoFactor
	}
	if err != nil {
		return a, fmt.Errorf("read the authenticator: %w", err)
	}
	a = domain.Authenticator{ID: row.ID, UserID: user, LastStep: row.LastStep, CreatedAt: row.CreatedAt, ConfirmedAt: row.ConfirmedAt}
	a.Secret, err = s.open(user, row.ID, row.Sealed)
	return a, err
}

func (s *SecondFactors) Replace(ctx context.Context, a domain.Authenticator) error {
	q, user := s.queries(ctx)
	_, err := q.ReplaceTOTP(ctx, authdb.ReplaceTOTPParams{
		UserID: user, ID: a.ID, Sealed: s.box.Seal([]byte(a.Secret), sealedFor(user, a.ID)), CreatedAt: a.CreatedAt,
	})
	if postgres.IsMissing(err) {
		return ports.ErrFactorExists
	}
	if err != nil {
		return fmt.Errorf("store the authenticator: %w", err)
	}
	return nil
}

func (s *SecondFactors) Confirm(ctx context.Context, a domain.Authenticator, step int64, at time.Time) error {
	q, user := s.queries(ctx)
	_, err := q.ConfirmTOTP(ctx, authdb.ConfirmTOTPParams{UserID: user, ID: a.ID, Step: step, At: &at})
	if postgres.IsMissing(err) {
		return ports.ErrNoFactor
	}
	if err != nil {
		return fmt.Errorf("confirm the authenticator: %w", err)
	}
	return nil
}

func (s *SecondFactors) Remove(ctx context.Context) (wasFactor bool, err error) {
	q, user := s.queries(ctx)
	wasFactor, err = q.RemoveTOTP(ctx, user)
	if postgres.IsMissing(err) {
		return false, ports.ErrNoFactor
	}
	if err != nil {
		return false, fmt.Errorf("remove the authenticator: %w", err)
	}
	if err := q.RemoveRecoveryCodes(ctx, user); err != nil {
		return false, fmt.Errorf("remove the recovery codes: %w", err)
	}
	if err := q.RemoveTickets(ctx, user); err != nil {
		return false, fmt.Errorf("remove the tickets: %w", err)
	}
	return wasFactor, nil
}

func (s *SecondFactors) LockAccount(ctx context.Context, user uuid.UUID) (ports.LockedAccount, error) {
	row, err := authdb.New(s.db.In(ctx)).LockAccount(ctx, user)
	if err != nil {
		return ports.LockedAccount{}, orNoUser(err, "lock the user")
	}
	return ports.LockedAccount{Email: row.Email, PasswordHash: row.PasswordHash, Disabled: row.Disabled, SecondFactor: row.SecondFactor}, nil
}

func (s *SecondFactors) TryTOTP(ctx context.Context) (a domain.Authenticator, err error) {
	q, user := s.queries(ctx)
	row, err := q.TryTOTP(ctx, user)
	if postgres.IsMissing(err) {
		return a, ports.ErrNoFactor
	}
	if err != nil {
		return a, fmt.Errorf("count a try of a code: %w", err)
	}
	if row.WrongCodes > domain.MaxWrongCodes {
		return a, ports.ErrFactorLocked
	}
	a = domain.Authenticator{ID: row.ID, UserID: user, LastStep: row.LastStep}
	a.Secret, err = s.open(user, row.ID, row.Sealed)
	return a, err
}

func (s *SecondFactors) AcceptStep(ctx context.Context, authenticator uuid.UUID, step int64) error {
	q, user := s.queries(ctx)
	_, err := q.AcceptStep(ctx, authdb.AcceptStepParams{UserID: user, ID: authenticator, Step: step})
	if postgres.IsMissing(err) {
		return ports.ErrWrongFactor
	}
	if err != nil {
		return fmt.Errorf("use up a code: %w", err)
	}
	return nil
}

// Stale returns at most limit users whose secrets have to be sealed again, in the order of their ids.
func (s *SecondFactors) Stale(ctx context.Context, after uuid.UUID, limit int) ([]uuid.UUID, error) {
	ids, err := authdb.New(s.db.In(ctx)).UsersToReseal(ctx, authdb.UsersToResealParams{Mark: s.box.Mark().Bytes, After: after, Most: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("look for secrets of authenticators to seal anew: %w", err)
	}
	return ids, nil
}

// Reseal seals the secret of the user of the context with the current key.
func (s *SecondFactors) Reseal(ctx context.Context) (done secret.Batch, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) error {
		q, user := s.queries(ctx)
		row, err := q.GetTOTP(ctx, user)
		if postgres.IsMissing(err) {
			return nil
		}
		if err != nil {
			return err
		}
		again, err := s.box.Reseal(row.Sealed, sealedFor(user, row.ID))
		if !done.Count(again, err) {
			return nil
		}
		return q.ResealTOTP(ctx, authdb.ResealTOTPParams{UserID: user, ID: row.ID, Sealed: again})
	})
	if err != nil {
		return done, fmt.Errorf("seal the secret of an authenticator anew: %w", err)
	}
	return done, nil
}

func methodNames(methods []domain.Method) []string {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = string(m)
	}
	return names
}

func toMethods(names []string) []domain.Method {
	methods := make([]domain.Method, len(names))
	for i, name := range names {
		methods[i] = domain.Method(name)
	}
	return methods
}
