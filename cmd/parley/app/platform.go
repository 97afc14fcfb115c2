package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/parley/parley/modules/conversations/adapters/live"
	turns "github.com/parley/parley/modules/conversations/adapters/postgres"
	answers "github.com/parley/parley/modules/conversations/entrypoints/jobs"
	"github.com/parley/parley/platform/access"
	"github.com/parley/parley/platform/analytics"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/background"
	"github.com/parley/parley/platform/blob"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/config"
	"github.com/parley/parley/platform/dedupe"
	"github.com/parley/parley/platform/events"
	"github.com/parley/parley/platform/gateway"
	"github.com/parley/parley/platform/jobs"
	"github.com/parley/parley/platform/operations"
	"github.com/parley/parley/platform/postgres"
	"github.com/parley/parley/platform/ratelimit"
	"github.com/parley/parley/platform/resilience"
	"github.com/parley/parley/platform/secret"
	"github.com/parley/parley/platform/telemetry"
	"github.com/parley/parley/platform/usage"
	"github.com/parley/parley/platform/vector"
	"github.com/parley/parley/platform/webhook"
)

// platform has the shared services that the modules are built on.
type platform struct {
	cfg          *config.Config
	log          *slog.Logger
	migrator     *postgres.Migrator
	db           *postgres.DB
	statements   *postgres.Statements
	redis        *redis.Client // nil where none is configured
	redisCalls   *resilience.Group
	audit        *audit.Log
	sealer       *audit.Sealer
	anchor       *audit.Anchor // nil: none
	commands     *command.Pipeline
	limiter      ratelimit.Limiter
	limits       gateway.Limits
	background   *background.Runner
	kinds        *jobs.Registry // of the jobs that modules handle
	jobs         *jobs.Queue
	events       *events.Publisher
	meter        *usage.Meter
	keys         webhook.Keys
	targets      *resilience.Group                                     // of webhooks
	models       *resilience.Group                                     // with the operator's keys
	ownModels    *resilience.Group                                     // with keys of workspaces, at whatever server they name
	onDeadLetter []func(ctx context.Context, l jobs.WholeLetter) error // of the modules, in the transaction that gives a job up
	turns        *resilience.Slots                                     // of the turns that run at once
	qdrant       *resilience.Group                                     // nil where none is configured
	analytics    *resilience.Group                                     // nil where nothing outside is asked
	counts       analytics.Store
	clickhouse   *analytics.ClickHouse // nil where none is configured: Postgres has the counts
	marks        dedupe.Marks
	vectors      vector.Store
	runner       *jobs.Runner // nil where this process does no jobs
	direct       string       // the URL of the database past a pooler
	hears        []postgres.Channel
	stopping     <-chan struct{} // closed when the program receives the signal to stop
	blobs        blob.Store
	store        *resilience.Group      // of calls to a MinIO; nil where files are on disk
	periodic     []jobs.Periodic        // of the modules
	ring         secret.Ring            // SECRET_KEY, and SECRET_PREVIOUS_KEYS
	retired      map[string]secret.Keys // by their purpose: keys of a SECRET_KEY that is no longer configured
	jwt          string
	now          func() time.Time
	purges       []func(ctx context.Context, workspace uuid.UUID) error // remove what a purged workspace has outside the database
	metrics      meters
	tracing      *telemetry.Tracing // nil where no traces are made
	closers      []func() error     // of what was begun beside the above
	access       *access.Watcher
	running      sync.WaitGroup // streamed turns, which may outlive their requests

	filesDir    string // that uploads are written to, at the end or on their way
	pages       *operatorPages
	connections *gateway.Connections // of clients; nil for a worker

	process      *turns.Process        // this one, among those that run turns
	attempts     *live.Hub             // that run in this process
	recovery     *answers.RecoverTurns // of turns of other processes
	stopRecovery func()                // nil: it has not begun
	cut          sync.Once

	vectorService dependency // what keeps the vectors
	blobService   dependency // what keeps the bytes of files
}

