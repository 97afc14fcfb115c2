package usecases

import (
	"context"
	"net/netip"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/callctx"
)

// ChangeAPIKey changes an API key that is not revoked.
type ChangeAPIKey struct{ Keys ports.Keys }

// Do changes a key in the transaction of the context and returns it. Addresses are those that it is good from, none of them: any; nil:
// they stay. Errors are ports.ErrKeyNotFound and wrong fields.
func (u ChangeAPIKey) Do(ctx context.Context, id uuid.UUID, change domain.KeyChange, addresses *[]string) (domain.APIKey, error) {
	if addresses != nil {
		change.Networks = &[]netip.Prefix{}
	}
	if addresses != nil && len(*addresses) > 0 {
		networks, err := domain.NewNetworks(*addresses)
		if err != nil {
			return domain.APIKey{}, keyError(err)
		}
		change.Networks = &networks
	}
	key, err := u.Keys.ToChange(ctx, id, callctx.From(ctx).Principal.UserID)
	if err != nil {
		return domain.APIKey{}, err
	}
	if err := key.Change(change); err != nil {
		return domain.APIKey{}, keyError(err)
	}
	return key, u.Keys.Change(ctx, key)
}
