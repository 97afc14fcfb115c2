package app

import (
	"context"
	"errors"
	"log/slog"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/telemetry"
	"github.com/parley/parley/platform/work/resilience"
)

// storage is everything that stores data.
type storage struct {
	migrator   *postgres.Migrator
	db         *postgres.DB
	statements *postgres.Statements
	shared     sharedState
	files      fileStore
	counts     countStore
	vectors    vectorStore
}

// storageOptions are the options of openStorage.
type storageOptions struct {
	cfg      *config.Config
	log      *slog.Logger
	database *database
	lazily   bool // do not wait for the database
	tracing  *telemetry.Tracing
	guard    newGuard
	limited  func(n float64, labels ...string) // counts the calls that are refused because of a rate limit
}

// openStorage makes the clients of everything that stores data. It waits only for the database, and not even for that
// if lazily is set.
func openStorage(ctx context.Context, o storageOptions, closing *closers) (s storage, err error) {
	if s.shared, err = openShared(o.cfg, o.log, o.limited, closing); err != nil {
		return s, err
	}
	s.migrator = postgres.NewMigrator(o.database.direct, o.log)
	s.statements = postgres.NewStatements(o.cfg.SlowStatement, o.log)
	s.db, err = postgres.Open(ctx, postgres.Options{
		URL: o.database.url, Pooled: o.database.pooled(), MaxConns: o.cfg.Connections(), Lazy: o.lazily,
		Spans: o.tracing.Provider(), Statements: s.statements,
	})
	if err != nil {
		return s, err
	}
	closing.do(s.db.Close)
	var failures [3]error
	s.files, failures[0] = openFiles(ctx, o.cfg, o.guard, closing)
	s.counts, failures[1] = openCounts(o.cfg, s.db, o.guard, closing)
	s.vectors, failures[2] = openVectors(o.cfg, s.db, o.guard, closing)
	return s, errors.Join(failures[:]...)
}

// dependencies returns all dependencies, in the order in which they are reported. parley init prepares them, parley
// check checks them, /readyz pings them, and a server prepares the optional ones at its start.
func (s storage) dependencies() []dependency {
	list := []dependency{{name: "postgres", service: schema{s.migrator, s.db}, ping: s.db.Ping}, s.shared.dependency(), s.files.dependency}
	if s.counts.clickhouse != nil {
		list = append(list, dependency{name: "clickhouse", service: s.counts.clickhouse, optional: true, ping: s.counts.clickhouse.Ping})
	}
	return append(list, s.vectors.dependency)
}

// guards returns the guards of calls to stores outside of this process.
func (s storage) guards() (list []*resilience.Group) {
	for _, g := range []*resilience.Group{s.shared.guard, s.vectors.guard, s.counts.guard, s.files.guard} {
		if g != nil {
			list = append(list, g)
		}
	}
	return list
}
