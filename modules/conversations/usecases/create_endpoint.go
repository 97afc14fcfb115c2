package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/fail"
)

// CreateEndpoint makes an address for the events of an outside system.
type CreateEndpoint struct {
	Endpoints ports.Endpoints
	Keys      ports.Keys
	Now       func() time.Time
}

// Do makes the endpoint and gives its secret, which is not shown again.
func (u CreateEndpoint) Do(ctx context.Context, name string, bot, by uuid.UUID) (e domain.Endpoint, secret string, err error) {
	if e, err = domain.NewEndpoint(name, bot, by, u.Now()); err != nil {
		return e, "", wrongName(err)
	}
	if e.Keys, secret, err = u.Keys.New(e.ID); err != nil {
		return e, "", err
	}
	return e, secret, u.Endpoints.Create(ctx, e)
}

func wrongName(err error) error {
	return fail.Fields(fail.Field{Field: "name", Code: "INVALID", Message: err.Error()})
}
