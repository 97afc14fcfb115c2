package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/platform/request/fail"
)

// CreateEndpoint creates an endpoint for the events of an outside system.
type CreateEndpoint struct {
	Endpoints ports.Endpoints
	Keys      ports.Keys
	Now       func() time.Time
}

// NewEndpoint is the input of CreateEndpoint; a nil OnArchived means a new thread.
type NewEndpoint struct {
	Name       string
	BotID, By  uuid.UUID
	OnArchived *domain.ArchivedRule
}

// Do creates the endpoint and returns its secret, which is not shown again.
func (u CreateEndpoint) Do(ctx context.Context, in NewEndpoint) (e domain.Endpoint, secret string, err error) {
	if e, err = domain.NewEndpoint(in.Name, in.BotID, in.By, u.Now()); err != nil {
		return e, "", wrongName(err)
	}
	if in.OnArchived != nil {
		e.OnArchived = *in.OnArchived
	}
	if e.Keys, secret, err = u.Keys.New(e.ID); err != nil {
		return e, "", err
	}
	return e, secret, u.Endpoints.Create(ctx, e)
}

func wrongName(err error) error {
	return fail.Fields(fail.Field{Field: "name", Code: "INVALID", Message: err.Error()})
}
