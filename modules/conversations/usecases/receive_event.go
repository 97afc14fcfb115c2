package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/fail"
)

// ReceiveEvent stores an event that an outside system sends to an endpoint, once for each of the sender's ids.
type ReceiveEvent struct {
	Inbox    ports.Inbox
	Keys     ports.Keys
	Schema   ports.EventSchema
	Marks    ports.Marks
	Limits   ports.SenderLimits
	Refusals ports.Refusals
}

// Receipt is the response to the sender of an event.
type Receipt struct {
	EventID   uuid.UUID
	Duplicate bool
}

// Do receives an event. When it returns, the event is stored with the job that will answer it. Before its signature is
// verified, nothing counts towards the limit of the endpoint and nothing of the body is parsed.
func (u ReceiveEvent) Do(ctx context.Context, endpoint uuid.UUID, signed ports.Signed) (Receipt, error) {
	box, err := u.Inbox.Find(ctx, endpoint)
	if err != nil {
		return Receipt{}, err
	}
	senderID, err := u.Keys.Verify(box.Keys, endpoint, signed)
	if err != nil {
		return Receipt{}, err
	}
	if err := u.Limits.Allow(ctx, "webhook:"+endpoint.String()); err != nil {
		return Receipt{}, err
	}
	if box.Status != domain.EndpointActive {
		ctx := call.For(ctx, box.WorkspaceID, endpoint, call.From(ctx).Operation.ID)
		if err := u.Refusals.EndpointDisabled(ctx, endpoint); err != nil {
			return Receipt{}, err
		}
		return Receipt{}, ports.ErrEndpointDisabled
	}
	if err := u.Schema.CheckBody(signed.Body); err != nil {
		return Receipt{}, err
	}
	event, err := domain.NewInboundEvent(endpoint, senderID, signed.Body)
	if err != nil {
		return Receipt{}, wrongEvent(err)
	}
	mark := "webhook:" + event.OperationID.String()
	if seen, ok := u.Marks.Find(ctx, mark); ok {
		if id, err := uuid.Parse(seen); err == nil {
			return Receipt{EventID: id, Duplicate: true}, nil
		}
	}
	id, fresh, err := u.Inbox.Take(call.For(ctx, box.WorkspaceID, endpoint, event.OperationID), event)
	if err != nil {
		return Receipt{}, err
	}
	u.Marks.Put(ctx, mark, id.String()) // only after the commit: a mark means that the database has the event
	return Receipt{EventID: id, Duplicate: !fresh}, nil
}

// wrongEvent returns the error for an event that the request schema allows but the domain does not.
func wrongEvent(err error) error {
	field := "body"
	switch {
	case errors.Is(err, domain.ErrContent), errors.Is(err, domain.ErrBlank):
		return wrongContent("data.text", err)
	case errors.Is(err, domain.ErrConversationID):
		field = "data.conversation_id"
	}
	return fail.Fields(fail.Field{Field: field, Code: "INVALID", Message: err.Error()})
}
