package app

import (
	"time"

	"github.com/parley/parley/platform/resilience"
	"github.com/parley/parley/platform/vector"
)

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

// connectVectors makes the store of vectors: in Postgres, or in the configured Qdrant.
func (p *platform) connectVectors() error {
	if p.cfg.QdrantURL == "" {
		store, err := vector.NewPostgres(p.db, collections()...)
		p.vectors, p.vectorService = store, dependency{name: "vectors", service: store}
		return err
	}
	p.qdrant = resilience.NewGroup("qdrant", resilience.Policy{
		Timeout: vectorTimeout, Concurrency: vectorCalls, Wait: vectorWait, Retries: vectorRetries,
		Failures: breakAfter, OpenFor: p.cfg.BreakerOpen,
	}, p.log)
	store, err := vector.NewQdrant(vector.QdrantOptions{URL: p.cfg.QdrantURL, APIKey: p.cfg.QdrantKey, Guard: p.qdrant}, collections()...)
	if err != nil {
		return err
	}
	p.vectors, p.vectorService = store, dependency{name: "qdrant", service: store, ping: store.Ping, optional: true}
	p.closers = append(p.closers, store.Close)
	return nil
}
