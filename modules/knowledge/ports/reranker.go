package ports

import (
	"context"
	"time"

	"github.com/parley/parley/platform/request/fail"
)

// Errors of reranking.
var (
	ErrNoReranker = fail.New(fail.Invalid, "NO_RERANKER", "this server has no reranking model: leave rerank out, or ask whoever operates this server to set RERANK_BASE_URL and RERANK_MODEL")
	// ErrRerankAway is a failure of the reranking model, whatever its cause.
	ErrRerankAway = fail.New(fail.Unavailable, "RERANK_UNAVAILABLE", "the reranking model does not answer as it should").After(time.Second)
)

// Reranker compares texts with a query.
type Reranker interface {
	// Rerank returns the score of each text, the higher the better; nil for a text that the model has left out. An error is
	// ErrRerankAway, or that of ctx.
	Rerank(ctx context.Context, query string, texts []string) ([]*float64, error)
}
