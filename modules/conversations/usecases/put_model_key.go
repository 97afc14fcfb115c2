package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
)

// PutModelKey stores a key of the workspace for a provider, which replaces the operator's.
type PutModelKey struct {
	Settings ports.ModelSettings
	CheckURL func(raw string) error // the error is shown to the caller
	Now      func() time.Time
}

// Do stores the key. It is not shown again.
func (u PutModelKey) Do(ctx context.Context, provider, secret string, baseURL *string) (domain.ModelKey, error) {
	var wrong []fail.Field
	key, err := domain.NewModelKey(provider, secret, baseURL)
	switch {
	case errors.Is(err, domain.ErrModelKey):
		wrong = append(wrong, fail.Field{Field: "api_key", Code: "INVALID", Message: err.Error()})
	case err != nil:
		wrong = append(wrong, fail.Field{Field: "provider", Code: "INVALID", Message: "must be openai or anthropic"})
	}
	if baseURL != nil {
		if err := u.CheckURL(*baseURL); err != nil {
			wrong = append(wrong, fail.Field{Field: "base_url", Code: "INVALID", Message: err.Error()})
		}
	}
	if len(wrong) > 0 {
		return domain.ModelKey{}, fail.Fields(wrong...)
	}
	key.CreatedAt = u.Now()
	return key, u.Settings.PutKey(ctx, key)
}
