package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
)

// SignIns stores sign-ins that have come back from identity providers.
type SignIns struct{ db *postgres.DB }

var _ ports.SignIns = (*SignIns)(nil)

// NewSignIns makes SignIns.
func NewSignIns(db *postgres.DB) *SignIns { return &SignIns{db} }

func (s *SignIns) Claim(ctx context.Context, state string, until time.Time) error {
	var first bool
	err := s.db.WriteOnce(ctx, func(ctx context.Context) (err error) {
		first, err = authdb.New(s.db.In(ctx)).ClaimSignIn(ctx, authdb.ClaimSignInParams{StateHash: domain.HashOf(state), ExpiresAt: until})
		return err
	})
	if err != nil {
		return fmt.Errorf("claim the state of a sign-in: %w", err)
	}
	if !first {
		return ports.ErrSignInState
	}
	return nil
}

func (s *SignIns) Finish(ctx context.Context, state string, done domain.FinishedSignIn, codeHash []byte) error {
	claims, err := json.Marshal(done.Assertion)
	if err != nil {
		return fmt.Errorf("encode a sign-in: %w", err)
	}
	err = s.db.Write(ctx, func(ctx context.Context) error {
		return authdb.New(s.db.In(ctx)).FinishSignIn(ctx, authdb.FinishSignInParams{
			StateHash: domain.HashOf(state), CodeHash: codeHash, BrowserHash: done.BrowserHash, Challenge: done.Challenge, Claims: claims,
			EndsAt: done.ExpiresAt,
		})
	})
	if err != nil {
		return fmt.Errorf("store a sign-in: %w", err)
	}
	return nil
}

func (s *SignIns) Find(ctx context.Context, codeHash []byte) (domain.FinishedSignIn, error) {
	row, err := authdb.New(s.db.InPipeline(ctx)).FindSignIn(ctx, codeHash)
	if postgres.IsMissing(err) {
		return domain.FinishedSignIn{}, ports.ErrSignInCode
	}
	if err != nil {
		return domain.FinishedSignIn{}, fmt.Errorf("find a sign-in: %w", err)
	}
	done := domain.FinishedSignIn{BrowserHash: row.BrowserHash, Challenge: row.Challenge, ExpiresAt: row.CodeEndsAt}
	if err := json.Unmarshal(row.Claims, &done.Assertion); err != nil {
		return domain.FinishedSignIn{}, fmt.Errorf("read a sign-in: %w", err)
	}
	return done, nil
}

func (s *SignIns) Use(ctx context.Context, codeHash []byte) error {
	var first bool
	err := s.db.WriteOnce(ctx, func(ctx context.Context) (err error) {
		first, err = authdb.New(s.db.In(ctx)).UseSignIn(ctx, codeHash)
		return err
	})
	if err != nil {
		return fmt.Errorf("use the code of a sign-in: %w", err)
	}
	if !first {
		return ports.ErrSignInCode
	}
	return nil
}

// Expire removes sign-ins whose state has ended.
func (s *SignIns) Expire(ctx context.Context) error {
	return expire(ctx, s.db, "sign-ins", (*authdb.Queries).ExpireSignIns)
}
