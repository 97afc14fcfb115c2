// Package jobs has the background work of auth.
package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/work/jobs"
)

// SendEmail sends queued emails. An email may be sent twice if its process dies after the sending and before the job
// is marked as done.
type SendEmail struct {
	Mailer ports.Mailer
	Open   func(ctx context.Context, sealed []byte) (domain.EmailMessage, error)
}

// sealed is the payload of its jobs.
type sealed struct {
	Email []byte `json:"letter"`
}

// Register registers SendLetter as the handler of jobs of a kind.
func (s SendEmail) Register(r *jobs.Registry, kind string) error {
	return jobs.Register(r, kind, jobs.KindOptions{Timeout: time.Minute, Concurrency: 4}, s.Do)
}

// Do makes one attempt. The workspace can read its error, which therefore contains nothing of the email.
func (s SendEmail) Do(ctx context.Context, job jobs.Job[sealed]) error {
	email, err := s.Open(ctx, job.Payload.Email)
	if err != nil {
		return jobs.Permanent(err) // it was sealed with another SECRET_KEY
	}
	if email.Withheld != 0 {
		return nil
	}
	err = s.Mailer.Send(ctx, email)
	if errors.Is(err, ports.ErrUndeliverable) {
		return jobs.Permanent(err)
	}
	return err
}
