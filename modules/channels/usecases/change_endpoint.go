package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
)

// ChangeEndpoint renames an endpoint, binds another bot to it, disables or enables it, or rotates its secret.
type ChangeEndpoint struct {
	Endpoints ports.Endpoints
	Keys      ports.Keys
}

// EndpointChanges are the changes of an endpoint; nil leaves a field as it is.
type EndpointChanges struct {
	Name       *string
	BotID      *uuid.UUID
	Status     *domain.EndpointStatus
	OnArchived *domain.ArchivedRule
}

// Do changes the endpoint.
func (u ChangeEndpoint) Do(ctx context.Context, id uuid.UUID, c EndpointChanges) (domain.Endpoint, error) {
	e, err := u.Endpoints.Lock(ctx, id)
	if err != nil {
		return e, err
	}
	if c.Name != nil {
		if err := e.Rename(*c.Name); err != nil {
			return e, wrongName(err)
		}
	}
	if c.BotID != nil {
		e.BotID = *c.BotID
	}
	if c.Status != nil {
		e.Status = *c.Status
	}
	if c.OnArchived != nil {
		e.OnArchived = *c.OnArchived
	}
	return e, u.Endpoints.Save(ctx, e)
}

// Rotate makes a new secret for the endpoint and returns it. It is not shown again.
func (u ChangeEndpoint) Rotate(ctx context.Context, id uuid.UUID, overlap time.Duration) (e domain.Endpoint, secret string, err error) {
	if e, err = u.Endpoints.Lock(ctx, id); err != nil {
		return e, "", err
	}
	if e.Keys, secret, err = u.Keys.Rotate(e.Keys, e.ID, overlap); err != nil {
		return e, "", err
	}
	return e, secret, u.Endpoints.Save(ctx, e)
}
