package app

import (
	"fmt"
	"strings"
	"time"

	"github.com/parley/parley/modules/knowledge/adapters/embeddings"
	"github.com/parley/parley/modules/knowledge/adapters/postgres"
	"github.com/parley/parley/modules/knowledge/adapters/rerank"
	"github.com/parley/parley/modules/knowledge/ports"
	postgresdb "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/ops/telemetry"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

// embeddingModels are the embedding models that knowledge bases may have.
type embeddingModels struct {
	models embeddings.Models
	keys   postgres.EmbeddingKeys
	own    *resilience.Group // guards calls of workspaces' own servers
	prices map[string]int64  // of a million tokens, in millionths of the currency

	sponsors *usage.Sponsors // who decides about the use of the operator's models; nil: everybody may use them

	rerank      ports.Reranker    // nil: there is none
	rerankGuard *resilience.Group // around its calls
}

// Limits of the calls of embedding models.
const (
	embeddingCalls        = 16 // at once to one model
	embeddingCallsOfOne   = 8  // of these, of one workspace
	embeddingRetries      = 1
	embeddingPricesPrefix = "embedding/"    // of their names in MODEL_PRICES
	rerankTimeout         = 4 * time.Second // less than a search waits
)

// embeddingOptions are the options of newEmbeddingModels.
type embeddingOptions struct {
	cfg     *config.Config
	db      *postgresdb.DB
	ring    secret.Ring
	tracing *telemetry.Tracing
	guard   newGuard
	// sponsors decide about the use of the operator's models; nil: everybody may use them.
	sponsors *usage.Sponsors
}

func newEmbeddingModels(o embeddingOptions) (embeddingModels, error) {
	cfg := o.cfg
	ring, err := modelRing(o.ring, cfg)
	if err != nil {
		return embeddingModels{}, err
	}
	trusted, careful := webhook.NewTrustedStreamClient(), webhook.NewStreamClient(modelTargets(cfg))
	trusted.Transport, careful.Transport = o.tracing.Transport(trusted.Transport), o.tracing.Transport(careful.Transport)
	policy := resilience.Policy{
		Timeout: cfg.EmbeddingTime, Concurrency: embeddingCalls, PerSource: embeddingCallsOfOne, Wait: cfg.EmbeddingTime, Retries: embeddingRetries,
		Failures: breakAfter, Sources: breakSources, OpenFor: cfg.BreakerOpen,
	}
	operators := o.guard("embedding", policy)
	policy.Concurrency = embeddingCallsOfOne // each server is of one workspace
	m := embeddingModels{
		keys: postgres.EmbeddingKeys{DB: o.db, Box: ring.Box(boxOfModels)}, own: o.guard("own_embedding", policy), prices: map[string]int64{},
		sponsors: o.sponsors,
	}
	server := embeddings.Server{
		URL: cfg.EmbeddingURL, Key: cfg.EmbeddingKey, Dimensions: cfg.EmbeddingDims, Batch: cfg.EmbeddingBatch,
		QueryPrefix: spaced(cfg.EmbeddingQuery), PassagePrefix: spaced(cfg.EmbeddingText), Client: trusted, Guard: operators,
	}
	m.models = embeddings.Models{
		Names: cfg.EmbeddingModel, Server: server, Settings: fmt.Sprintf("%d %s", cfg.EmbeddingDims, server.PassagePrefix),
		Keys: m.keys, Client: careful, Guard: m.own, Batch: cfg.EmbeddingBatch,
	}
	m.rerankGuard = o.guard("rerank", resilience.Policy{
		Timeout: rerankTimeout, Concurrency: embeddingCalls, PerSource: embeddingCallsOfOne, Wait: rerankTimeout, Retries: embeddingRetries,
		Failures: breakAfter, Sources: breakSources, OpenFor: cfg.BreakerOpen,
	})
	if cfg.RerankURL != "" {
		m.rerank = rerank.Server{URL: cfg.RerankURL, Key: cfg.RerankKey, Model: cfg.RerankModel, Client: trusted, Guard: m.rerankGuard}
	}
	if m.rerank != nil && o.sponsors != nil {
		m.rerank = sponsoredReranker{m.rerank, o.sponsors}
	}
	for name, price := range cfg.ModelTable() {
		if model, ok := strings.CutPrefix(name, embeddingPricesPrefix); ok && price.Input != nil {
			m.prices[model] = *price.Input
		}
	}
	return m, nil
}

// counting returns where the costs of embeddings are counted, with the check of who may use the operator's models.
func (m embeddingModels) counting(costs ports.EmbeddingCosts) ports.EmbeddingCosts {
	if m.sponsors == nil {
		return costs
	}
	return sponsoredCosts{costs, m.sponsors}
}

// spaced returns a prefix with the space behind it that files of settings often lose.
func spaced(prefix string) string {
	if prefix == "" || strings.TrimSpace(prefix[len(prefix)-1:]) == "" {
		return prefix
	}
	return prefix + " "
}
