package app

import (
	"time"

	"github.com/parley/parley/platform/analytics"
	"github.com/parley/parley/platform/resilience"
)

// Limits of the calls to ClickHouse.
const (
	analyticsTimeout = 15 * time.Second
	analyticsCalls   = 16 // at once
	analyticsEach    = 8  // of one workspace
)

// chooseCounts chooses where counts are stored: in the configured ClickHouse, else in our own database. The program
// starts even where ClickHouse is not available.
func (p *platform) chooseCounts() (err error) {
	if p.cfg.ClickHouseHost == "" {
		p.counts = analytics.NewPostgres(p.db)
		return nil
	}
	p.analytics = resilience.NewGroup("clickhouse", resilience.Policy{
		Timeout: analyticsTimeout, Concurrency: analyticsCalls, PerSource: analyticsEach, Wait: time.Second,
		Failures: breakAfter, Sources: breakSources, OpenFor: p.cfg.BreakerOpen,
	}, p.log)
	p.clickhouse, err = analytics.NewClickHouse(p.db, analytics.ClickHouseOptions{
		URL: p.cfg.ClickHouseURL(), Database: p.cfg.ClickHouseDB, User: p.cfg.ClickHouseUser, Password: p.cfg.ClickHousePass,
	}, p.analytics)
	if err != nil {
		return err
	}
	p.counts, p.closers = p.clickhouse, append(p.closers, p.clickhouse.Close)
	return nil
}

// reports returns the reader of the counts.
func (p *platform) reports() analytics.Reports {
	return analytics.Reports{DB: p.db, Store: p.counts, Now: p.now}
}
