package ports

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/fail"
)

// Errors about webhooks.
var (
	ErrEndpointNotFound = fail.New(fail.NotFound, "NOT_FOUND", "there is no such webhook endpoint")
	ErrEndpointDisabled = fail.New(fail.Forbidden, "FORBIDDEN", "this webhook endpoint is disabled: enable it, then send the event again")
	ErrEventNotFound    = fail.New(fail.NotFound, "NOT_FOUND", "there is no such webhook event in this workspace")
)

// Endpoints stores the webhook endpoints of the caller's workspace. Errors are ErrEndpointNotFound and ErrBotNotFound.
type Endpoints interface {
	Create(ctx context.Context, e domain.Endpoint) error
	Get(ctx context.Context, id uuid.UUID) (domain.Endpoint, error)
	// Lock reads an endpoint and locks it until the transaction ends.
	Lock(ctx context.Context, id uuid.UUID) (domain.Endpoint, error)
	Save(ctx context.Context, e domain.Endpoint) error
	Delete(ctx context.Context, id uuid.UUID) error
}

// Adopter changes who is responsible for webhook endpoints.
type Adopter interface {
	// Adopt makes a member responsible for an endpoint; ErrEndpointNotFound where there is none.
	Adopt(ctx context.Context, id, member uuid.UUID) (domain.Endpoint, error)
}

// Inbox stores the events that outside systems send, and which of them are answered.
type Inbox interface {
	// Find returns an endpoint for a sender, outside of any workspace.
	Find(ctx context.Context, endpoint uuid.UUID) (Mailbox, error)
	// Take stores an event with the job that answers it, in a transaction of its own, in the workspace of the context.
	// Where an event with the sender's id exists it stores nothing, and returns the id of the existing event.
	Take(ctx context.Context, e domain.InboundEvent) (id uuid.UUID, fresh bool, err error)
	// ToAnswer reads a message; ErrEventNotFound where it is no longer stored.
	ToAnswer(ctx context.Context, event uuid.UUID) (Waiting, error)
	// OpenThread returns the thread of a conversation, ready for its next message. The first message opens the thread,
	// with the bot of the endpoint. An archived thread is made active again or replaced by a new one, as the endpoint's
	// rule says.
	OpenThread(ctx context.Context, c domain.Channel) (uuid.UUID, error)
	// Answered stores that a message is answered, in one transaction with also.
	Answered(ctx context.Context, w Waiting, also func(ctx context.Context) error) error
}

// Refusals records what senders were refused.
type Refusals interface {
	// EndpointDisabled records, in a transaction of its own in the workspace of the context, that an event was received
	// for a disabled endpoint.
	EndpointDisabled(ctx context.Context, endpoint uuid.UUID) error
}

// Mailbox is an endpoint as ReceiveEvent reads it.
type Mailbox struct {
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

	// The settings of the models that its bot would use now.
	Settings json.RawMessage
	Defaults domain.ModelDefaults
	OwnKeys  []string // the providers for which the workspace has a key of its own
}

// Keys makes and seals secrets of endpoints, and verifies the signatures of senders.
type Keys interface {
	New(endpoint uuid.UUID) (ring domain.Keyring, secret string, err error)
	// Rotate adds a secret; the earlier ones stay valid for overlap.
	Rotate(ring domain.Keyring, endpoint uuid.UUID, overlap time.Duration) (rotated domain.Keyring, secret string, err error)
	// Verify returns the sender's id of a message that is signed with one of the secrets; else UNAUTHORIZED.
	Verify(ring domain.Keyring, endpoint uuid.UUID, signed Signed) (senderID string, err error)
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

// Channels lists endpoints and events, newest first.
type Channels interface {
	Endpoints(ctx context.Context, before *IDPosition, limit int) ([]domain.Endpoint, error)
	// Events lists received events, without payloads.
	Events(ctx context.Context, f EventFilter, before *IDPosition, limit int) ([]domain.InboundEvent, error)
	// Event returns ErrEventNotFound where there is none.
	Event(ctx context.Context, id uuid.UUID) (domain.InboundEvent, error)
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
