// Package outbound sends outgoing webhooks for the events of a workspace. A change publishes an event in its transaction,
// and every subscription to its type receives a delivery, which is a job. An event is delivered at least once, under an
// id (webhook-id) that is the same in every attempt. Deliveries are signed as Standard Webhooks specifies
// (https://www.standardwebhooks.com).
//
// A delivery is pending, then delivered, or failed after its last attempt. The job of a failed delivery becomes a dead
// letter. A subscription is disabled when its target has failed repeatedly for five days, or at once when the target
// answers 410 Gone. A delivery that is due while its subscription is disabled, by anyone, becomes a dead letter. A
// delivery of a deleted subscription ends as failed and leaves no dead letter.
package outbound

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/jobs"
	"github.com/parley/parley/platform/work/webhook"
)

// Types of events that belong to no module.
const (
	deadLetterCreated = "dead_letter.created"
	Ping              = "ping" // asked for by a person, to try a subscription
)

// Kind is the kind of the jobs that deliver events, and Pool the name of the pool of slots that they use.
const (
	Kind = "webhook.deliver"
	Pool = "deliveries"
)

// Event is an event of a workspace.
type Event struct {
	Type string // object.verb in the past: turn.completed
	Data any    // the data that a subscriber receives, encoded as JSON
	// EndpointID is the webhook endpoint whose conversation the event concerns; nil: none.
	EndpointID *uuid.UUID
}

// message is the body of a delivery, in the shape of Standard Webhooks.
type message struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      any       `json:"data"`
}

// payload is that of a delivery's job.
type payload struct {
	DeliveryID uuid.UUID `json:"delivery_id"`
}

// Publisher publishes events. It is safe for concurrent use.
type Publisher struct {
	db    *postgres.DB
	queue *jobs.Queue
	now   func() time.Time
}

// NewPublisher returns a Publisher.
func NewPublisher(db *postgres.DB, queue *jobs.Queue, now func() time.Time) *Publisher {
	return &Publisher{db, queue, now}
}

// Publish queues the deliveries of an event in the transaction of the context. It is one statement, which for most
// events finds no subscription.
func (p *Publisher) Publish(ctx context.Context, e Event) error {
	body, err := json.Marshal(message{Type: e.Type, Timestamp: p.now(), Data: e.Data})
	if err != nil {
		return fmt.Errorf("encode the event %s: %w", e.Type, err)
	}
	c := callctx.From(ctx)
	params := platformdb.PublishEventParams{
		WorkspaceID: c.Principal.WorkspaceID, EventID: uuid.Must(uuid.NewV7()), EventType: e.Type, Body: string(body),
		EndpointID: e.EndpointID, Kind: Kind, TraceID: c.TraceID, MaxAttempts: int32(p.queue.MaxAttempts(Kind)),
	}
	if c.Operation.ID != uuid.Nil {
		params.OperationID = &c.Operation.ID
	}
	return platformdb.New(p.db.In(ctx)).PublishEvent(ctx, params)
}

// PingDelivery is a delivery that Ping has queued.
type PingDelivery struct {
	ID, EventID uuid.UUID
	CreatedAt   time.Time
}

// Ping queues the delivery of an event without content to one subscription with a URL, in the transaction of the context.
func (p *Publisher) Ping(ctx context.Context, subscription uuid.UUID, url string) (PingDelivery, error) {
	d := PingDelivery{ID: uuid.Must(uuid.NewV7()), EventID: uuid.Must(uuid.NewV7()), CreatedAt: p.now()}
	body, err := json.Marshal(message{Type: Ping, Timestamp: d.CreatedAt, Data: map[string]any{"subscription_id": subscription}})
	if err != nil {
		return d, fmt.Errorf("encode the ping: %w", err)
	}
	err = platformdb.New(p.db.In(ctx)).CreateDelivery(ctx, platformdb.CreateDeliveryParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: d.ID, SubscriptionID: subscription, EventID: d.EventID, EventType: Ping,
		Body: string(body), CreatedAt: d.CreatedAt,
	})
	if err != nil {
		return d, fmt.Errorf("create the delivery: %w", err)
	}
	return d, p.queue.Enqueue(ctx, Kind, payload{DeliveryID: d.ID}, jobs.Options{Key: d.ID.String(), Target: webhook.Host(url)})
}

// Retry queues the job of a pending delivery to a URL again, with a full number of attempts, in the transaction of the
// context.
func (p *Publisher) Retry(ctx context.Context, delivery uuid.UUID, url string) error {
	return p.queue.Again(ctx, Kind, payload{DeliveryID: delivery}, jobs.Options{Key: delivery.String(), Target: webhook.Host(url)})
}

// deadLetter is the data of a dead-letter event. It does not contain the payload of the job.
type deadLetter struct {
	ID          uuid.UUID  `json:"dead_letter_id"`
	JobID       uuid.UUID  `json:"job_id"`
	Kind        string     `json:"kind"`
	Attempts    int        `json:"attempts"`
	Failures    int        `json:"failures"`
	LastError   string     `json:"last_error"`
	OperationID *uuid.UUID `json:"operation_id"`
	TraceID     string     `json:"trace_id"`
	CreatedAt   time.Time  `json:"created_at"`
}

// OnDeadLetter publishes an event that a job was given up, in the transaction that moves the job to the dead letters.
// If the job is a delivery, the delivery ends as failed. The failed delivery of a dead-letter event publishes no event,
// as that would repeat without end.
func (p *Publisher) OnDeadLetter(ctx context.Context, l jobs.DeadLetterDetail) error {
	if l.Kind == Kind {
		q, id := platformdb.New(p.db.In(ctx)), delivery(l.Payload)
		eventType, err := q.GetDeliveryType(ctx, platformdb.GetDeliveryTypeParams{WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: id})
		if err != nil && !postgres.IsMissing(err) {
			return fmt.Errorf("read the delivery: %w", err)
		}
		if err := end(ctx, q, id, failed); err != nil {
			return err
		}
		if eventType == deadLetterCreated {
			return nil
		}
	}
	return p.Publish(ctx, Event{Type: deadLetterCreated, Data: deadLetter{
		ID: l.ID, JobID: l.JobID, Kind: l.Kind, Attempts: l.Attempts, Failures: l.Failures, LastError: l.LastError,
		OperationID: l.OperationID, TraceID: l.TraceID, CreatedAt: l.CreatedAt,
	}})
}

// delivery returns the id in the payload of a job; the zero id if it has none, as in an invalid payload.
func delivery(raw json.RawMessage) uuid.UUID {
	var p payload
	if err := json.Unmarshal(raw, &p); err != nil {
		return uuid.Nil
	}
	return p.DeliveryID
}

// Pending is the state of a delivery that has not ended.
const Pending = "pending"

// The final states of a delivery.
const (
	delivered = "delivered"
	failed    = "failed"
)

func end(ctx context.Context, q *platformdb.Queries, id uuid.UUID, status string) error {
	return q.EndDelivery(ctx, platformdb.EndDeliveryParams{WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: id, Status: status})
}
