package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/modules/knowledge/usecases"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/jobs"
)

// ingestTimeout is much longer than a run of IngestDocument, whose extraction has a limit of its own. A PDF may wait for another one,
// and for a processor where the machine is busy.
const ingestTimeout = 30 * time.Minute

// Ingest builds generations of documents, and removes documents that were deleted.
type Ingest struct {
	Document usecases.IngestDocument
	Kind     string // of its jobs
	// AtOnce is how many documents a process works on at once.
	AtOnce int
}

// Ingested is the payload of its jobs.
type Ingested struct {
	DocumentID uuid.UUID `json:"document_id"`
	Generation int       `json:"generation"` // 0: remove the document
}

// Register registers Ingest as the handler of the jobs of its kind.
func (i Ingest) Register(registry *jobs.Registry) error {
	return jobs.Register(registry, i.Kind, jobs.KindOptions{Timeout: ingestTimeout, Concurrency: i.AtOnce}, i.Do)
}

// Do makes one attempt, which goes on where the one before has ended.
func (i Ingest) Do(ctx context.Context, job jobs.Job[Ingested]) error {
	more, err := i.Document.Do(ctx, usecases.Work(job.Payload))
	if e, ok := errors.AsType[*fail.Error](err); ok && isPassing(e) {
		return jobs.NotYet(e.Code, waitFor(e))
	}
	if err != nil {
		return fmt.Errorf("ingest the document %s: %w", job.Payload.DocumentID, err)
	}
	return again(more)
}

// How long a document waits for an embedding model or a vector store that is away, or for its workspace to have a higher
// limit: as long as they say, within these.
const (
	minWait = 2 * time.Second
	maxWait = 5 * time.Minute
)

func waitFor(e *fail.Error) time.Duration {
	if errors.Is(e, fail.ErrLimitReached) || errors.Is(e, fail.ErrEmailNotVerified) {
		return maxWait
	}
	return min(max(e.RetryAfter, minWait), maxWait)
}

// isPassing reports whether a document waits for the end of an error, however often that comes: it is never given up.
func isPassing(e *fail.Error) bool {
	return errors.Is(e, ports.ErrEmbeddingsAway) || errors.Is(e, ports.ErrVectorsAway) || errors.Is(e, fail.ErrLimitReached) || errors.Is(e, fail.ErrEmailNotVerified)
}

// OnDeadLetter records in the document that it could not be built, in the transaction that gives the job up.
func (i Ingest) OnDeadLetter(ctx context.Context, payload json.RawMessage) error {
	var p Ingested
	if err := json.Unmarshal(payload, &p); err != nil || p.Generation == 0 {
		return nil //nolint:nilerr // no payload of ours: there is no document to mark
	}
	return i.Document.GiveUp(ctx, usecases.Work(p))
}

// again has a job run again where there is more to do.
func again(more bool) error {
	if more {
		return jobs.NotYet("there is more to do", 0)
	}
	return nil
}

// WorkOnBase does the work on whole knowledge bases.
type WorkOnBase struct{ Base usecases.WorkOnBase }

// Base is the payload of its jobs.
type Base struct {
	KnowledgeBaseID uuid.UUID `json:"knowledge_base_id"`
}

// Register registers WorkOnBase as the handler of jobs of a kind.
func (w WorkOnBase) Register(registry *jobs.Registry, kind string) error {
	return jobs.Register(registry, kind, jobs.KindOptions{}, w.Do)
}

// Do makes one attempt.
func (w WorkOnBase) Do(ctx context.Context, job jobs.Job[Base]) error {
	more, err := w.Base.Do(ctx, job.Payload.KnowledgeBaseID)
	if err != nil {
		return fmt.Errorf("work on the knowledge base %s: %w", job.Payload.KnowledgeBaseID, err)
	}
	return again(more)
}
