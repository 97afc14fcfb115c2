package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	cache "github.com/go-pkgz/expirable-cache/v3"
	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/postgres"
)

// Authenticator finds the principal of a token.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (call.Principal, error)
}

// Bearers authenticates API keys, and passes access tokens to another Authenticator. It remembers which key a text is,
// because that never changes. It does not check that the key is still valid: the database does, when the first
// transaction of the call begins.
type Bearers struct {
	db     *postgres.DB
	tokens Authenticator
	known  cache.Cache[[32]byte, call.Principal]
	now    func() time.Time

	mu   sync.Mutex
	used map[uuid.UUID]keyUse
}

type keyUse struct {
	workspace   uuid.UUID
	at, written time.Time
}

const (
	rememberedKeys = 10_000
	noteUseEvery   = time.Minute
)

// NewBearers makes Bearers.
func NewBearers(db *postgres.DB, tokens Authenticator, now func() time.Time) *Bearers {
	known := cache.NewCache[[32]byte, call.Principal]().WithLRU().WithMaxKeys(rememberedKeys)
	return &Bearers{db: db, tokens: tokens, known: known, now: now, used: map[uuid.UUID]keyUse{}}
}

// Authenticate returns the principal of an access token or API key, or fail.ErrUnauthorized.
func (b *Bearers) Authenticate(ctx context.Context, token string) (call.Principal, error) {
	if !strings.HasPrefix(token, domain.KeyPrefix) {
		return b.tokens.Authenticate(ctx, token)
	}
	hash := [32]byte(domain.HashOf(token))
	p, ok := b.known.Get(hash)
	if !ok {
		row, err := authdb.New(b.db.InPipeline(call.With(ctx, &call.Call{}))).FindKey(ctx, hash[:])
		if postgres.IsMissing(err) {
			return call.Principal{}, fail.ErrUnauthorized
		}
		if err != nil {
			return call.Principal{}, fmt.Errorf("find the API key: %w", err)
		}
		p = call.Principal{WorkspaceID: row.WorkspaceID, UserID: row.ID, KeyID: row.ID, SessionID: row.ID}
		b.known.Add(hash, p)
	}
	b.note(p)
	return p, nil
}

// note remembers that a key was used. WriteUses stores it later, outside the call.
func (b *Bearers) note(p call.Principal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	use := b.used[p.KeyID]
	use.workspace, use.at = p.WorkspaceID, b.now()
	b.used[p.KeyID] = use
}

// due returns the uses to be stored, each key at most once a minute. It forgets keys that have not been used since.
func (b *Bearers) due() map[uuid.UUID]keyUse {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, due := b.now(), map[uuid.UUID]keyUse{}
	for id, use := range b.used {
		if now.Sub(use.written) < noteUseEvery {
			continue
		}
		if !use.at.After(use.written) {
			delete(b.used, id)
			continue
		}
		due[id] = use
		use.written = now
		b.used[id] = use
	}
	return due
}

// WriteUses stores when keys were last used. It skips keys that are no longer valid.
func (b *Bearers) WriteUses(ctx context.Context) error {
	for id, use := range b.due() {
		before := use.at.Add(-noteUseEvery)
		err := b.db.Write(call.As(ctx, use.workspace, uuid.Nil), func(ctx context.Context) error {
			return authdb.New(b.db.In(ctx)).NoteKeyUse(ctx, authdb.NoteKeyUseParams{WorkspaceID: use.workspace, ID: id, UsedAt: &use.at, MinuteBefore: &before})
		})
		if err != nil {
			return fmt.Errorf("note the use of an API key: %w", err)
		}
	}
	return nil
}
