package domain

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// MessageReceived is the type of the events that are messages to a bot.
const MessageReceived = "message.received"

// EventStatus is what has become of an event.
type EventStatus string

// The statuses of an event.
const (
	EventReceived  EventStatus = "received"
	EventProcessed EventStatus = "processed"
	EventFailed    EventStatus = "failed"  // its job lies in the dead letters
	EventIgnored   EventStatus = "ignored" // it is of a type that does nothing
)

// InboundEvent is what an outside system has sent. The sender's id makes it the same event as one before, and gives it
// the operation under which it takes effect.
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

// InboundMessage is what a message.received says, whatever else its sender has put in.
type InboundMessage struct {
	ConversationID string `json:"conversation_id"`
	Text           string `json:"text"`
}

// Why an event cannot be taken.
var (
	ErrEventShape     = errors.New("must be an object with a type and data")
	ErrConversationID = errors.New("must have 1 to 256 characters")
)

type envelope struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// NewInboundEvent reads what was sent to an endpoint under the sender's id.
func NewInboundEvent(endpoint uuid.UUID, senderID string, payload []byte) (InboundEvent, error) {
	var sent envelope
	if err := json.Unmarshal(payload, &sent); err != nil || sent.Type == "" || len(sent.Data) == 0 {
		return InboundEvent{}, ErrEventShape
	}
	e := InboundEvent{
		ID: uuid.Must(uuid.NewV7()), EndpointID: endpoint, SenderID: senderID, Type: sent.Type, Payload: payload,
		OperationID: uuid.NewSHA1(endpoint, []byte(senderID)), // version 5: the same whenever it is sent
		Status:      EventIgnored,
	}
	if e.Type != MessageReceived {
		return e, nil
	}
	m, err := e.Message()
	if err != nil {
		return InboundEvent{}, err
	}
	if n := utf8.RuneCountInString(m.ConversationID); n < 1 || n > 256 {
		return InboundEvent{}, ErrConversationID
	}
	if err := checkContent(m.Text); err != nil {
		return InboundEvent{}, err
	}
	e.Status, e.ConversationID = EventReceived, &m.ConversationID
	return e, nil
}

// Summary is the payload without what only its sender knows of: the type, and of a message its conversation and text.
func (e InboundEvent) Summary() (json.RawMessage, error) {
	sent := struct {
		Type string `json:"type"`
		Data any    `json:"data"`
	}{e.Type, struct{}{}}
	if e.Type == MessageReceived {
		m, err := e.Message()
		if err != nil {
			return nil, err
		}
		sent.Data = m
	}
	return json.Marshal(sent)
}

// Message reads the message that the event is. Its limits are checked when it comes in, and not again.
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
