// Package argon2id hashes passwords with argon2id (RFC 9106) in the parameters that OWASP recommends: 19 MiB, two
// passes, one lane, some 50 ms.
package argon2id

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/alexedwards/argon2id"
	"golang.org/x/sync/semaphore"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/fail"
)

// Passwords implements ports.Passwords. At most as many hashes are worked on at once as there are cores; beyond a
// bounded queue callers are told to come back.
type Passwords struct {
	params  *argon2id.Params
	slots   *semaphore.Weighted
	waiting atomic.Int64
	queue   int64
	nobody  string // a hash that no password fits
}

// queuePerCore bounds the wait to about two seconds.
const queuePerCore = 40

// ErrBusy says that too many passwords are being hashed.
var ErrBusy = fail.New(fail.Unavailable, "DOWNSTREAM_UNAVAILABLE", "too many people are signing in at once: try again in a moment").After(2 * time.Second)

// New makes Passwords.
func New() (*Passwords, error) {
	cores := int64(runtime.GOMAXPROCS(0))
	p := &Passwords{
		params: &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32},
		slots:  semaphore.NewWeighted(cores),
		queue:  cores * queuePerCore,
	}
	var err error
	if p.nobody, err = argon2id.CreateHash("nobody's password", p.params); err != nil {
		return nil, fmt.Errorf("hash a password: %w", err)
	}
	return p, nil
}

// Hash implements ports.Passwords.
func (p *Passwords) Hash(ctx context.Context, password domain.Password) (hash string, err error) {
	err = p.inTurn(ctx, func() error {
		hash, err = argon2id.CreateHash(password.Reveal(), p.params)
		return err
	})
	return hash, err
}

// Verify implements ports.Passwords.
func (p *Passwords) Verify(ctx context.Context, password, hash string) (ok bool, err error) {
	known := hash != ""
	if !known {
		hash = p.nobody
	}
	err = p.inTurn(ctx, func() error {
		for _, form := range domain.PasswordForms(password) {
			if ok, err = argon2id.ComparePasswordAndHash(form, hash); ok || err != nil {
				return err
			}
		}
		return nil
	})
	return ok && known, err
}

// Outdated implements ports.Passwords.
func (p *Passwords) Outdated(hash string) bool {
	params, _, _, err := argon2id.DecodeHash(hash)
	return err != nil || *params != *p.params
}

func (p *Passwords) inTurn(ctx context.Context, work func() error) error {
	defer p.waiting.Add(-1)
	if p.waiting.Add(1) > p.queue {
		return ErrBusy
	}
	if err := p.slots.Acquire(ctx, 1); err != nil {
		return ErrBusy.Because(err)
	}
	defer p.slots.Release(1)
	if err := work(); err != nil {
		return fmt.Errorf("hash a password: %w", err)
	}
	return nil
}
