package usage

import (
	"context"
	"fmt"
	"time"

	cache "github.com/go-pkgz/expirable-cache/v3"
	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// Sponsors decides who may use what the operator pays for: callers for whom somebody is responsible who has proved an
// address. It is safe for concurrent use.
type Sponsors struct {
	db       *postgres.DB
	verified cache.Cache[caller, struct{}]
}

type caller struct{ workspace, actor uuid.UUID }

// Limits of what Sponsors remembers. A proof does not end, but who is responsible for a key may change.
const (
	rememberedCallers = 10_000
	rememberedFor     = time.Minute
)

// NewSponsors makes Sponsors.
func NewSponsors(db *postgres.DB) *Sponsors {
	return &Sponsors{db: db, verified: cache.NewCache[caller, struct{}]().WithLRU().WithMaxKeys(rememberedCallers).WithTTL(rememberedFor)}
}

// Admit returns fail.ErrEmailNotVerified where the caller of the context is a user who has not proved an address, or an API
// key or webhook endpoint for which such a user is responsible. For work of nobody in particular an owner of the workspace
// must have proved one.
func (s *Sponsors) Admit(ctx context.Context) error {
	p := callctx.From(ctx).Principal
	who := caller{p.WorkspaceID, p.UserID}
	if _, ok := s.verified.Get(who); ok {
		return nil
	}
	verified, err := platformdb.New(s.db.In(ctx)).HasVerifiedSponsor(ctx, p.UserID)
	if err != nil {
		return fmt.Errorf("look for a proved address: %w", err)
	}
	if !verified {
		return fail.ErrEmailNotVerified
	}
	s.verified.Set(who, struct{}{}, 0)
	return nil
}
