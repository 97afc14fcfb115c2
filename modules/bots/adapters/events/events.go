// Package events tells the subscribers of a workspace what has become of its bots.
package events

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/platform/events"
)

// botUpdated is the type of the event; api/openapi.yaml has what it tells.
const botUpdated = "bot.updated"

// Events implements ports.Events.
type Events struct{ Publisher *events.Publisher }

type bot struct {
	ID               uuid.UUID `json:"bot_id"`
	Name             string    `json:"name"`
	Status           string    `json:"status"`
	CurrentVersion   int       `json:"current_version"`
	PublishedVersion int       `json:"published_version"`
}

// BotUpdated implements ports.Events.
func (e Events) BotUpdated(ctx context.Context, b domain.Bot) error {
	return e.Publisher.Publish(ctx, events.Event{Type: botUpdated, Data: bot{
		ID: b.ID, Name: b.Name, Status: string(b.Status), CurrentVersion: b.CurrentVersion, PublishedVersion: b.PublishedVersion,
	}})
}
