// Package outbox queues emails as jobs. The text of an email may contain a secret, such as the token of an invitation,
// and the workspace can read its jobs and dead letters. The payload is therefore sealed.
package outbox

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/jobs"
	"github.com/parley/parley/platform/secret"
)

// Kind is the kind of the jobs that send emails.
const Kind = "mail.send"

// Sealed is the payload of a job: a sealed email.
type Sealed struct {
	Letter []byte `json:"letter"`
}

// Outbox queues emails as jobs with a sealed payload.
type Outbox struct {
	Queue *jobs.Queue
	Box   *secret.Box
}

func (o Outbox) Post(ctx context.Context, l domain.Letter) error {
	plain, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encode the letter: %w", err)
	}
	return o.Queue.Enqueue(ctx, Kind, Sealed{o.Box.Seal(plain, bound(ctx))}, jobs.Options{})
}

// Open returns the email that was sealed in the workspace of the context.
func (o Outbox) Open(ctx context.Context, sealed []byte) (l domain.Letter, err error) {
	plain, err := o.Box.Open(sealed, bound(ctx))
	if err != nil {
		return l, fmt.Errorf("open the letter: %w", err)
	}
	return l, json.Unmarshal(plain, &l)
}

// Reseal is a secret.Resealer of the emails in queued jobs and dead letters.
func (o Outbox) Reseal(ctx context.Context, after string, limit int) (secret.Batch, error) {
	return o.Queue.Reseal(ctx, Kind, "letter", o.Box, bound(ctx), after, limit)
}

func bound(ctx context.Context) []byte {
	return []byte("letter of " + call.From(ctx).Principal.WorkspaceID.String())
}
