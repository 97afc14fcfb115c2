package postgres

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/platform/data/postgres"
)

// Process is this process among those that run turns. It holds its turns as long as it renews its lease with Beat.
// Other processes release the turns of a process that is silent.
type Process struct {
	DB    *postgres.DB
	ID    uuid.UUID
	Lease time.Duration // how long it may be silent
	Lost  func()        // called when other processes have presumed this one dead

	begun, left atomic.Bool
}

// Beat renews the lease of the process, and releases the turns of processes whose lease has run out. It returns how
// many turns it has released.
func (p *Process) Beat(ctx context.Context) (turns int, err error) {
	if p.left.Load() {
		return 0, nil
	}
	var row conversationsdb.BeatTurnProcessRow
	err = p.DB.WriteOnce(ctx, func(ctx context.Context) error {
		var err error
		row, err = conversationsdb.New(p.DB.In(ctx)).BeatTurnProcess(ctx, conversationsdb.BeatTurnProcessParams{ProcessID: p.ID, LeaseSeconds: p.Lease.Seconds()})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("say that the process lives: %w", err)
	}
	if p.begun.Swap(true) && !row.Known && !p.left.Load() {
		p.Lost()
	}
	return int(row.Turns), nil
}

// Leave releases the turns that the process still runs, and ends its beats. It returns how many turns there were.
func (p *Process) Leave(ctx context.Context) (turns int, err error) {
	p.left.Store(true)
	err = p.DB.WriteOnce(ctx, func(ctx context.Context) error {
		n, err := conversationsdb.New(p.DB.In(ctx)).GiveBackTurns(ctx, []uuid.UUID{p.ID})
		turns = int(n)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("give the turns of the process back: %w", err)
	}
	return turns, nil
}