func newPlatform(ctx context.Context, cfg *config.Config, log *slog.Logger, d *database) (_ *platform, err error) {
	p := &platform{cfg: cfg, log: log, direct: d.direct, now: now, background: background.NewRunner(log), metrics: newMeters()}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if err := p.takeSecrets(); err != nil {
		return nil, err
	}
	if err := p.startTracing(ctx); err != nil {
		return nil, err
	}
	if err := p.connect(ctx, d, false); err != nil {
		return nil, err
	}
	if err := p.useKey(ctx); err != nil {
		return nil, err
	}
	p.audit, p.sealer = audit.NewLog(p.db), p.newSealer()
	if err := p.openAnchor(); err != nil {
		return nil, err
	}
	store := operations.NewStore(p.db, p.ring.Box(boxOfAnswers))
	p.keys = webhook.Keys{Box: p.ring.Box(boxOfWebhooks)}
	p.guardOutside()
	p.commands = command.NewPipeline(command.Options{
		DB: p.db, Operations: store, Cache: p.cache(), Audit: p.audit, Fault: cfg.Fault(), Observed: p.metrics.operation,
	})
	if err := p.prepareJobs(); err != nil {
		return nil, err
	}
	p.limits = gateway.Limits{
		General:   ratelimit.Limit{Max: cfg.RateMax, Window: cfg.RateWindow},
		Auth:      ratelimit.Limit{Max: cfg.AuthRateMax, Window: time.Minute},
		Strangers: ratelimit.Limit{Max: cfg.AuthStrangers, Window: time.Minute},
		Workspace: ratelimit.Limit{Max: cfg.LimitRequests, Window: time.Minute},
	}
	p.access = access.NewWatcher(p.db.Refused, p.now, log)
	p.background.Every(access.Interval, time.Minute, "check the access of open streams", p.access.Check)
	p.background.Every(cfg.UpkeepInterval, 10*time.Minute, "seal the audit log", p.sealer.Seal)
	p.keepAnchor()
	p.background.Every(time.Hour, 10*time.Minute, "expire operations", func(ctx context.Context) error {
		for {
			if more, err := store.Expire(ctx); err != nil || !more {
				return err
			}
		}
	})
	p.background.Every(10*time.Minute, time.Minute, "expire answers with secrets", store.ExpireSealed)
	p.prepareOptional()
	return p, nil
}

// Limits of the outgoing calls.
const (
	deliveryTimeout = 15 * time.Second // for one attempt at a webhook
	modelRetries    = 1                // while the model has sent no text yet
	breakAfter      = 5                // failures in a row
	breakSources    = 3                // workspaces that must be among them before a shared target is no longer called
)

// guardOutside adds deadlines, bulkheads and circuit breakers to outgoing calls.
func (p *platform) guardOutside() {
	p.targets = resilience.NewGroup("webhook", resilience.Policy{
		Timeout: deliveryTimeout, Concurrency: p.cfg.Deliveries, Failures: breakAfter, OpenFor: p.cfg.BreakerOpen,
	}, p.log)
	models := resilience.Policy{
		Timeout: p.cfg.ModelTimeout, Retries: modelRetries, Failures: breakAfter, Sources: breakSources, OpenFor: p.cfg.BreakerOpen,
	}
	p.models, p.ownModels = resilience.NewGroup("model", models, p.log), resilience.NewGroup("own_model", models, p.log)
	p.turns = resilience.NewSlots(p.cfg.ModelAtOnce)
	for _, g := range p.groups() {
		if g != p.redisCalls { // each call makes several, and they are short
			g.Middleware = p.aroundCall
		}
	}
}

// migrateOrRefuse brings the schema up to date. Where MIGRATE_ON_START is false it returns an error for a schema that
// is not. It accepts a schema that is newer than this program, because the next version may be rolled out at the
// moment.
func migrateOrRefuse(ctx context.Context, cfg *config.Config, m *postgres.Migrator) error {
	if cfg.MigrateOnStart {
		return m.Up(ctx)
	}
	at, newest, dirty, err := m.Status(ctx)
	switch {
	case err != nil:
		return err
	case dirty || at < newest:
		return fmt.Errorf("the database is at version %d of %d and MIGRATE_ON_START is false: run parley migrate up", at, newest)
	default:
		return m.Drift(ctx)
	}
}

