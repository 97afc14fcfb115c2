package app

import (
	"time"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/data/vector"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/work/resilience"
)

// vectorStore is where vectors are stored.
type vectorStore struct {
	vector.Store
	guard      *resilience.Group // of calls to a Qdrant; nil where vectors are in Postgres
	dependency dependency
}

// collections returns the vector collections of the modules. No module has one yet; the store itself is prepared and
// checked.
func collections() []vector.Collection { return nil }

// Limits of the calls to Qdrant.
const (
	vectorTimeout = 10 * time.Second
	vectorCalls   = 64 // at once
	vectorWait    = time.Second
	vectorRetries = 2
)

// openVectors makes the store of vectors: in Postgres, or in the configured Qdrant.
func openVectors(cfg *config.Config, db *postgres.DB, guard newGuard, closing *closers) (vectorStore, error) {
	if cfg.QdrantURL == "" {
		store, err := vector.NewPostgres(db, collections()...)
		return vectorStore{Store: store, dependency: dependency{name: "vectors", service: store}}, err
	}
	group := guard("qdrant", resilience.Policy{
		Timeout: vectorTimeout, Concurrency: vectorCalls, Wait: vectorWait, Retries: vectorRetries,
		Failures: breakAfter, OpenFor: cfg.BreakerOpen,
	})
	store, err := vector.NewQdrant(vector.QdrantOptions{URL: cfg.QdrantURL, APIKey: cfg.QdrantKey, Guard: group}, collections()...)
	if err != nil {
		return vectorStore{}, err
	}
	closing.push(store.Close)
	return vectorStore{store, group, dependency{name: "qdrant", service: store, ping: store.Ping, optional: true}}, nil
}

// vectorsPurge returns the hook that removes the vectors of a purged workspace from a Qdrant; none where there is no Qdrant.
// Those in Postgres go with its rows.
func vectorsPurge(store vectorStore) []purgeHook {
	if qdrant, ok := store.Store.(*vector.Qdrant); ok {
		return []purgeHook{qdrant.Forget}
	}
	return nil
}
