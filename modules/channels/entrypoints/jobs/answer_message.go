// Package jobs has the job of channels that answers received messages.
package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/modules/channels/usecases"
	"github.com/parley/parley/platform/work/jobs"
)

// AnswerMessage is the job that answers a message of an inbound webhook.
type AnswerMessage struct {
	Answer  usecases.AnswerEvent
	Timeout time.Duration // of one attempt
}

// Message is the payload of its jobs.
type Message struct {
	EventID uuid.UUID `json:"event_id"`
}

// Pool is the name of the pool of slots that answers take.
const Pool = "answers"

// Register registers AnswerMessage as the handler of jobs of a kind.
func (a AnswerMessage) Register(r *jobs.Registry, kind string) error {
	return jobs.Register(r, kind, jobs.KindOptions{Pool: Pool, Timeout: a.Timeout}, a.Do)
}

// Do makes one attempt.
func (a AnswerMessage) Do(ctx context.Context, job jobs.Job[Message]) error {
	err := a.Answer.Do(ctx, job.Payload.EventID, job.Finish)
	if p, ok := errors.AsType[*ports.Postponed](err); ok {
		return jobs.NotYet(p.Reason, p.Wait)
	}
	if u, ok := errors.AsType[*ports.Unanswerable](err); ok {
		return jobs.Permanent(u.Unwrap())
	}
	return err
}
