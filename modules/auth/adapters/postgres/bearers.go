package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	cache "github.com/go-pkgz/expirable-cache/v3"
	"github.com/google/uuid"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// Authenticator finds the principal of a token.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (callctx.Principal, error)
}

// Bearers authenticates API keys, and passes access tokens to another Authenticator. It remembers the key of a text, until OnKeyChanged is
// called for it or rememberFor is over. It does not check that the key is still valid: the database does, when the first
// transaction of the call begins.
type Bearers struct {
	db     *postgres.DB
	tokens Authenticator
	known  cache.Cache[[32]byte, knownKey]
	now    func() time.Time

	mu      sync.Mutex
	used    map[uuid.UUID]keyUse
	changes int // of keys, that this process was notified of
}

// knownKey is what is remembered of a key.
type knownKey struct {
	principal callctx.Principal
	networks  []netip.Prefix // from which it is good; none: any address
}

type keyUse struct {
	workspace   uuid.UUID
	at, written time.Time
}

const (
	rememberedKeys = 10_000
	rememberFor    = 5 * time.Minute // where a notification is lost
	noteUseEvery   = time.Minute
)

// NewBearers makes Bearers.
func NewBearers(db *postgres.DB, tokens Authenticator, now func() time.Time) *Bearers {
	known := cache.NewCache[[32]byte, knownKey]().WithLRU().WithMaxKeys(rememberedKeys).WithTTL(rememberFor)
	return &Bearers{db: db, tokens: tokens, known: known, now: now, used: map[uuid.UUID]keyUse{}}
}

// Authenticate returns the principal of an access token or API key, or fail.ErrUnauthorized; fail.ErrAddressNotAllowed for a key that is
// not good from the address of the client.
func (b *Bearers) Authenticate(ctx context.Context, token string) (callctx.Principal, error) {
	if !strings.HasPrefix(token, domain.KeyPrefix) {
		return b.tokens.Authenticate(ctx, token)
	}
	hash := [32]byte(domain.HashOf(token))
	k, ok := b.known.Get(hash)
	if !ok {
		var err error
		if k, err = b.read(ctx, hash); err != nil {
			return callctx.Principal{}, err
		}
	}
	ip := callctx.From(ctx).IP
	if len(k.networks) > 0 && !slices.ContainsFunc(k.networks, func(network netip.Prefix) bool { return network.Contains(ip) }) {
		return callctx.Principal{}, fail.ErrAddressNotAllowed
	}
	b.note(k.principal)
	return k.principal, nil
}

// read reads a key and remembers it, unless a key has changed meanwhile.
func (b *Bearers) read(ctx context.Context, hash [32]byte) (k knownKey, err error) {
	before := b.changed()
	row, err := authdb.New(b.db.InPipeline(callctx.With(ctx, &callctx.Call{}))).FindKey(ctx, hash[:])
	if postgres.IsMissing(err) {
		return k, fail.ErrUnauthorized
	}
	if err != nil {
		return k, fmt.Errorf("find the API key: %w", err)
	}
	k.principal = callctx.Principal{WorkspaceID: row.WorkspaceID, UserID: row.ID, KeyID: row.ID, SessionID: row.ID}
	inside := callctx.As(ctx, row.WorkspaceID, uuid.Nil)
	stored, err := authdb.New(b.db.InPipeline(inside)).ReadKey(inside, authdb.ReadKeyParams(row))
	if err != nil {
		return k, fmt.Errorf("read the API key: %w", err)
	}
	k.principal.Own, k.networks = domain.Role(stored.Role) == domain.Chat, networksOf(stored.AllowedAddresses)
	k.principal.KeepsCalls = stored.KeepsCalls
	if k.principal.Limits, err = countedLimits(stored.Limits); err != nil {
		return k, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changes == before {
		b.known.Add(hash, k)
	}
	return k, nil
}

func (b *Bearers) changed() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changes
}

// OnKeyChanged forgets a key that has changed, by its id, or all keys where the text is none.
func (b *Bearers) OnKeyChanged(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changes++
	for _, hash := range b.known.Keys() {
		if k, ok := b.known.Peek(hash); id == "" || ok && k.principal.KeyID.String() == id {
			b.known.Invalidate(hash)
		}
	}
}

// countedLimits returns the limits of a key that are stored; nil for none.
func countedLimits(stored json.RawMessage) (*callctx.KeyLimits, error) {
	if stored == nil {
		return nil, nil //nolint:nilnil // no limits are no error
	}
	var by map[domain.KeyMetric]json.RawMessage
	if err := json.Unmarshal(stored, &by); err != nil {
		return nil, fmt.Errorf("decode the limits of the API key: %w", err)
	}
	limits := &callctx.KeyLimits{Requests: by[domain.KeyRequests]}
	delete(by, domain.KeyRequests)
	if len(by) > 0 {
		limits.Turns = stored
	}
	return limits, nil
}

// CountRequest counts a request of the caller where it is an API key whose requests are limited; fail.ErrTooMany where it may make no more.
func (b *Bearers) CountRequest(ctx context.Context) error {
	p := callctx.From(ctx).Principal
	if p.KeyID == uuid.Nil || p.Limits == nil || p.Limits.Requests == nil {
		return nil
	}
	inside := callctx.As(ctx, p.HomeID, uuid.Nil)
	return b.db.WriteOnce(inside, func(ctx context.Context) error {
		return authdb.New(b.db.In(ctx)).CountRequestOfKey(ctx, authdb.CountRequestOfKeyParams{
			WorkspaceID: p.HomeID, ID: p.KeyID, Limits: p.Limits.Requests, Moment: b.now(),
		})
	})
}

// note remembers that a key was used. WriteUses stores it later, outside the call.
func (b *Bearers) note(p callctx.Principal) {
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
		err := b.db.Write(callctx.As(ctx, use.workspace, uuid.Nil), func(ctx context.Context) error {
			return authdb.New(b.db.In(ctx)).NoteKeyUse(ctx, authdb.NoteKeyUseParams{WorkspaceID: use.workspace, ID: id, UsedAt: &use.at, MinuteBefore: &before})
		})
		if err != nil {
			return fmt.Errorf("note the use of an API key: %w", err)
		}
	}
	return nil
}
