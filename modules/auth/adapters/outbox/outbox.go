// Package outbox queues emails as jobs. The text of an email may contain a secret, such as the token of an invitation,
// and the workspace can read its jobs and dead letters. The payload is therefore sealed.
package outbox

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/jobs"
)

// Kind is the kind of the jobs that send emails.
const Kind = "mail.send"

// sealed is the payload of a job: a sealed email.
type sealed struct {
	Email []byte `json:"letter"`
}

// Outbox queues emails as jobs with a sealed payload.
type Outbox struct {
	Queue *jobs.Queue
	Box   *secret.Box
}

func (o Outbox) Post(ctx context.Context, l domain.EmailMessage) error {
	plain, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encode the email: %w", err)
	}
	return o.Queue.Enqueue(ctx, Kind, sealed{o.Box.Seal(plain, bound(ctx))}, jobs.Options{})
}

// Open returns the email that was sealed in the workspace of the context.
func (o Outbox) Open(ctx context.Context, sealed []byte) (l domain.EmailMessage, err error) {
	plain, err := o.Box.Open(sealed, bound(ctx))
	if err != nil {
		return l, fmt.Errorf("open the email: %w", err)
	}
	return l, json.Unmarshal(plain, &l)
}

// Reseal is a secret.Resealer of the emails in queued jobs and dead letters.
func (o Outbox) Reseal(ctx context.Context, after string, limit int) (secret.Batch, error) {
	return o.Queue.Reseal(ctx, Kind, "letter", o.Box, bound(ctx), after, limit)
}

func bound(ctx context.Context) []byte {
	return []byte("letter of " + callctx.From(ctx).Principal.WorkspaceID.String())
}
