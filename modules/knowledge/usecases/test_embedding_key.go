package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/fail"
)

// TestEmbeddingKey tests the workspace's own server of an embedding model with one call to it.
type TestEmbeddingKey struct {
	Keys    ports.EmbeddingKeys
	Models  ports.EmbeddingModels
	Limits  ports.TestLimits
	Timeout time.Duration
	Now     func() time.Time
}

// testedText is the text of which a test makes a vector.
const testedText = "test"

// Do returns ErrEmbeddingKeyNotFound where there is none, and RATE_LIMIT_EXCEEDED where the workspace tests too often. Neither a
// transaction nor a connection is held during the call.
func (u TestEmbeddingKey) Do(ctx context.Context, workspace uuid.UUID) (domain.EmbeddingTest, error) {
	key, err := u.Keys.Open(ctx)
	if err != nil {
		return domain.EmbeddingTest{}, err
	}
	if err := u.Limits.Allow(ctx, "model key test:"+workspace.String()); err != nil {
		return domain.EmbeddingTest{}, err
	}
	waiting, cancel := context.WithTimeout(ctx, u.Timeout)
	defer cancel()
	start, model := u.Now(), u.Models.Of(key)
	vectors, _, err := model.Embedder.Embed(waiting, model.Name, ports.Query, []string{testedText})
	if err != nil && ctx.Err() != nil {
		return domain.EmbeddingTest{}, err
	}
	test := domain.EmbeddingTest{Latency: u.Now().Sub(start)}
	switch {
	case err == nil:
		test.Dimensions = len(vectors[0])
	case ports.PermanentEmbeddingFailure(err):
		why := fail.From(err)
		test.Code, test.Message = why.Code, why.Message
		test.ProviderCode, _ = why.Details["provider_code"].(string)
	default:
		test.Code, test.Message = ports.ErrEmbeddingsAway.Code, "the server did not answer as it should: "+err.Error()
	}
	return test, nil
}
