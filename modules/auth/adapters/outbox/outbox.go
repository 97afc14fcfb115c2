// Package outbox queues letters as jobs. What a letter says may be a secret, as the token of an invitation is, and jobs and
// dead letters are shown to the workspace: so their payload is sealed.
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

// Kind is that of the jobs.
const Kind = "mail.send"

// Sealed is the payload of a job.
type Sealed struct {
	Letter []byte `json:"letter"`
}

// Outbox implements ports.Outbox.
type Outbox struct {
	Queue *jobs.Queue
	Box   *secret.Box
}

// Post implements ports.Outbox.
func (o Outbox) Post(ctx context.Context, l domain.Letter) error {
	plain, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encode the letter: %w", err)
	}
	return o.Queue.Enqueue(ctx, Kind, Sealed{o.Box.Seal(plain, bound(ctx))}, jobs.Options{})
}

// Open gives the letter that was sealed in the workspace of the context.
func (o Outbox) Open(ctx context.Context, sealed []byte) (l domain.Letter, err error) {
	plain, err := o.Box.Open(sealed, bound(ctx))
	if err != nil {
		return l, fmt.Errorf("open the letter: %w", err)
	}
	return l, json.Unmarshal(plain, &l)
}

// Reseal is a secret.Resealer of emails that are queued or were given up.
func (o Outbox) Reseal(ctx context.Context, after string, limit int) (secret.Batch, error) {
	return o.Queue.Reseal(ctx, Kind, "letter", o.Box, bound(ctx), after, limit)
}

func bound(ctx context.Context) []byte {
	return []byte("letter of " + call.From(ctx).Principal.WorkspaceID.String())
}
