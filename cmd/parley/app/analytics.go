package app

import (
	"time"

	"github.com/parley/parley/platform/analytics"
	"github.com/parley/parley/platform/resilience"
)

// Bounds of the calls to ClickHouse.
const (
	analyticsTimeout = 15 * time.Second
	analyticsCalls   = 16 // at once
	analyticsEach    = 8  // of one workspace
)

// chooseCounts decides where what is counted is kept: in the ClickHouse that is configured, else in our own database. A
// ClickHouse that is away is no reason not to start.
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

// reports reads what is counted.
func (p *platform) reports() analytics.Reports {
	return analytics.Reports{DB: p.db, Store: p.counts, Now: p.now}
}
