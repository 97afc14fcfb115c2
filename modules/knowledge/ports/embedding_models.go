package ports

import (
	"context"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/platform/request/fail"
)

// ErrEmbeddingKeyNotFound is returned where a workspace has no server of an embedding model of its own.
var ErrEmbeddingKeyNotFound = fail.New(fail.NotFound, "NOT_FOUND", "this workspace has no embedding model of its own: set one by PUT /v1/model-keys/embedding")

// ErrNoSuchEmbeddingModel is returned where no embedding model of that name serves the workspace.
var ErrNoSuchEmbeddingModel = fail.New(fail.NotFound, "MODEL_NOT_FOUND",
	"there is no such embedding model: it must be the workspace's own (GET /v1/model-keys/embedding), or one that the operator of this server has set by EMBEDDING_MODEL")

// EmbeddingModel is an embedding model that serves the caller's workspace now.
type EmbeddingModel struct {
	Name     string // as knowledge bases name it
	Space    string // of its vectors, which are not compared with those of other spaces
	Settings string // what else changes the vector of a text
	Own      bool   // of the workspace: the operator pays nothing
	Embedder Embedder
}

// EmbeddingModels knows which embedding models serve the caller's workspace. They are read whenever they are used: a
// workspace may change or remove its own at any time.
type EmbeddingModels interface {
	// Serving returns them. A name is there once: the workspace's own model replaces the operator's of the same name.
	Serving(ctx context.Context) ([]EmbeddingModel, error)
	// Of returns the model of a key.
	Of(k domain.EmbeddingKey) EmbeddingModel
}

// EmbeddingKeys stores the own server of the caller's workspace.
type EmbeddingKeys interface {
	// Get returns it without its secret, or ErrEmbeddingKeyNotFound.
	Get(ctx context.Context) (domain.EmbeddingKey, error)
	// Open returns it with its secret, or ErrEmbeddingKeyNotFound.
	Open(ctx context.Context) (domain.EmbeddingKey, error)
	// Lock keeps others from changing it until the end of the transaction.
	Lock(ctx context.Context) error
	// Put encrypts and stores it in place of the former one.
	Put(ctx context.Context, k domain.EmbeddingKey) error
	Delete(ctx context.Context) error
}

// BasesOfModels finds knowledge bases by their models.
type BasesOfModels interface {
	// LockOfModels returns the bases that name one of the models. Nobody else changes them until the end of the transaction.
	LockOfModels(ctx context.Context, models []string) ([]domain.KnowledgeBase, error)
}

// TestLimits limits how often the keys of a workspace are tested; it returns RATE_LIMIT_EXCEEDED.
type TestLimits interface {
	Allow(ctx context.Context, key string) error
}
