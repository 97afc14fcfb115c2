package app

import (
	"context"

	knowledge "github.com/parley/parley/modules/knowledge/ports"
	postgresdb "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/usage"
)

// newSponsors returns who decides about the use of the operator's keys; nil where everybody may use them.
func newSponsors(cfg *config.Config, db *postgresdb.DB) *usage.Sponsors {
	if cfg.Verification != config.VerificationRequired {
		return nil
	}
	return usage.NewSponsors(db)
}

// sponsoredCosts refuses the operator's embedding models to callers whom the sponsors do not admit.
type sponsoredCosts struct {
	knowledge.EmbeddingCosts
	sponsors *usage.Sponsors
}

func (c sponsoredCosts) Check(ctx context.Context, model knowledge.EmbeddingModel, tokens int64) error {
	if !model.Own {
		if err := c.sponsors.Admit(ctx); err != nil {
			return err
		}
	}
	return c.EmbeddingCosts.Check(ctx, model, tokens)
}

// sponsoredReranker is away for callers whom the sponsors do not admit: their searches go on without it.
type sponsoredReranker struct {
	knowledge.Reranker
	sponsors *usage.Sponsors
}

func (r sponsoredReranker) Rerank(ctx context.Context, query string, texts []string) ([]*float64, error) {
	if err := r.sponsors.Admit(ctx); err != nil {
		return nil, knowledge.ErrRerankAway.Because(err)
	}
	return r.Reranker.Rerank(ctx, query, texts)
}
