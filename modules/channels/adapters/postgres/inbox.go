package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/channelsdb"
	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/work/jobs"
)

// AnswerKind is the kind of the jobs that answer received messages.
const AnswerKind = "webhook.answer"

// answerPayload is the payload of such a job.
type answerPayload struct {
	EventID uuid.UUID `json:"event_id"`
}

// answerTargets is into how many job targets the endpoints of a workspace are divided. Where the model of one endpoint
// is slow, it delays only the endpoints of the same target. The number bounds how many targets a claim of jobs has to
// read, however many endpoints there are.
const answerTargets = 8

func answerTarget(endpoint uuid.UUID) string {
	return strconv.Itoa(int(endpoint[len(endpoint)-1]) % answerTargets)
}

// Inbox stores the events that endpoints receive, with the jobs that answer them.
type Inbox struct {
	DB     *postgres.DB
	Queue  *jobs.Queue
	Audit  *audit.Log
	Limits usage.Limits
}

func (i Inbox) Find(ctx context.Context, endpoint uuid.UUID) (ports.Recipient, error) {
	q, _ := queries(ctx, i.DB)
	row, err := q.FindEndpoint(ctx, endpoint)
	return ports.Recipient{
		WorkspaceID: row.WorkspaceID, Status: domain.EndpointStatus(row.Status), Keys: domain.Keyring(row.Secrets),
	}, endpointError(err, "find the endpoint")
}

// Take stores event, job and audit row in one transaction. Where the limit of events is reached it returns
// fail.ErrLimitReached and stores nothing. The column body has the event as it was sent. The column payload is jsonb, which
// keeps neither the order of fields nor how numbers are written: it has what the release before needs to answer a message.
func (i Inbox) Take(ctx context.Context, e domain.InboundEvent) (id uuid.UUID, fresh bool, err error) {
	summary, err := e.Summary()
	if err != nil {
		return uuid.Nil, false, err
	}
	err = i.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := queries(ctx, i.DB)
		row, err := q.TakeEvent(ctx, channelsdb.TakeEventParams{
			WorkspaceID: workspace, ID: e.ID, EndpointID: e.EndpointID, WebhookID: e.SenderID, Kind: e.Type, Payload: summary, Body: e.Payload,
			OperationID: e.OperationID, ConversationID: e.ConversationID, Status: string(e.Status),
			Limits: i.Limits.JSON(),
		})
		if err != nil {
			return err
		}
		id = row.ID
		if e.Status == domain.EventReceived {
			err = i.Queue.Enqueue(ctx, AnswerKind, answerPayload{EventID: id}, jobs.Options{
				Key: e.OperationID.String(), Target: answerTarget(e.EndpointID),
			})
		}
		return errors.Join(err, i.Audit.Record(ctx, audit.Entry{
			Action: "webhook_event.receive", Resource: "webhook_event", ResourceID: id,
			Changes: map[string]any{"endpoint_id": e.EndpointID, "webhook_id": e.SenderID, "type": e.Type},
		}))
	})
	if !postgres.IsMissing(err) {
		return id, err == nil, err
	}
	q, workspace := queries(ctx, i.DB)
	id, err = q.FindEventOfSender(ctx, channelsdb.FindEventOfSenderParams{
		WorkspaceID: workspace, EndpointID: e.EndpointID, WebhookID: e.SenderID,
	})
	if err != nil {
		return id, false, fmt.Errorf("find the event that is there: %w", err)
	}
	return id, false, nil
}

// EndpointDisabled records the refusal in the audit log.
func (i Inbox) EndpointDisabled(ctx context.Context, endpoint uuid.UUID) error {
	err := i.DB.Write(ctx, func(ctx context.Context) error {
		return i.Audit.Record(ctx, audit.Entry{
			Action: "access.refuse", Resource: "webhook_endpoint", ResourceID: endpoint,
			Changes: map[string]any{"reason": ports.ErrEndpointDisabled.Message},
		})
	})
	if err != nil {
		return fmt.Errorf("record that the endpoint is disabled: %w", err)
	}
	return nil
}

func (i Inbox) ToAnswer(ctx context.Context, event uuid.UUID) (ports.Waiting, error) {
	q, workspace := queries(ctx, i.DB)
	r, err := q.GetEventToAnswer(ctx, channelsdb.GetEventToAnswerParams{WorkspaceID: workspace, ID: event, Kind: AnswerKind})
	if postgres.IsMissing(err) {
		return ports.Waiting{}, ports.ErrEventNotFound
	}
	if err != nil {
		return ports.Waiting{}, fmt.Errorf("read the event: %w", err)
	}
	w := ports.Waiting{
		Earlier: int(r.Earlier), EarlierDue: time.Duration(r.EarlierSeconds * float64(time.Second)),
		Models: ports.ModelChoice{Settings: r.Settings, Fallbacks: r.Fallbacks, OwnKeys: r.OwnKeys},
		InboundEvent: domain.InboundEvent{
			ID: r.ID, EndpointID: r.EndpointID, OperationID: r.OperationID, ConversationID: r.ConversationID, Payload: r.Payload,
			Status: domain.EventStatus(r.Status), ReceivedAt: r.ReceivedAt,
		},
		ThreadReady: r.ThreadReady,
	}
	if r.DefaultModel != nil {
		w.Models.DefaultModel = *r.DefaultModel
	}
	switch {
	case r.TurnThreadID != nil:
		w.Thread, w.ThreadReady = *r.TurnThreadID, true
	case r.ThreadID != nil:
		w.Thread = *r.ThreadID
	}
	return w, nil
}

// GivenUp wakes the job of the message after one whose job is given up, in the transaction of the context. Payload is
// the payload of the job that is given up.
func (i Inbox) GivenUp(ctx context.Context, payload json.RawMessage) error {
	var of answerPayload
	if err := json.Unmarshal(payload, &of); err != nil {
		return nil //nolint:nilerr // a payload that cannot be read is why the job is given up
	}
	q, workspace := queries(ctx, i.DB)
	if err := q.WakeFollowing(ctx, channelsdb.WakeFollowingParams{WorkspaceID: workspace, ID: of.EventID, Kind: AnswerKind}); err != nil {
		return fmt.Errorf("wake the message behind one that is given up: %w", err)
	}
	return nil
}

func (i Inbox) Answered(ctx context.Context, w ports.Waiting, also func(ctx context.Context) error) error {
	err := i.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := queries(ctx, i.DB)
		return errors.Join(also(ctx), q.EventAnswered(ctx, channelsdb.EventAnsweredParams{
			WorkspaceID: workspace, ID: w.ID, ThreadID: &w.Thread, Kind: AnswerKind,
		}))
	})
	if err != nil {
		return fmt.Errorf("store that the message is answered: %w", err)
	}
	return nil
}
