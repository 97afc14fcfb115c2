package app

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/parley/parley/api"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/request/contract"
	"github.com/parley/parley/platform/request/gateway"
	"github.com/parley/parley/platform/work/background"
	"github.com/parley/parley/platform/work/jobs"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

// program is a server or a worker that has been built and not started.
type program struct {
	handler  http.Handler    // of HTTP_ADDR
	ready    func()          // lets the pages of METRICS_ADDR answer
	turns    *sync.WaitGroup // streamed turns, which may outlive their requests
	tasks    []background.Task
	setUp    setUpLink
	prepared func() // waits for the first attempts to prepare what is optional

	background *background.Runner
	runner     *jobs.Runner // nil where this process does no jobs
	recovery   turnRecovery
	listen     func(ctx context.Context) // receives the notifications of the database until the context ends
	grace      time.Duration             // of running jobs at a stop
	closing    *closers
}

// programOptions are the options of newProgram.
type programOptions struct {
	cfg         *config.Config
	log         *slog.Logger
	database    *database
	stopping    <-chan struct{}      // closed when streams that follow turns have to end
	connections *gateway.Connections // of clients; nil for a worker
	pages       *operatorPages
}

// newProgram builds a program: what it stands on, then its storage, what requests and jobs go through, and its modules.
// What it opens is added to closing.
func newProgram(ctx context.Context, o programOptions, closing *closers) (*program, error) {
	cfg, log := o.cfg, o.log
	base, err := newFoundation(ctx, cfg, log, closing)
	if err != nil {
		return nil, err
	}
	store, err := openStorage(ctx, storageOptions{
		cfg: cfg, log: log, database: o.database, tracing: base.tracing, guard: base.guard, limited: base.counters.refusals,
	}, closing)
	if err != nil {
		return nil, err
	}
	keys, err := useKeys(ctx, cfg, log, store.db, base.ring)
	if err != nil {
		return nil, err
	}
	anchor, err := openAnchor(cfg, store.files.Store, closing)
	if err != nil {
		return nil, err
	}
	calls, err := economiesOf(ctx).loadContract()
	if err != nil {
		return nil, err
	}
	passwords, err := economiesOf(ctx).passwords()
	if err != nil {
		return nil, err
	}
	entries := audit.NewLog(store.db)
	work, err := newWork(workOptions{
		cfg: cfg, db: store.db, keys: webhook.Keys{Box: keys.Box(boxOfWebhooks)}, audit: entries, tracing: base.tracing, guard: base.guard,
	})
	if err != nil {
		return nil, err
	}
	identity, err := newIdentity(cfg, store.db, keys, base.jwt)
	if err != nil {
		return nil, err
	}
	below := parts{
		foundation: base, storage: store, keys: keys, contract: calls, audit: entries, sealer: newSealer(store.db, keys, anchor), anchor: anchor,
		requests: newRequests(cfg, log, store.db, keys, store.shared.cache, entries, base.counters), work: work, identity: identity,
		passwords: passwords,
	}
	all, err := newModules(cfg, log, below, o.stopping)
	if err != nil {
		return nil, err
	}
	return assemble(o, below, all, closing)
}

