package app

import (
	"time"

	"github.com/parley/parley/platform/data/analytics"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/work/resilience"
)

// countStore is where the counts of the reports are stored.
type countStore struct {
	analytics.Store
	clickhouse *analytics.ClickHouse // nil where none is configured: Postgres has the counts
	guard      *resilience.Group     // nil where none is configured
}

// Limits of the calls to ClickHouse.
const (
	analyticsTimeout = 15 * time.Second
	analyticsCalls   = 16 // at once
	analyticsEach    = 8  // of one workspace
)

// openCounts chooses where counts are stored: in the configured ClickHouse, else in our own database. The program
// starts even where ClickHouse is not available.
func openCounts(cfg *config.Config, db *postgres.DB, guard newGuard, closing *closers) (countStore, error) {
	if cfg.ClickHouseHost == "" {
		return countStore{Store: analytics.NewPostgres(db)}, nil
	}
	group := guard("clickhouse", resilience.Policy{
		Timeout: analyticsTimeout, Concurrency: analyticsCalls, PerSource: analyticsEach, Wait: time.Second,
		Failures: breakAfter, Sources: breakSources, OpenFor: cfg.BreakerOpen,
	})
	clickhouse, err := analytics.NewClickHouse(db, analytics.ClickHouseOptions{
		URL: cfg.ClickHouseURL(), Database: cfg.ClickHouseDB, User: cfg.ClickHouseUser, Password: cfg.ClickHousePass,
	}, group)
	if err != nil {
		return countStore{}, err
	}
	closing.push(clickhouse.Close)
	return countStore{clickhouse, clickhouse, group}, nil
}
