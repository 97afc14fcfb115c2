// Package argon2id hashes passwords with argon2id (RFC 9106) in the parameters that OWASP recommends: 19 MiB, two
// passes, one lane, some 50 ms.
package argon2id

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// Passwords hashes and verifies passwords. It works on one hash fewer at once than there are cores, and on at least
// one. Callers from networks and devices that logged in before, and callers who are signed in, go before others. Known
// callers and others have one bounded queue each; when that queue is full, a caller receives ErrBusy. It is safe for
// concurrent use.
type Passwords struct {
	params *argon2id.Params
	lanes  *lanes
	nobody string // a hash that no password fits
}

// queuePerSlot is how many callers may wait for each slot. It bounds the wait to about two seconds.
const queuePerSlot = 40

// errBusy says that too many passwords are being hashed.
var errBusy = fail.New(fail.Unavailable, "DOWNSTREAM_UNAVAILABLE", "too many people are signing in at once: try again in a moment").After(2 * time.Second)

// New makes Passwords.
func New() (*Passwords, error) {
	return newPasswords(&argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32})
}

// NewForTests makes Passwords whose hashes cost a tenth of a millisecond and protect nothing.
func NewForTests() (*Passwords, error) {
	return newPasswords(&argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
}

func newPasswords(params *argon2id.Params) (*Passwords, error) {
	slots := Slots()
	p := &Passwords{
		params: params,
		lanes:  &lanes{free: slots, longest: slots * queuePerSlot},
	}
	var err error
	if p.nobody, err = argon2id.CreateHash("nobody's password", p.params); err != nil {
		return nil, fmt.Errorf("hash a password: %w", err)
	}
	return p, nil
}

// Slots returns how many hashes are worked on at once.
func Slots() int { return max(1, runtime.GOMAXPROCS(0)-1) }

func (p *Passwords) Hash(ctx context.Context, password domain.Password) (hash string, err error) {
	err = p.inTurn(ctx, func() error {
		hash, err = argon2id.CreateHash(password.Reveal(), p.params)
		return err
	})
	return hash, err
}

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

func (p *Passwords) Outdated(hash string) bool {
	params, _, _, err := argon2id.DecodeHash(hash)
	return err != nil || *params != *p.params
}

func (p *Passwords) inTurn(ctx context.Context, work func() error) error {
	if !p.lanes.acquire(ctx, laneOf(ctx)) {
		return errBusy.Because(ctx.Err())
	}
	defer p.lanes.release()
	if err := work(); err != nil {
		return fmt.Errorf("hash a password: %w", err)
	}
	return nil
}

// laneOf returns the queue in which a call waits. What the password is for, such as an account, makes no difference.
func laneOf(ctx context.Context) lane {
	if c := callctx.From(ctx); c.Familiar || c.Principal.UserID != uuid.Nil {
		return familiar
	}
	return unknown
}
