// Package domain has webhook endpoints and subscriptions, the events that they receive and send, and their rules.
package domain

import (
	"errors"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// EndpointStatus says whether an endpoint accepts events.
type EndpointStatus string

// The statuses of an endpoint.
const (
	EndpointActive   EndpointStatus = "active"
	EndpointDisabled EndpointStatus = "disabled"
)

// ArchivedRule is what the next message of a conversation does where its thread is archived.
type ArchivedRule string

// The rules for archived threads.
const (
	BeginThread ArchivedRule = "new_thread" // it begins a new thread
	Reopen      ArchivedRule = "reopen"     // it takes the thread up again
)

// Keyring is the sealed secrets of an endpoint. Only the package that sealed them can open them.
type Keyring []byte

// Endpoint is where an outside system sends its events. A bot answers the messages among them.
type Endpoint struct {
	ID        uuid.UUID
	Name      string
	BotID     uuid.UUID
	Status    EndpointStatus
	Keys      Keyring
	CreatedBy uuid.UUID
	CreatedAt time.Time

	OnArchived    ArchivedRule
	ResponsibleID uuid.UUID // the member or API key who is responsible for it: its creator, or who has adopted it
}

// errName states the rule for a name.
var errName = errors.New("must have 1 to 200 characters")

// NewEndpoint makes an endpoint without secrets.
func NewEndpoint(name string, bot, by uuid.UUID, now time.Time) (Endpoint, error) {
	e := Endpoint{ID: uuid.Must(uuid.NewV7()), BotID: bot, Status: EndpointActive, CreatedBy: by, CreatedAt: now, OnArchived: BeginThread, ResponsibleID: by}
	return e, e.Rename(name)
}

// Rename changes the name of the endpoint.
func (e *Endpoint) Rename(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > 200 {
		return errName
	}
	e.Name = name
	return nil
}
