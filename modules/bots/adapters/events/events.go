// Package events publishes the events of bots to the webhook subscriptions of their workspace.
package events

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/platform/work/outbound"
)

// botUpdated is the type of the event; api/openapi.yaml has its fields.
const botUpdated = "bot.updated"

// Events publishes the events of bots.
type Events struct{ Publisher *outbound.Publisher }

type bot struct {
	ID               uuid.UUID `json:"bot_id"`
	Name             string    `json:"name"`
	Status           string    `json:"status"`
	CurrentVersion   int       `json:"current_version"`
	PublishedVersion int       `json:"published_version"`
}

func (e Events) BotUpdated(ctx context.Context, b domain.Bot) error {
	return e.Publisher.Publish(ctx, outbound.Event{Type: botUpdated, Data: bot{
		ID: b.ID, Name: b.Name, Status: string(b.Status), CurrentVersion: b.CurrentVersion, PublishedVersion: b.PublishedVersion,
	}})
}
