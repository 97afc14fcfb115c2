package domain

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// messageReceived is the type of the events that are messages to a bot.
const messageReceived = "message.received"

// EventStatus is the state of the processing of an event.
type EventStatus string

// The statuses of an event.
const (
	EventReceived  EventStatus = "received"
	EventProcessed EventStatus = "processed"
	EventFailed    EventStatus = "failed"  // its job is in the dead letters
	EventIgnored   EventStatus = "ignored" // events of its type have no effect
)

// InboundEvent is an event that an outside system has sent. Two events with the same sender's id are the same event.
// The id also determines the operation under which the event takes effect.
type InboundEvent struct {
	ID             uuid.UUID
	EndpointID     uuid.UUID
	SenderID       string
	Type           string
	ConversationID *string // of a message; nil: of something else
	Payload        json.RawMessage
	OperationID    uuid.UUID
	Status         EventStatus
	ReceivedAt     time.Time
	ProcessedAt    *time.Time
	ThreadID       *uuid.UUID
	TurnID         *uuid.UUID
}

// InboundMessage has the fields of a message.received. Other fields that its sender has added are ignored.
type InboundMessage struct {
	ConversationID string `json:"conversation_id"`
	Text           string `json:"text"`
}

// Errors of NewInboundEvent.
var (
	ErrEventShape     = errors.New("must be an object with a type and data")
	ErrConversationID = errors.New("must have 1 to 256 characters")
)

type envelope struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// NewInboundEvent reads an event that was sent to an endpoint with the sender's id. It does not check the text of a
// message: that is a rule of conversations.
func NewInboundEvent(endpoint uuid.UUID, senderID string, payload []byte) (InboundEvent, error) {
	var sent envelope
	if err := json.Unmarshal(payload, &sent); err != nil || sent.Type == "" || len(sent.Data) == 0 {
		return InboundEvent{}, ErrEventShape
	}
	e := InboundEvent{
		ID: uuid.Must(uuid.NewV7()), EndpointID: endpoint, SenderID: senderID, Type: sent.Type, Payload: payload,
		OperationID: uuid.NewSHA1(endpoint, []byte(senderID)), // version 5: the same each time it is sent
		Status:      EventIgnored,
	}
	if e.Type != messageReceived {
		return e, nil
	}
	m, err := e.Message()
	if err != nil {
		return InboundEvent{}, err
	}
	if n := utf8.RuneCountInString(m.ConversationID); n < 1 || n > 256 {
		return InboundEvent{}, ErrConversationID
	}
	e.Status, e.ConversationID = EventReceived, &m.ConversationID
	return e, nil
}

// Summary returns the payload without the sender's own fields: the type, and of a message its conversation and text.
func (e InboundEvent) Summary() (json.RawMessage, error) {
	sent := struct {
		Type string `json:"type"`
		Data any    `json:"data"`
	}{e.Type, struct{}{}}
	if e.Type == messageReceived {
		m, err := e.Message()
		if err != nil {
			return nil, err
		}
		sent.Data = m
	}
	return json.Marshal(sent)
}

// Message reads the message of the event. Its limits are checked when the event is received, and not again.
func (e InboundEvent) Message() (m InboundMessage, err error) {
	var sent envelope
	if err := json.Unmarshal(e.Payload, &sent); err != nil {
		return m, fmt.Errorf("%w: %w", ErrEventShape, err)
	}
	if err := json.Unmarshal(sent.Data, &m); err != nil {
		return m, fmt.Errorf("%w: %w", ErrEventShape, err)
	}
	return m, nil
}
