// Package usecases has the use cases of channels, one file each.
package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// ReceiveEvent stores an event that an outside system sends to an endpoint, once for each of the sender's ids.
type ReceiveEvent struct {
	Inbox         ports.Inbox
	Keys          ports.Keys
	Schema        ports.EventSchema
	Marks         ports.Marks
	Limits        ports.SenderLimits
	Conversations ports.Conversations
}

// Receipt is the response to the sender of an event.
type Receipt struct {
	EventID   uuid.UUID
	Duplicate bool
}

// Do receives an event. When it returns, the event is stored with the job that will answer it. Before its signature is
// verified, nothing counts towards the limit of the endpoint and nothing of the body is parsed.
func (u ReceiveEvent) Do(ctx context.Context, endpoint uuid.UUID, signed ports.Signed) (Receipt, error) {
	recipient, err := u.Inbox.Find(ctx, endpoint)
	if err != nil {
		return Receipt{}, err
	}
	senderID, err := u.Keys.Verify(recipient.Keys, endpoint, signed)
	if err != nil {
		return Receipt{}, err
	}
	if err := u.Limits.Allow(ctx, "webhook:"+endpoint.String()); err != nil {
		return Receipt{}, err
	}
	if recipient.Status != domain.EndpointActive {
		ctx := callctx.For(ctx, recipient.WorkspaceID, endpoint, callctx.From(ctx).Operation.ID)
		if err := u.Inbox.EndpointDisabled(ctx, endpoint); err != nil {
			return Receipt{}, err
		}
		return Receipt{}, ports.ErrEndpointDisabled
	}
	if err := u.Schema.CheckBody(signed.Body); err != nil {
		return Receipt{}, err
	}
	event, err := u.read(endpoint, senderID, signed.Body)
	if err != nil {
		return Receipt{}, err
	}
	mark := "webhook:" + event.OperationID.String()
	if seen, ok := u.Marks.Find(ctx, mark); ok {
		if id, err := uuid.Parse(seen); err == nil {
			return Receipt{EventID: id, Duplicate: true}, nil
		}
	}
	id, fresh, err := u.Inbox.Take(callctx.For(ctx, recipient.WorkspaceID, endpoint, event.OperationID), event)
	if err != nil {
		return Receipt{}, err
	}
	u.Marks.Put(ctx, mark, id.String()) // only after the commit: a mark means that the database has the event
	return Receipt{EventID: id, Duplicate: !fresh}, nil
}

// read reads an event. Its errors name the field of an event that the request schema allows but the domain does not.
func (u ReceiveEvent) read(endpoint uuid.UUID, senderID string, body []byte) (domain.InboundEvent, error) {
	event, err := domain.NewInboundEvent(endpoint, senderID, body)
	switch {
	case errors.Is(err, domain.ErrConversationID):
		return event, fail.Fields(fail.Field{Field: "data.conversation_id", Code: "INVALID", Message: err.Error()})
	case err != nil:
		return event, fail.Fields(fail.Field{Field: "body", Code: "INVALID", Message: err.Error()})
	case event.Status != domain.EventReceived:
		return event, nil
	}
	message, err := event.Message()
	if err != nil {
		return event, err
	}
	if wrong := u.Conversations.CheckText(message.Text); wrong != nil {
		wrong.Field = "data.text"
		return event, fail.Fields(*wrong)
	}
	return event, nil
}
