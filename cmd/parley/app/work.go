package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	answers "github.com/parley/parley/modules/channels/entrypoints/jobs"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/telemetry"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/work/background"
	"github.com/parley/parley/platform/work/jobs"
	"github.com/parley/parley/platform/work/outbound"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

// workQueue is where jobs and events are put.
type workQueue struct {
	kinds  *jobs.Registry
	jobs   *jobs.Queue
	events *outbound.Publisher
}

func newQueue(db *postgres.DB) workQueue {
	kinds := jobs.NewRegistry()
	list := jobs.NewQueue(db, kinds)
	return workQueue{kinds, list, outbound.NewPublisher(db, list, now)}
}

// newQuota makes the usage and the limits of workspaces.
func newQuota(cfg *config.Config, db *postgres.DB, events *outbound.Publisher) *usage.Quota {
	return &usage.Quota{DB: db, Limits: usageLimits(cfg), Events: events, Now: now}
}

// usageLimits returns the limits of workspaces that have none of their own.
func usageLimits(cfg *config.Config) usage.Limits {
	return usage.Limits{
		usage.Turns: cfg.LimitTurns, usage.Tokens: cfg.LimitTokens, usage.Messages: cfg.LimitMessages,
		usage.WebhookEvents: cfg.LimitEvents, usage.Cost: cfg.LimitCost, usage.Storage: cfg.LimitStorage,
		usage.Bots: cfg.LimitBots, usage.Members: cfg.LimitMembers, usage.Keys: cfg.LimitKeys,
		usage.Subscriptions: cfg.LimitSubs, usage.KnowledgeBases: cfg.LimitBases, usage.Documents: cfg.LimitDocuments,
		usage.Chunks: cfg.LimitChunks, usage.KnowledgeBytes: cfg.LimitKnowledge, usage.EndUsers: cfg.LimitEndUsers, usage.Tools: cfg.LimitTools,
	}
}

// work is what changes cause to be done later: jobs, among them the deliveries of events, and what they count against.
type work struct {
	workQueue
	quota    *usage.Quota
	webhooks webhook.Keys
	targets  *resilience.Group // of webhooks
	tasks    []background.Task
}

// workOptions are the options of newWork.
type workOptions struct {
	cfg     *config.Config
	db      *postgres.DB
	keys    webhook.Keys
	audit   *audit.Log
	tracing *telemetry.Tracing
	guard   newGuard
}

const deliveryTimeout = 15 * time.Second // for one attempt at a webhook

// newWork makes the queue, and the handlers of the jobs of the platform itself.
func newWork(o workOptions) (work, error) {
	w := work{workQueue: newQueue(o.db), webhooks: o.keys, targets: o.guard("webhook", resilience.Policy{
		Timeout: deliveryTimeout, Concurrency: o.cfg.Deliveries, Failures: breakAfter, OpenFor: o.cfg.BreakerOpen,
	})}
	w.quota = newQuota(o.cfg, o.db, w.events)
	w.tasks = []background.Task{w.jobs.Expiry()}
	client := webhook.NewClient(webhookTargets(o.cfg))
	client.Transport = o.tracing.Transport(client.Transport)
	deliverer := &outbound.Deliverer{DB: o.db, Keys: o.keys, Client: client, Guard: w.targets, Audit: o.audit, Now: now}
	return w, errors.Join(deliverer.Register(w.kinds), w.quota.Register(w.kinds))
}

// jobRunnerOptions are the options of newJobRunner.
type jobRunnerOptions struct {
	cfg      *config.Config
	log      *slog.Logger
	db       *postgres.DB
	kinds    *jobs.Registry
	tracing  *telemetry.Tracing
	counters counters
	// onDeadLetter is called in the transaction that gives a job up.
	onDeadLetter func(ctx context.Context, l jobs.DeadLetterDetail) error
}

// newJobRunner makes what runs the jobs of all kinds; nil where this process only serves.
func newJobRunner(o jobRunnerOptions) *jobs.Runner {
	if o.cfg.Workers == 0 {
		return nil
	}
	return jobs.NewRunner(jobs.RunnerOptions{
		DB: o.db, Registry: o.kinds, Log: o.log, Workers: o.cfg.Workers, Pools: jobPools(o.cfg), Poll: o.cfg.JobPoll, Lease: o.cfg.JobLease,
		OnDeadLetter: o.onDeadLetter, Middleware: measureJobs(o.tracing, o.counters),
	})
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
	return map[string]jobs.Pool{outbound.Pool: deliveries, answers.Pool: jobs.NewPool(cfg.Answers, AnswerSlowAfter)}
}

// deadLetterHook is called in the transaction that gives a job up.
type deadLetterHook = func(ctx context.Context, l jobs.DeadLetterDetail) error

// announceDeadLetters returns the hook that publishes an event about a job that is given up, and calls the hooks of
// modules. count counts it, by whom it concerns.
func announceDeadLetters(events *outbound.Publisher, count func(n float64, labels ...string), hooks []deadLetterHook) deadLetterHook {
	return func(ctx context.Context, l jobs.DeadLetterDetail) error {
		err := events.OnDeadLetter(ctx, l)
		for _, hook := range hooks {
			err = errors.Join(err, hook(ctx, l))
		}
		if err == nil {
			count(1, map[bool]string{true: "tenant", false: "operator"}[l.OfTenant])
		}
		return err
	}
}
