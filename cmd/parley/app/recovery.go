package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/parley/parley/modules/conversations/adapters/live"
	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/entrypoints/jobs"
	postgresdb "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/work/background"
	"github.com/parley/parley/platform/work/resilience"
)

// Limits of the leases of turns.
const (
	processLease  = 12 * time.Second // or JOB_LEASE, if that is shorter: how long a process may be silent before others take over its turns
	beatsPerLease = 4                // how often the process renews its lease in that time
	beatTimeout   = 5 * time.Second  // for one beat
	cutTimeout    = 5 * time.Second  // for storing the results of attempts that a stop cuts short, and once more for releasing their leases
)

// turnRecovery lets other processes take over the turns of this process when it stops or dies, and takes over those of
// others.
type turnRecovery struct {
	log      *slog.Logger
	process  *postgres.Process
	attempts *live.Hub
	others   *jobs.RecoverTurns // turns of other processes
}

func newTurnRecovery(cfg *config.Config, log *slog.Logger, db *postgresdb.DB, t turnUseCases) turnRecovery {
	return turnRecovery{
		log: log, attempts: t.attempts,
		process: &postgres.Process{DB: db, ID: t.process, Lease: min(processLease, cfg.JobLease), Lost: func() {
			log.Warn("other processes took this one for dead: it leaves its turns to them")
			t.attempts.Cut()
		}},
		others: jobs.NewRecoverTurns(jobs.RecoverOptions{
			Leases: t.turns, Recover: t.recover, Slots: resilience.NewSlots(cfg.ModelAtOnce), Poll: cfg.UpkeepInterval, Log: log,
		}),
	}
}

// task renews the lease of this process.
func (r turnRecovery) task() background.Task {
	return background.Task{Name: "say that the process lives", Every: r.process.Lease / beatsPerLease, Timeout: beatTimeout, Do: func(ctx context.Context) error {
		n, err := r.process.Beat(ctx)
		if n > 0 {
			r.log.Warn("a process is silent: its turns are taken up by others", "turns", n)
		}
		return err
	}}
}

// register takes the lease of this process. It must be called before the first turn.
func (r turnRecovery) register(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), beatTimeout)
	defer cancel()
	_, err := r.process.Beat(ctx)
	return err
}

// start takes over turns of other processes until the context ends or cut is called. cut stops the turns that run in
// this process, and releases their leases, so that other processes continue them at once. It returns within 10 s. It
// may be called more than once and concurrently.
func (r turnRecovery) start(ctx context.Context) (cut func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.others.Run(ctx)
	}()
	return sync.OnceFunc(func() {
		cancel()
		<-ended
		r.leave()
	})
}

func (r turnRecovery) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), cutTimeout)
	defer cancel()
	cut := r.attempts.Close(ctx)
	ctx, cancel = context.WithTimeout(context.Background(), cutTimeout)
	defer cancel()
	left, err := r.process.Leave(ctx)
	if err != nil {
		r.log.Warn("turns could not be given back: they wait until this process is taken for dead", "error", fmt.Errorf("at the stop: %w", err))
	}
	if cut+left > 0 {
		r.log.Info("turns were cut short; other processes go on with them", "turns", cut, "given_back_unfinished", left)
	}
}
