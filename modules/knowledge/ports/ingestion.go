package ports

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/platform/request/fail"
)

// ErrKnowledgeLimit is why a document is not indexed where the workspace may not have that many chunks or bytes of text.
var ErrKnowledgeLimit = fail.New(fail.Forbidden, "LIMIT_REACHED", "the workspace may not have that many chunks or bytes of text: delete documents, or ask whoever operates this server for more, and reindex the document")

// Build is a document whose next generation is built.
type Build struct {
	domain.Document
	Language string // of its base
	// EmbeddingModel is that of its base; nil: it gets no vectors.
	EmbeddingModel *string
	FileName       string // empty: the text was sent with the call
}

// Builds stores what the building of generations brings. Each method that changes something compares the generation, so that
// only the newest one is built.
type Builds interface {
	// Get returns ErrDocumentNotFound where there is no such document; a deleted one is there until its rows are removed.
	Get(ctx context.Context, document uuid.UUID) (Build, error)
	// Lock returns how many chunks of a generation are stored, and false where it is not built any more, or is at none of the
	// stages: then another process has gone on with it while this one was late. Nobody else goes on with it until the end of the
	// transaction.
	Lock(ctx context.Context, document uuid.UUID, generation int, at ...domain.Stage) (done int, current bool, err error)
	SetStage(ctx context.Context, document uuid.UUID, status domain.DocumentStatus, s domain.Stage, chunksTotal *int, now time.Time) error
	// Finish makes the generation the current one. It returns false where it is not built any more.
	Finish(ctx context.Context, document uuid.UUID, generation int, built Built) (domain.Document, bool, error)
	// Fail records why the generation could not be built. It returns false where that is recorded, or it is not built
	// any more.
	Fail(ctx context.Context, document uuid.UUID, generation int, e domain.BuildError, now time.Time) (domain.Document, bool, error)
}

// Built is what a finished generation consists of, besides its chunks.
type Built struct {
	Characters int
	TextBytes  int64
	Pages      int // 0: the format has no pages
	At         time.Time
}

// BuiltTexts stores the texts and chunks of generations that are built.
type BuiltTexts interface {
	// Sent returns the text that was sent with the call.
	Sent(ctx context.Context, document uuid.UUID) (string, error)
	// Outline returns what the text of a generation was made of, and false where there is none yet.
	Outline(ctx context.Context, document uuid.UUID, generation int) (domain.Extracted, bool, error)
	StoreText(ctx context.Context, document uuid.UUID, generation int, text domain.KeptText, outline domain.Extracted) error
	// CopyText takes the text of another generation.
	CopyText(ctx context.Context, document uuid.UUID, generation, from int) error
	// StoreChunks stores the chunks from an ordinal on, and that they are done.
	StoreChunks(ctx context.Context, b Build, generation, from int, chunks []domain.Chunk, now time.Time) error
}

// Remains removes what is not needed any more.
type Remains interface {
	// RemoveChunks removes some chunks of generations before one, and reports whether there may be more.
	RemoveChunks(ctx context.Context, b Build, before int) (more bool, err error)
	// RemoveTexts removes the texts of generations before one, except the text that was sent.
	RemoveTexts(ctx context.Context, document uuid.UUID, before int) error
	// RemoveDocument removes the row of a document that is being deleted, and of its base where that is deleted too and
	// has no other document.
	RemoveDocument(ctx context.Context, d domain.Document) error
}

// BaseWork is the work on a whole base that is done in steps.
type BaseWork interface {
	// Deleted reports whether a base is deleted; ErrBaseNotFound where it is gone.
	Deleted(ctx context.Context, base uuid.UUID) (bool, error)
	// MarkDeleting makes some documents of a base unfindable, and reports whether there may be more.
	MarkDeleting(ctx context.Context, base uuid.UUID, now time.Time) (more bool, err error)
	// QueueDocuments queues jobs for some documents of a base that wait for one, and reports whether there may be more.
	QueueDocuments(ctx context.Context, base uuid.UUID) (more bool, err error)
	// Remove removes the row of a deleted base that has no documents.
	Remove(ctx context.Context, base uuid.UUID) error
}

// Events publishes what has become of documents.
type Events interface {
	DocumentReady(ctx context.Context, d domain.Document) error
	DocumentFailed(ctx context.Context, d domain.Document) error
}

// Transactions runs steps in one transaction.
type Transactions interface {
	Write(ctx context.Context, fn func(ctx context.Context) error) error
}

// Quota holds a workspace to its limits.
type Quota interface {
	// ReserveKnowledge returns ErrKnowledgeLimit where a document may not have that many chunks and bytes of text. Where it may,
	// they are reserved if the same transaction stores the text, and the number of chunks as the total of the document.
	ReserveKnowledge(ctx context.Context, document uuid.UUID, chunks int, bytes int64) error
}

// Spool makes the bytes of a file readable at any offset.
type Spool interface {
	// Open returns ErrContentMissing where there are no such bytes. The caller closes what it returns.
	Open(ctx context.Context, k BytesKey) (SpooledFile, error)
}

// SpooledFile is the bytes of a file on this machine.
type SpooledFile interface {
	io.ReaderAt
	io.Closer
}

// UnfinishedWork is a document, a deleted base or a deleted file that waits for a job which is not there.
type UnfinishedWork struct {
	WorkspaceID, BaseID uuid.UUID
	DocumentID          uuid.UUID // uuid.Nil: the base itself, or a file
	FileID              uuid.UUID // uuid.Nil: no file; else what turns have kept of it is to be erased
}

// Unfinished finds unfinished work in all workspaces.
type Unfinished interface {
	// Locate returns some of it, and whether there may be more.
	Locate(ctx context.Context) (list []UnfinishedWork, more bool, err error)
	// Resume queues its job, in its workspace.
	Resume(ctx context.Context, w UnfinishedWork) error
}
