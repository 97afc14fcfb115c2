package ports

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/fail"
)

// Failures about webhooks that adapters and use cases answer.
var (
	ErrEndpointNotFound = fail.New(fail.NotFound, "NOT_FOUND", "there is no such webhook endpoint")
	ErrEndpointDisabled = fail.New(fail.Forbidden, "FORBIDDEN", "this webhook endpoint is disabled: enable it, then send the event again")
	ErrEventNotFound    = fail.New(fail.NotFound, "NOT_FOUND", "there is no such webhook event in this workspace")
)

// Endpoints keeps the webhook endpoints of the caller's workspace. ErrEndpointNotFound and ErrBotNotFound are its answers.
type Endpoints interface {
	Create(ctx context.Context, e domain.Endpoint) error
	Get(ctx context.Context, id uuid.UUID) (domain.Endpoint, error)
	// Lock reads an endpoint and keeps others from changing it until the transaction ends.
	Lock(ctx context.Context, id uuid.UUID) (domain.Endpoint, error)
	Save(ctx context.Context, e domain.Endpoint) error
	Delete(ctx context.Context, id uuid.UUID) error
}

// Adopter changes who is responsible for webhook endpoints.
type Adopter interface {
	// Adopt makes a member responsible for an endpoint; ErrEndpointNotFound where there is none.
	Adopt(ctx context.Context, id, member uuid.UUID) (domain.Endpoint, error)
}

// Inbox takes in what outside systems send, and keeps track of what has been answered.
type Inbox interface {
	// Find finds an endpoint for a sender, who is in no workspace.
	Find(ctx context.Context, endpoint uuid.UUID) (Mailbox, error)
	// Take stores an event with the job that answers it, at once, in the workspace of the context. Where the sender's id
	// is known already it makes nothing, and gives the id of the event that was there.
	Take(ctx context.Context, e domain.InboundEvent) (id uuid.UUID, fresh bool, err error)
	// ToAnswer reads a message; ErrEventNotFound where it is no longer kept.
	ToAnswer(ctx context.Context, event uuid.UUID) (Waiting, error)
	// OpenThread returns the thread of a conversation, ready for its next message: its first message opens it, it has the bot of
	// the endpoint, and where it is archived it is taken up again or followed by a new one, as the endpoint says.
	OpenThread(ctx context.Context, c domain.Channel) (uuid.UUID, error)
	// Answered stores that a message has its turn, together with what also is to be stored then.
	Answered(ctx context.Context, w Waiting, also func(ctx context.Context) error) error
}

// Refusals records that something was forbidden to a sender.
type Refusals interface {
	// EndpointDisabled records, at once and in the workspace of the context, that an event came in for an endpoint that is disabled.
	EndpointDisabled(ctx context.Context, endpoint uuid.UUID) error
}

// Mailbox is what a sender's call needs to know of an endpoint.
type Mailbox struct {
	WorkspaceID uuid.UUID
	Status      domain.EndpointStatus
	Keys        domain.Keyring
}

// Waiting is a message that came in, on its way to an answer.
type Waiting struct {
	domain.InboundEvent
	Thread      uuid.UUID     // the zero id: its conversation has none yet
	ThreadReady bool          // the thread is active and has the bot of the endpoint, or holds the turn of this message already
	Earlier     int           // messages of its conversation that came before it and wait as well, 30 at the most
	EarlierDue  time.Duration // until the first of them is tried again; not above 0: it is due, or being answered

	// By what models its bot would answer now.
	Settings json.RawMessage
	Defaults domain.ModelDefaults
	OwnKeys  []string // the providers that the workspace has a key of its own for
}

// Keys makes secrets, seals them and checks what senders have signed with them.
type Keys interface {
	New(endpoint uuid.UUID) (ring domain.Keyring, secret string, err error)
	// Rotate adds a secret; those before it stay good for a while more.
	Rotate(ring domain.Keyring, endpoint uuid.UUID, overlap time.Duration) (rotated domain.Keyring, secret string, err error)
	// Verify gives the sender's id of a message that one of the secrets has signed; else it answers UNAUTHORIZED.
	Verify(ring domain.Keyring, endpoint uuid.UUID, signed Signed) (senderID string, err error)
}

// Signed is a body with the headers that say who sent it. A header that was not sent is not among them.
type Signed struct {
	Headers map[string]string
	Body    []byte
}

// Marks remembers for a while what has been done, so that a repetition can be told without asking the database. It may
// forget at any moment.
type Marks interface {
	Find(ctx context.Context, key string) (value string, found bool)
	Put(ctx context.Context, key, value string)
}

// SenderLimits slows down who sends too much; it answers RATE_LIMIT_EXCEEDED.
type SenderLimits interface {
	Allow(ctx context.Context, key string) error
}

// EventSchema is what the contract says of the body of an event.
type EventSchema interface {
	// CheckBody answers BAD_REQUEST for what is not JSON, and VALIDATION_ERROR with every wrong field.
	CheckBody(body []byte) error
}

// Channels is for leafing through endpoints and events, newest first.
type Channels interface {
	Endpoints(ctx context.Context, before *IDPosition, limit int) ([]domain.Endpoint, error)
	// Events leafs through what came in, without payloads.
	Events(ctx context.Context, f EventFilter, before *IDPosition, limit int) ([]domain.InboundEvent, error)
	// Event answers ErrEventNotFound where there is none.
	Event(ctx context.Context, id uuid.UUID) (domain.InboundEvent, error)
}

// EventFilter narrows the list of events; what is nil narrows nothing.
type EventFilter struct {
	EndpointID *uuid.UUID `json:"e,omitempty"`
	Status     *string    `json:"s,omitempty"`
}

// IDPosition is a place in a list that is in the order of ids.
type IDPosition struct {
	ID uuid.UUID `json:"i"`
}

// Before gives the id; nil is the start of the list.
func (p *IDPosition) Before() *uuid.UUID {
	if p == nil {
		return nil
	}
	return &p.ID
}