// prepareJobs makes the queue, and the runner of its jobs unless this process only serves. Deliveries of events are
// jobs of the platform itself.
func (p *platform) prepareJobs() error {
	p.kinds = jobs.NewRegistry()
	p.jobs = jobs.NewQueue(p.db, p.kinds)
	p.events = events.NewPublisher(p.db, p.jobs, p.now)
	p.meter = &usage.Meter{DB: p.db, Limits: usageLimits(p.cfg), Events: p.events, Now: p.now}
	client := webhook.NewClient(p.cfg.WebhookPrivate)
	client.Transport = p.tracing.Transport(client.Transport)
	deliverer := &events.Deliverer{
		DB: p.db, Keys: p.keys, Client: client, Guard: p.targets, Audit: p.audit, Now: p.now,
	}
	if err := errors.Join(deliverer.Register(p.kinds), p.meter.Register(p.kinds)); err != nil || p.cfg.Workers == 0 {
		return err
	}
	p.runner = jobs.NewRunner(jobs.RunnerOptions{
		DB: p.db, Registry: p.kinds, Log: p.log, Workers: p.cfg.Workers, Pools: jobPools(p.cfg), Poll: p.cfg.JobPoll, Lease: p.cfg.JobLease,
		OnDeadLetter: p.deadLetter, Middleware: p.aroundJob,
	})
	return nil
}

// Durations from which on a target of a job is slow.
const (
	deliverySlowAfter = time.Second
	AnswerSlowAfter   = 5 * time.Second
)

// jobPools returns the slots of jobs that wait for outside systems. A delivery to a fast target waits at most a second
// for a slot, whatever other targets do. One host has at most Deliveries/4 slots of each sort. An answer by
// a slow model is never ended to free a slot, because it has already cost something.
func jobPools(cfg *config.Config) map[string]jobs.Pool {
	deliveries := jobs.NewPool(cfg.Deliveries, deliverySlowAfter)
	deliveries.EndSlow, deliveries.PerTarget = true, cfg.Deliveries/4
	return map[string]jobs.Pool{events.Pool: deliveries, answers.Pool: jobs.NewPool(cfg.Answers, AnswerSlowAfter)}
}

// usageLimits returns the limits of workspaces that have none of their own.
func usageLimits(cfg *config.Config) usage.Limits {
	return usage.Limits{
		usage.Turns: cfg.LimitTurns, usage.Tokens: cfg.LimitTokens, usage.Messages: cfg.LimitMessages,
		usage.WebhookEvents: cfg.LimitEvents, usage.Cost: cfg.LimitCost, usage.Storage: cfg.LimitStorage,
		usage.Bots: cfg.LimitBots, usage.Members: cfg.LimitMembers, usage.Keys: cfg.LimitKeys,
		usage.Subscriptions: cfg.LimitSubs,
	}
}

// subscriptions returns the store of webhook subscriptions, which receive events.
func (p *platform) subscriptions() *events.Subscriptions {
	return &events.Subscriptions{
		DB: p.db, Queue: p.jobs, Keys: p.keys, AllowPrivate: p.cfg.WebhookPrivate, Now: p.now,
		Room: func(ctx context.Context) error { return p.meter.Room(ctx, usage.Subscriptions) },
	}
}

// startJobs starts to run jobs, after the modules have registered their handlers. It stops when ctx ends: running jobs
// then have the same grace period as requests, at the same time.
func (p *platform) startJobs(ctx context.Context) {
	p.listen()
	p.recoverTurns(ctx)
	if p.runner == nil {
		return
	}
	p.runner.Start()
	p.runner.Every(p.jobs.Expiry())
	p.runner.Every(p.subscriptions().Expiry())
	p.runner.Every(analytics.Exporting(p.counts, p.cfg.UpkeepInterval))
	for _, task := range p.periodic {
		p.runner.Every(task)
	}
	context.AfterFunc(ctx, p.stopJobs)
}

// stopJobs returns when every job has ended or been given back. It may be called more than once and concurrently.
func (p *platform) stopJobs() {
	if p.runner == nil {
		return
	}
	grace, cancel := context.WithTimeout(context.Background(), p.cfg.StopTimeout)
	defer cancel()
	p.runner.Stop(grace)
}

// close stops what newPlatform has started.
func (p *platform) close() error {
	p.stopJobs()
	p.cutTurns()
	p.background.Stop()
	var failures []error
	for _, end := range p.closers {
		failures = append(failures, end())
	}
	if p.db != nil {
		p.db.Close()
	}
	if p.redis != nil {
		failures = append(failures, p.redis.Close())
	}
	return errors.Join(failures...)
}

// now returns the time in the precision of Postgres, so that a response and a later reading have the same value.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
