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
	"github.com/parley/parley/platform/postgres"
)

// Attempts keeps failed log-ins, and the networks of those that succeeded. Addresses and networks are kept as keyed hashes.
type Attempts struct {
	db  *postgres.DB
	key []byte
}

var _ ports.Attempts = (*Attempts)(nil)

// NewAttempts makes Attempts.
func NewAttempts(db *postgres.DB, key []byte) *Attempts { return &Attempts{db, key} }

// hash gives the keyed hash of a text; nil for "".
func (a *Attempts) hash(text string) []byte {
	if text == "" {
		return nil
	}
	mac := hmac.New(sha256.New, a.key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// Begin asks how the account stands to an origin: one round trip, the same for accounts that nobody has.
func (a *Attempts) Begin(ctx context.Context, user uuid.UUID, origin domain.Origin) (domain.Attempt, error) {
	known, unknown := origin.Known(), origin.Unknown()
	standing, err := authdb.New(a.db.InPipeline(ctx)).LoginStanding(ctx, authdb.LoginStandingParams{
		UserID: user, Network: a.hash(known.Network), Account: a.hash(unknown.Account),
		Counters: [][]byte{a.hash(known.Counter), a.hash(unknown.Counter)},
	})
	if err != nil {
		return domain.Attempt{}, fmt.Errorf("look for failed attempts: %w", err)
	}
	if origin.Trusted != "" || standing.Known {
		return known, tooMany(standing.Waits[0])
	}
	return unknown, tooMany(max(standing.Waits[1], standing.AccountWait))
}

// Fail commits at once.
func (a *Attempts) Fail(ctx context.Context, attempt domain.Attempt) error {
	var wait float64
	err := a.db.WriteOnce(ctx, func(ctx context.Context) (err error) {
		wait, err = authdb.New(a.db.In(ctx)).FailLogin(ctx, authdb.FailLoginParams{
			Counter: a.hash(attempt.Counter), Account: a.hash(attempt.Account),
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("count the failed attempt: %w", err)
	}
	return tooMany(wait)
}

// Pass runs in the transaction of the context, or in one of its own.
func (a *Attempts) Pass(ctx context.Context, attempt domain.Attempt) error {
	return a.db.Write(ctx, func(ctx context.Context) error {
		wait, err := authdb.New(a.db.In(ctx)).PassLogin(ctx, authdb.PassLoginParams{
			Counter: a.hash(attempt.Counter), Account: a.hash(attempt.Account), Network: a.hash(attempt.Network),
		})
		if err != nil {
			return fmt.Errorf("end the attempt: %w", err)
		}
		return tooMany(wait)
	})
}

// Forget removes failures that are a day old, and networks that were not used for half a year.
func (a *Attempts) Forget(ctx context.Context) error {
	return a.db.Write(ctx, func(ctx context.Context) error { return authdb.New(a.db.In(ctx)).ForgetLoginAttempts(ctx) })
}

func tooMany(wait float64) error {
	if wait > 0 {
		return ports.ErrTooManyAttempts.After(time.Duration(wait * float64(time.Second)))
	}
	return nil
}
