package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/fail"
)

// CreateAPIKey makes a key for a program.
type CreateAPIKey struct {
	Keys ports.Keys
	Now  func() time.Time
}

// Do makes the requested key, which is good from some addresses and networks only where these are not nil. It returns the text of the key, which is not stored and cannot be read later.
func (u CreateAPIKey) Do(ctx context.Context, wanted domain.APIKey, addresses *[]string) (key domain.APIKey, text string, err error) {
	if addresses != nil {
		wanted.Networks, err = domain.NewNetworks(*addresses)
	}
	if err == nil {
		key, text, err = domain.NewAPIKey(wanted, u.Now())
	}
	if err != nil {
		return domain.APIKey{}, "", keyError(err)
	}
	return key, text, u.Keys.Create(ctx, key, domain.HashOf(text))
}

// keyError returns an error of the domain as one of the field that is wrong.
func keyError(err error) error {
	for field, rule := range map[string]error{
		"name": domain.ErrKeyName, "role": domain.ErrKeyRole, "expires_at": domain.ErrKeyExpiry, "bot_ids": domain.ErrKeyBotsMax, "allowed_addresses": domain.ErrKeyNetwork,
		"keeps_calls": domain.ErrKeyKeeps,
	} {
		if errors.Is(err, rule) {
			return fail.Fields(fail.Field{Field: field, Code: "INVALID", Message: err.Error()})
		}
	}
	return err
}
