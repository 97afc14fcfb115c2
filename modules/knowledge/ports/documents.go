package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of knowledge bases and documents.
var (
	ErrBaseNotFound     = fail.New(fail.NotFound, "KNOWLEDGE_BASE_NOT_FOUND", "there is no such knowledge base in this workspace")
	ErrDocumentNotFound = fail.New(fail.NotFound, "DOCUMENT_NOT_FOUND", "there is no such document in this knowledge base")
	ErrPageNotFound     = fail.New(fail.NotFound, "PAGE_NOT_FOUND", "the document has no such page: details.pages says how many it has; null: its format has none")
	ErrDocumentExists   = fail.New(fail.Conflict, "DOCUMENT_EXISTS", "this knowledge base has a document of this file, or of one with the same content: details.document_id names it")
	ErrTextNotReady     = fail.New(fail.Conflict, "DOCUMENT_NOT_READY", "the document has no text yet: wait until its status is ready")
	ErrBaseInUse        = fail.New(fail.Conflict, "KNOWLEDGE_BASE_IN_USE", "bots use this knowledge base: details.bots names them; take it out of their settings, or delete it with force=true")
	ErrNoEmbeddings     = fail.New(fail.Invalid, "NO_EMBEDDINGS", "the knowledge base has no embeddings, so that it cannot be searched by vectors: use the mode lexical, or hybrid")
)

// KnowledgeBases stores the knowledge bases of the caller's workspace.
type KnowledgeBases interface {
	Create(ctx context.Context, b domain.KnowledgeBase) error
	// Get returns ErrBaseNotFound where there is no such base.
	Get(ctx context.Context, id uuid.UUID) (domain.KnowledgeBase, error)
	// List lists bases by their ids, the newest first, from before an id on.
	List(ctx context.Context, before *uuid.UUID, limit int) ([]domain.KnowledgeBase, error)
	// Lock is Get for a change: nobody else changes the base until the end of the transaction.
	Lock(ctx context.Context, id uuid.UUID) (domain.KnowledgeBase, error)
	Save(ctx context.Context, b domain.KnowledgeBase) error
}

// BaseUses knows which bots use a knowledge base.
type BaseUses interface {
	// Bots returns the first bots by their names, limit at most, that use a base in their latest or published version and are
	// not archived, and how many there are.
	Bots(ctx context.Context, base uuid.UUID, limit int) (first []domain.UsingBot, total int64, err error)
}

// Documents stores the documents of the caller's workspace.
type Documents interface {
	// Create stores a new document, and its text where it was sent with the call, and queues its job. It returns
	// ErrBaseNotFound, ErrFileNotFound, or ErrDocumentExists with details.document_id.
	Create(ctx context.Context, d domain.Document, text string) error
	// Get returns ErrDocumentNotFound where there is no such document.
	Get(ctx context.Context, base, id uuid.UUID) (domain.Document, error)
	// List lists documents as KnowledgeBases.List does.
	List(ctx context.Context, base uuid.UUID, status *domain.DocumentStatus, before *uuid.UUID, limit int) ([]domain.Document, error)
	// Lock is Get for a change. It returns ErrDocumentNotFound for one that is being deleted.
	Lock(ctx context.Context, base, id uuid.UUID) (domain.Document, error)
	Save(ctx context.Context, d domain.Document) error
}

// Schedule has the work done that belongs to bases and documents, by jobs that are queued in the same transaction.
type Schedule interface {
	// Build has the next generation of a document built, and returns the document.
	Build(ctx context.Context, document uuid.UUID, o domain.BuildOptions, now time.Time) (domain.Document, error)
	// BuildAll has the next generation of all documents of a base built.
	BuildAll(ctx context.Context, base uuid.UUID, o domain.BuildOptions, now time.Time) error
	// Delete makes a document unfindable and has its rows removed.
	Delete(ctx context.Context, d domain.Document, now time.Time) error
	// DeleteOfFile is Delete for all documents of a file.
	DeleteOfFile(ctx context.Context, file uuid.UUID, now time.Time) error
	// DeleteBase makes a base with its documents unfindable and has their rows removed.
	DeleteBase(ctx context.Context, base uuid.UUID, now time.Time) error
}

// Texts reads the texts and chunks of documents.
type Texts interface {
	// Text returns ErrTextNotReady where the document has no complete generation.
	Text(ctx context.Context, d domain.Document) (domain.KeptText, error)
	// Chunks lists the chunks of the current generation in their order.
	Chunks(ctx context.Context, d domain.Document, after *ChunkPosition, limit int) ([]StoredChunk, error)
}

// StoredChunk is a chunk of a document with its id and place.
type StoredChunk struct {
	domain.Chunk
	ID      uuid.UUID
	Ordinal int // from 0 on
}

// ChunkPosition is a place in the list of chunks.
type ChunkPosition struct {
	Ordinal int `json:"o"`
}
