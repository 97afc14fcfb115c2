package app

import (
	"errors"
	"log/slog"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/auth/adapters/argon2id"
	"github.com/parley/parley/modules/conversations/entrypoints/inproc"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/request/contract"
	"github.com/parley/parley/platform/request/gateway"
	"github.com/parley/parley/platform/work/jobs"
)

// parts is what modules stand on. Only newModules and assemble take it: they give each module exactly what it needs.
type parts struct {
	foundation
	storage  storage
	keys     keyset
	contract *contract.Contract
	audit    *audit.Log
	sealer   *audit.Sealer
	anchor   *audit.Anchor // nil: there is none
	requests requests
	work     work
	identity identity

	passwords *argon2id.Passwords
}

// modules are all modules.
type modules struct {
	list      []module
	models    models
	embedding embeddingModels
	turns     turnUseCases
	recovery  turnRecovery
	setUp     setUpLink
}

func newModules(cfg *config.Config, log *slog.Logger, o parts, stopping <-chan struct{}) (modules, error) {
	var all modules
	var err error
	db, limits := o.storage.db, o.work.quota.Limits
	sponsors := newSponsors(cfg, db)
	if all.models, err = newModels(modelsOptions{cfg: cfg, db: db, ring: o.keys.Ring, limits: limits, sponsors: sponsors, tracing: o.tracing, guard: o.guard}); err != nil {
		return all, err
	}
	if all.embedding, err = newEmbeddingModels(embeddingOptions{cfg: cfg, db: db, ring: o.keys.Ring, sponsors: sponsors, tracing: o.tracing, guard: o.guard}); err != nil {
		return all, err
	}
	known := knowledgeOptions{
		embedding: all.embedding, limiter: o.storage.shared.limiter, modelServers: modelTargets(cfg),
		audit: o.audit, quotes: newQuotes(db),
		log: log, db: db, files: o.storage.files.Store, vectors: o.storage.vectors, maxBytes: cfg.FileLimit, dataDir: cfg.DataDir, jobs: o.work.jobs, quota: o.work.quota,
		events: o.work.events, interval: cfg.UpkeepInterval, fault: cfg.Fault(),
		commands: o.requests.commands, cursors: o.requests.cursors, missing: o.counters.missing,
	}
	knowledge, searched := newKnowledge(known), newKnowledgeSearch(known)
	attached, owned := newKnowledgeFiles(known)
	tools := newTools(toolsOptions{cfg: cfg, db: db, quota: o.work.quota, tracing: o.tracing, guard: o.guard, box: o.keys.Box(boxOfTools)})
	all.turns = newTurns(turnsOptions{
		cfg: cfg, log: log, db: db, model: all.models.Router, knowledge: searched, files: attached, tools: tools.face(), schemas: tools.schemas, events: o.work.events, limits: limits, jobs: o.work.jobs,
		commands: o.requests.commands, stopping: stopping, counters: o.counters,
	})
	all.recovery = newTurnRecovery(cfg, log, db, all.turns)
	deletions := newDeletions(db, o.work.jobs, all.turns)
	activity := newActivity(activityOptions{
		log: log, oldThreads: newOldThreads(db, deletions.Delete), fault: cfg.Fault(), upkeep: cfg.UpkeepInterval,
		db: db, counts: o.storage.counts, interval: cfg.UpkeepInterval, audit: o.audit, sealer: o.sealer, anchor: o.anchor, jobs: o.work.jobs,
		quota: o.work.quota, commands: o.requests.commands, cursors: o.requests.cursors,
		exports: exportOptions{
			db: db, files: o.storage.files.Store, jobs: o.work.jobs, audit: o.audit, keys: o.keys.Keys("export links"),
			publicURL: cfg.StatedURL(), version: cfg.Version, fault: cfg.Fault(), interval: cfg.UpkeepInterval,
		},
	})
	bots := newBots(botsOptions{
		tools:   tools,
		threads: inproc.BotThreads{Delete: deletions}, jobs: o.work.jobs, interval: cfg.UpkeepInterval, fault: cfg.Fault(),
		db: db, quota: o.work.quota, events: o.work.events, models: all.models.face(), knowledge: searched, commands: o.requests.commands, cursors: o.requests.cursors,
	})
	conversations, answers := newConversations(conversationsOptions{
		db: db, jobs: o.work.jobs, interval: cfg.UpkeepInterval, fault: cfg.Fault(), models: all.models, turns: all.turns, deletions: deletions, recovery: all.recovery, limiter: o.storage.shared.limiter,
		modelServers: modelTargets(cfg), commands: o.requests.commands, access: o.requests.access, cursors: o.requests.cursors,
	})
	limiter := gateway.SessionLimiter{Limiter: o.storage.shared.limiter, Limit: o.requests.limits.General}
	channels, err := newChannels(channelsOptions{
		db: db, audit: o.audit, jobs: o.work.jobs, quota: o.work.quota, events: o.work.events, keys: o.work.webhooks, marks: o.storage.shared.marks, limits: limiter,
		contract: o.contract, targets: webhookTargets(cfg), answers: answers, modelTimeout: cfg.ModelTimeout,
		commands: o.requests.commands, cursors: o.requests.cursors,
	})
	if err != nil {
		return all, err
	}
	all.list = []module{knowledge, activity, bots, conversations, channels}
	auth, setUp, err := newAuth(authOptions{
		cfg: cfg, log: log, db: db, keys: o.keys, identity: o.identity, passwords: o.passwords, audit: o.audit, commands: o.requests.commands,
		cursors: o.requests.cursors, limits: limiter,
		jobs: o.work.jobs, files: owned, threads: newOwnedThreads(db, o.work.jobs, deletions.Delete.Discard), quota: o.work.quota, purge: collect(all.list, func(one module) []purgeHook { return one.onPurge }), counters: o.counters,
		tracing: o.tracing, guard: o.guard,
	})
	all.list, all.setUp = append(all.list, auth), setUp
	return all, err
}

// mount adds the routes of all modules.
func (m modules) mount(e *echo.Echo) {
	for _, one := range m.list {
		one.mount(e)
	}
}

// register registers the handlers of all jobs.
func (m modules) register(kinds *jobs.Registry) error {
	var failures []error
	for _, handler := range collect(m.list, func(one module) []jobHandler { return one.handlers }) {
		failures = append(failures, handler(kinds))
	}
	return errors.Join(failures...)
}

// collect returns what all modules add of one sort.
func collect[T any](list []module, of func(one module) []T) (all []T) {
	for _, one := range list {
		all = append(all, of(one)...)
	}
	return all
}
