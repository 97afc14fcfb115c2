// Package ports has the interfaces that the use cases of channels need, and the errors that callers receive.
package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors about inbound webhooks.
var (
	ErrEndpointNotFound = fail.New(fail.NotFound, "NOT_FOUND", "there is no such webhook endpoint")
	ErrEndpointDisabled = fail.New(fail.Forbidden, "FORBIDDEN", "this webhook endpoint is disabled: enable it, then send the event again")
	ErrEventNotFound    = fail.New(fail.NotFound, "NOT_FOUND", "there is no such webhook event in this workspace")
	ErrBotNotFound      = fail.New(fail.NotFound, "BOT_NOT_FOUND", "there is no such bot in this workspace")
)

// Endpoints changes the webhook endpoints of the caller's workspace. Errors are ErrEndpointNotFound and ErrBotNotFound.
type Endpoints interface {
	Create(ctx context.Context, e domain.Endpoint) error
	// Lock reads an endpoint and locks it until the transaction ends.
	Lock(ctx context.Context, id uuid.UUID) (domain.Endpoint, error)
	Save(ctx context.Context, e domain.Endpoint) error
	Delete(ctx context.Context, id uuid.UUID) error
	// Adopt makes a member responsible for an endpoint.
	Adopt(ctx context.Context, id, member uuid.UUID) (domain.Endpoint, error)
}

// Received reads endpoints and the events that they have received. Lists are newest first.
type Received interface {
	// Endpoint returns ErrEndpointNotFound where there is none.
	Endpoint(ctx context.Context, id uuid.UUID) (domain.Endpoint, error)
	Endpoints(ctx context.Context, before *IDPosition, limit int) ([]domain.Endpoint, error)
	// Event returns ErrEventNotFound where there is none.
	Event(ctx context.Context, id uuid.UUID) (domain.InboundEvent, error)
	// Events lists received events, without payloads.
	Events(ctx context.Context, f EventFilter, before *IDPosition, limit int) ([]domain.InboundEvent, error)
}

// Inbox stores the events that outside systems send, and which of them are answered.
type Inbox interface {
	// Find returns an endpoint for a sender, outside of any workspace.
	Find(ctx context.Context, endpoint uuid.UUID) (Recipient, error)
	// Take stores an event with the job that answers it, in a transaction of its own, in the workspace of the context.
	// Where an event with the sender's id exists it stores nothing, and returns the id of the existing event.
	Take(ctx context.Context, e domain.InboundEvent) (id uuid.UUID, fresh bool, err error)
	// EndpointDisabled records in the audit log, in a transaction of its own in the workspace of the context, that an
	// event was refused because its endpoint is disabled.
	EndpointDisabled(ctx context.Context, endpoint uuid.UUID) error
	// ToAnswer reads a message; ErrEventNotFound where it is no longer stored.
	ToAnswer(ctx context.Context, event uuid.UUID) (Waiting, error)
	// Answered stores that a message is answered, in one transaction with also.
	Answered(ctx context.Context, w Waiting, also func(ctx context.Context) error) error
}

// Recipient is an endpoint as ReceiveEvent reads it.
type Recipient struct {
	WorkspaceID uuid.UUID
	Status      domain.EndpointStatus
	Keys        domain.Keyring
}

// Waiting is a received message that is not answered yet.
type Waiting struct {
	domain.InboundEvent
	Thread      uuid.UUID     // the zero id: its conversation has no thread yet
	ThreadReady bool          // the thread is active and has the bot of the endpoint, or already has the turn of this message
	Earlier     int           // earlier messages of its conversation that wait as well, 30 at most
	EarlierDue  time.Duration // until the first of them is tried again; 0 or less: it is due, or being answered
	Models      ModelChoice   // what its bot would use now
}

// Keys makes and seals secrets of endpoints and subscriptions, and verifies the signatures of senders.
type Keys interface {
	New(owner uuid.UUID) (ring domain.Keyring, secret string, err error)
	// Rotate adds a secret; the earlier ones stay valid for overlap.
	Rotate(ring domain.Keyring, owner uuid.UUID, overlap time.Duration) (rotated domain.Keyring, secret string, err error)
	// Verify returns the sender's id of a message that is signed with one of the secrets; else UNAUTHORIZED.
	Verify(ring domain.Keyring, owner uuid.UUID, signed Signed) (senderID string, err error)
}

// Signed is a body with the headers of its signature. It has only the headers that were sent.
type Signed struct {
	Headers map[string]string
	Body    []byte
}

// Marks remembers for a while what was done, so that a repetition is recognized without a query. It may forget at any
// time.
type Marks interface {
	Find(ctx context.Context, key string) (value string, found bool)
	Put(ctx context.Context, key, value string)
}

// SenderLimits limits how many events a sender sends; it returns RATE_LIMIT_EXCEEDED.
type SenderLimits interface {
	Allow(ctx context.Context, key string) error
}

// EventSchema is the schema of the body of an event in the OpenAPI document.
type EventSchema interface {
	// CheckBody returns BAD_REQUEST for what is not JSON, and VALIDATION_ERROR with every wrong field.
	CheckBody(body []byte) error
}

// EventFilter narrows the list of events; nil does not.
type EventFilter struct {
	EndpointID *uuid.UUID `json:"e,omitempty"`
	Status     *string    `json:"s,omitempty"`
}

// IDPosition is a place in a list that is in the order of ids.
type IDPosition struct {
	ID uuid.UUID `json:"i"`
}

// Before returns the id; nil for the beginning of the list.
func (p *IDPosition) Before() *uuid.UUID {
	if p == nil {
		return nil
	}
	return &p.ID
}
