package ports

import (
	"context"
	"errors"
	"time"

	"github.com/parley/parley/platform/request/fail"
)

// EmbeddingKind is what a text is that a vector is made of: some models want to know.
type EmbeddingKind string

// The kinds of texts.
const (
	Query   EmbeddingKind = "query"   // what is searched for
	Passage EmbeddingKind = "passage" // what is found
)

// EmbeddingUsage is what the making of vectors has used.
type EmbeddingUsage struct {
	Tokens    int64
	Estimated bool // the server did not say, at least of some of them
}

// Plus returns the sum of both.
func (u EmbeddingUsage) Plus(o EmbeddingUsage) EmbeddingUsage {
	return EmbeddingUsage{Tokens: u.Tokens + o.Tokens, Estimated: u.Estimated || o.Estimated}
}

// Embedder makes vectors (embeddings) of texts, such that the vectors of texts of like meaning have like directions.
type Embedder interface {
	// Embed returns a vector of length 1 for each text, in the order of the texts and all of the same number of
	// dimensions; nil for a text that the model makes the vector 0 of. The usage is that of all calls, also where an
	// error is returned. An error is ErrEmbeddingsAway, or one that PermanentEmbeddingFailure reports, or the error of ctx.
	Embed(ctx context.Context, model string, kind EmbeddingKind, texts []string) ([][]float32, EmbeddingUsage, error)
}

// ErrEmbeddingsAway is a failure that may pass by itself. RetryAfter says when to try again.
var ErrEmbeddingsAway = fail.New(fail.Unavailable, "EMBEDDINGS_UNAVAILABLE",
	"the server of the embedding model does not answer now: try again later").After(time.Second)

// Permanent failures of an embedding model: the same call would fail again. Details have model, and where the server sent
// them, status, provider_code and provider_message.
var (
	ErrEmbeddingCredentials = fail.New(fail.Invalid, "EMBEDDING_CREDENTIALS",
		"the server of the embedding model refuses the key: PUT /v1/model-keys/embedding with one that works, or, where the workspace has none of its own, ask whoever operates this server to set EMBEDDING_API_KEY")
	ErrEmbeddingQuota = fail.New(fail.Invalid, "EMBEDDING_QUOTA",
		"the account at the server of the embedding model has no credit left: top it up there, or, where the workspace has none of its own, ask whoever operates this server to")
	ErrEmbeddingModelUnknown = fail.New(fail.Invalid, "EMBEDDING_MODEL_NOT_FOUND",
		"no server has this embedding model for this workspace: check model and base_url of PUT /v1/model-keys/embedding, change embedding_model of the knowledge base, or ask whoever operates this server to check EMBEDDING_MODEL and EMBEDDING_BASE_URL")
	ErrEmbeddingTooLong = fail.New(fail.Invalid, "EMBEDDING_TEXT_TOO_LONG",
		"a text is longer than the embedding model reads: lower chunk_size of the knowledge base, or shorten the query")
	ErrEmbeddingRejected = fail.New(fail.Invalid, "EMBEDDING_REJECTED",
		"the server of the embedding model refuses the call as it is: details say why")
	ErrEmbeddingDimensions = fail.New(fail.Invalid, "EMBEDDING_DIMENSIONS",
		"the embedding model sends vectors of another number of dimensions: set dimensions of PUT /v1/model-keys/embedding, or of the operator's EMBEDDING_DIMENSIONS, to one that it supports, or to nothing, and reindex the document")
)

// PermanentEmbeddingFailure reports whether the same call of the same model would fail again.
func PermanentEmbeddingFailure(err error) bool {
	for _, permanent := range []error{
		ErrEmbeddingCredentials, ErrEmbeddingQuota, ErrEmbeddingModelUnknown, ErrEmbeddingTooLong, ErrEmbeddingRejected, ErrEmbeddingDimensions,
	} {
		if errors.Is(err, permanent) {
			return true
		}
	}
	return false
}