// assemble makes a program of its modules and what they stand on.
func assemble(o programOptions, below parts, all modules, closing *closers) (*program, error) {
	cfg, log, db := o.cfg, o.log, below.storage.db
	if err := all.register(below.work.kinds); err != nil {
		return nil, err
	}
	dependencies := below.storage.dependencies()
	ready := append(checks(dependencies, cfg.Strict), below.storage.files.spaceCheck(cfg.FileLimit)) // a full disk takes no reads out
	outside := breakers(below.work.targets, all.models.operators)
	e, err := newGateway(gatewayOptions{
		cfg: cfg, log: log, contract: below.contract, keys: below.keys, identity: below.identity, requests: below.requests,
		limiter: below.storage.shared.limiter, checks: ready, outside: outside, forbidden: forbiddenChanges{db, below.audit, log}.record,
		tracing: below.tracing, counters: below.counters,
	})
	if err != nil {
		return nil, err
	}
	all.mount(e)
	var optional []dependency
	if cfg.MigrateOnStart { // else the operator runs parley init
		optional = dependencies
	}
	tasks, prepared := preparations(optional)
	tasks = slices.Concat(tasks, below.requests.tasks, auditTasks(cfg.UpkeepInterval, below.sealer, below.anchor, log), below.work.tasks,
		below.identity.tasks, collect(all.list, func(m module) []background.Task { return m.tasks }))
	if cfg.Workers == 0 { // processes that do jobs do the work of the cluster
		tasks = slices.DeleteFunc(tasks, func(t background.Task) bool { return t.Cluster })
	}
	runner := newJobRunner(jobRunnerOptions{
		cfg: cfg, log: log, db: db, kinds: below.work.kinds, tracing: below.tracing, counters: below.counters,
		onDeadLetter: announceDeadLetters(below.work.events, below.counters.dead, collect(all.list, func(m module) []deadLetterHook { return m.onDeadLetter })),
	})
	channels := collect(all.list, func(m module) []postgres.Channel { return m.channels })
	if runner != nil {
		channels = append(channels, runner.Channel())
	}
	repeated := background.NewRunner(log, db)
	addGauges(below.counters, measured{
		log: log, db: db, statements: below.storage.statements, connections: o.connections, filesDir: below.storage.files.dir,
		groups: append([]*resilience.Group{below.work.targets, all.models.operators, all.models.own, all.embedding.models.Server.Guard, all.embedding.own, all.embedding.rerankGuard}, below.storage.guards()...),
		slots:  all.turns.slots, maxTurns: cfg.ModelAtOnce, jobs: below.work.jobs, sealer: below.sealer, background: repeated,
		access: below.requests.access, workspaces: cfg.TopWorkspaces,
	})
	return &program{
		handler: e, turns: all.turns.running, tasks: tasks, prepared: prepared, background: repeated, runner: runner,
		recovery: all.recovery, grace: cfg.StopTimeout, closing: closing, setUp: all.setUp,
		ready:  func() { o.pages.ready(ready, outside, below.counters.Handler(), cfg.Pprof()) },
		listen: func(ctx context.Context) { postgres.Listen(ctx, o.database.direct, log, channels...) },
	}, nil
}

// start starts what runs beside the requests, in the order in which each needs the former. What it starts is stopped in
// the reverse order: running jobs end or are given back, then the turns of this process, then the tasks. A stop of jobs
// begins when the context ends, so that they have their grace period at the same time as requests. cut stops the turns
// that run in this process.
func (p *program) start(ctx context.Context) (cut func(), err error) {
	if err := p.recovery.register(ctx); err != nil {
		return nil, err
	}
	listening, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var listener sync.WaitGroup
	listener.Go(func() { p.listen(listening) })
	p.closing.do(func() {
		cancel()
		listener.Wait()
	})
	p.background.Start(p.tasks...)
	p.closing.do(p.background.Stop)
	p.prepared()
	cut = p.recovery.start(ctx)
	p.closing.do(cut)
	if p.runner == nil {
		return cut, nil
	}
	p.runner.Start()
	stop := func() {
		grace, cancel := context.WithTimeout(context.Background(), p.grace)
		defer cancel()
		p.runner.Stop(grace)
	}
	context.AfterFunc(ctx, stop)
	p.closing.do(stop)
	return cut, nil
}

// loadContract reads the OpenAPI document, by which requests are validated.
func loadContract() (*contract.Contract, error) {
	document, err := api.JSON()
	if err != nil {
		return nil, err
	}
	return contract.Load(document, formats()...)
}

// breakers returns the circuit breakers that /readyz reports: those of targets that others choose. Our own dependencies
// are checked directly.
func breakers(groups ...*resilience.Group) (list []gateway.Outside) {
	for _, g := range groups {
		list = append(list, gateway.Outside{Name: g.Name(), Open: func() int { return g.States()["open"] }})
	}
	return list
}
