package domain

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Delivery is one event for one subscription.
type Delivery struct {
	ID, SubscriptionID, EventID uuid.UUID // ID is the webhook-id
	EventType, Status           string    // status: pending, delivered or failed
	Attempts                    int
	CreatedAt                   time.Time
	FinishedAt                  *time.Time
}

// DeliveryDetail is a Delivery with the fields that a list omits.
type DeliveryDetail struct {
	Delivery
	Body json.RawMessage   // as it is signed and sent
	Log  []DeliveryAttempt // the last 100, the newest first
}

// DeliveryAttempt is the result of one request to a target.
type DeliveryAttempt struct {
	Number   int
	At       time.Time
	Status   *int // of the answer; nil where there was none
	Latency  time.Duration
	Response string  // the first KiB
	Error    *string // nil: delivered
}
