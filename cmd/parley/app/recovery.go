package app

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/entrypoints/jobs"
	notifications "github.com/parley/parley/platform/postgres"
	"github.com/parley/parley/platform/resilience"
)

// Limits of the leases of turns.
const (
	processLease = 12 * time.Second // or JOB_LEASE, if that is shorter: how long a process may be silent before others take over its turns
	beatsALease  = 4                // how often the process renews its lease in that time
	beatTimeout  = 5 * time.Second  // for one beat
	cutTimeout   = 5 * time.Second  // for storing the results of attempts that a stop cuts short, and once more for releasing their leases
)

// keepTurns lets other processes take over the turns of this process when it stops or dies, and takes over those of
// others.
func (p *platform) keepTurns(turns turnUseCases) error {
	p.process = &postgres.Process{DB: p.db, ID: uuid.New(), Lease: min(processLease, p.cfg.JobLease), Lost: func() {
		p.log.Warn("other processes took this one for dead: it leaves its turns to them")
		p.attempts.Cut()
	}}
	turns.turns.In(p.process.ID)
	ctx, cancel := context.WithTimeout(context.Background(), beatTimeout)
	defer cancel()
	if _, err := p.process.Beat(ctx); err != nil { // before its first turn
		return err
	}
	p.recovery = jobs.NewRecoverTurns(jobs.RecoverOptions{
		Leases: turns.turns, Recover: turns.recover, Slots: resilience.NewSlots(p.cfg.ModelAtOnce), Poll: p.cfg.UpkeepInterval, Log: p.log,
	})
	p.background.Every(p.process.Lease/beatsALease, beatTimeout, "say that the process lives", func(ctx context.Context) error {
		n, err := p.process.Beat(ctx)
		if n > 0 {
			p.log.Warn("a process is silent: its turns are taken up by others", "turns", n)
		}
		return err
	})
	p.hears = append(p.hears, notifications.Channel{Name: "parley_recovery", OnNotify: func(string) { p.recovery.Wake() }})
	return nil
}

// recoverTurns takes over turns of other processes until the context ends or the program stops its own turns.
func (p *platform) recoverTurns(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	p.stopRecovery = func() {
		cancel()
		<-ended
	}
	go func() {
		defer close(ended)
		p.recovery.Run(ctx)
	}()
}

// cutTurns stops the turns that run in this process, and releases their leases, so that other processes continue them
// at once. It returns within 10 s, however often it is called.
func (p *platform) cutTurns() {
	p.cut.Do(func() {
		if p.stopRecovery == nil { // it never began
			return
		}
		p.stopRecovery()
		ctx, cancel := context.WithTimeout(context.Background(), cutTimeout)
		defer cancel()
		cut := p.attempts.Close(ctx)
		ctx, cancel = context.WithTimeout(context.Background(), cutTimeout)
		defer cancel()
		left, err := p.process.Leave(ctx)
		if err != nil {
			p.log.Warn("turns could not be given back: they wait until this process is taken for dead", "error", fmt.Errorf("at the stop: %w", err))
		}
		if cut+left > 0 {
			p.log.Info("turns were cut short; other processes go on with them", "turns", cut, "given_back_unfinished", left)
		}
	})
}
