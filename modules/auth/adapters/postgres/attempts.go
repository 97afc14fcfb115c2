package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	cache "github.com/go-pkgz/expirable-cache/v3"
	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/data/postgres"
)

// Attempts stores failed log-ins, and the networks of log-ins that succeeded. Addresses and networks are stored as
// keyed hashes. It is safe for concurrent use.
type Attempts struct {
	db       *postgres.DB
	key      []byte
	networks cache.Cache[[sha256.Size]byte, struct{}] // hashes of those that somebody has logged in from
	mu       sync.Mutex
	readTo   time.Time // how far the networks of the database were read
}

const rememberedNetworks = 32_768 // some 5 MB

var _ ports.Attempts = (*Attempts)(nil)

// NewAttempts makes Attempts.
func NewAttempts(db *postgres.DB, key []byte) *Attempts {
	networks := cache.NewCache[[sha256.Size]byte, struct{}]().WithLRU().WithMaxKeys(rememberedNetworks)
	return &Attempts{db: db, key: key, networks: networks}
}

// Knows reports whether anybody has logged in from the network of an address. It looks only at the networks in the
// memory of this process.
func (a *Attempts) Knows(ip netip.Addr) bool {
	network := domain.Network(ip)
	if network == "" {
		return false
	}
	_, known := a.networks.Get([sha256.Size]byte(a.hash(network)))
	return known
}

// ReadNetworks reads the networks from which users have logged in since the last call, including those that other
// processes stored.
func (a *Attempts) ReadNetworks(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	rows, err := authdb.New(a.db.In(ctx)).RecentNetworks(ctx, authdb.RecentNetworksParams{After: a.readTo, Most: rememberedNetworks})
	if err != nil {
		return fmt.Errorf("read the networks of log-ins: %w", err)
	}
	for _, row := range slices.Backward(rows) { // the newest last, as the oldest are forgotten
		a.networks.Set([sha256.Size]byte(row.Network), struct{}{}, 0)
	}
	if len(rows) > 0 { // a transaction may commit later than its time says
		a.readTo = rows[0].UsedAt.Add(-time.Minute)
	}
	return nil
}

// Familiar returns who of some people has logged in from the network of an address.
func (a *Attempts) Familiar(ctx context.Context, people []uuid.UUID, ip netip.Addr) ([]uuid.UUID, error) {
	familiar, err := authdb.New(a.db.InPipeline(ctx)).KnownToNetwork(ctx, authdb.KnownToNetworkParams{
		People: people, Network: a.hash(domain.Network(ip)),
	})
	if err != nil {
		return nil, fmt.Errorf("look for who has logged in from a network: %w", err)
	}
	return familiar, nil
}

// hash returns the keyed hash of a text; nil for "".
func (a *Attempts) hash(text string) []byte {
	if text == "" {
		return nil
	}
	mac := hmac.New(sha256.New, a.key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// Begin reads the state of an account and an origin in one round trip. It costs the same for addresses without an
// account.
func (a *Attempts) Begin(ctx context.Context, user uuid.UUID, origin domain.Origin) (domain.Attempt, error) {
	known, unknown := origin.Known(), origin.Unknown()
	standing, err := authdb.New(a.db.InPipeline(ctx)).LoginStanding(ctx, authdb.LoginStandingParams{
		UserID: user, Network: a.hash(known.Network), Account: a.hash(unknown.Account),
		Counters: [][]byte{a.hash(known.Counter), a.hash(unknown.Counter)},
	})
	if err != nil {
		return domain.Attempt{}, fmt.Errorf("look for failed attempts: %w", err)
	}
	known.Begun, unknown.Begun = standing.At, standing.At
	if origin.Trusted != "" || standing.Known {
		return known, tooMany(standing.Waits[0])
	}
	return unknown, tooMany(max(standing.Waits[1], standing.AccountWait))
}

// Fail counts a failed attempt in a transaction of its own, which commits before it returns.
func (a *Attempts) Fail(ctx context.Context, attempt domain.Attempt) error {
	var wait float64
	err := a.db.WriteOnce(ctx, func(ctx context.Context) (err error) {
		wait, err = authdb.New(a.db.In(ctx)).FailLogin(ctx, authdb.FailLoginParams{
			Counter: a.hash(attempt.Counter), Account: a.hash(attempt.Account), Begun: attempt.Begun,
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
			Counter: a.hash(attempt.Counter), Account: a.hash(attempt.Account), Network: a.hash(attempt.Network), Begun: attempt.Begun,
		})
		if err != nil {
			return fmt.Errorf("end the attempt: %w", err)
		}
		if wait == 0 && attempt.Network != "" {
			a.networks.Set([sha256.Size]byte(a.hash(attempt.Network)), struct{}{}, 0)
		}
		return tooMany(wait)
	})
}

// Forget removes failures that are a day old, and networks that have not been used for half a year.
func (a *Attempts) Forget(ctx context.Context) error {
	return a.db.Write(ctx, func(ctx context.Context) error { return authdb.New(a.db.In(ctx)).ForgetLoginAttempts(ctx) })
}

func tooMany(wait float64) error {
	if wait > 0 {
		return ports.ErrTooManyAttempts.After(time.Duration(wait * float64(time.Second)))
	}
	return nil
}
