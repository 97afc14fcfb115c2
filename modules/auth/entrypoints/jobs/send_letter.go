// Package jobs has the background work of auth.
package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/jobs"
)

// SendLetter sends queued emails. An email may be sent twice if its process dies after the sending and before the job
// is marked as done.
type SendLetter struct {
	Mailer ports.Mailer
	Open   func(ctx context.Context, sealed []byte) (domain.Letter, error)
}

// Sealed is the payload of its jobs.
type Sealed struct {
	Letter []byte `json:"letter"`
}

// Register registers SendLetter as the handler of jobs of a kind.
func (s SendLetter) Register(r *jobs.Registry, kind string) error {
	return jobs.Register(r, kind, jobs.KindOptions{Timeout: time.Minute, Concurrency: 4}, s.Do)
}

// Do makes one attempt. The workspace can read its error, which therefore contains nothing of the email.
func (s SendLetter) Do(ctx context.Context, job jobs.Job[Sealed]) error {
	letter, err := s.Open(ctx, job.Payload.Letter)
	if err != nil {
		return jobs.Permanent(err) // it was sealed with another SECRET_KEY
	}
	if letter.Withheld != 0 {
		return nil
	}
	err = s.Mailer.Send(ctx, letter)
	if errors.Is(err, ports.ErrUndeliverable) {
		return jobs.Permanent(err)
	}
	return err
}
