package app

import (
	"context"
	"time"

	"github.com/parley/parley/modules/conversations/adapters/events"
	"github.com/parley/parley/modules/conversations/adapters/guarded"
	"github.com/parley/parley/modules/conversations/adapters/live"
	"github.com/parley/parley/modules/conversations/adapters/operations"
	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/adapters/router"
	"github.com/parley/parley/modules/conversations/entrypoints/rest"
	"github.com/parley/parley/modules/conversations/usecases"
	notifications "github.com/parley/parley/platform/postgres"
)

const (
	streamIdle    = 15 * time.Second // after which a stream sends a comment
	cancelTimeout = 5 * time.Second  // for the process that runs a turn that is cancelled
	turnWait      = 2 * time.Second  // of a call for a free slot where the maximum number of turns runs
)

// turnUseCases are the use cases of turns, which calls and jobs share.
type turnUseCases struct {
	take    usecases.TakeTurn
	retry   usecases.RetryTurn
	recover usecases.RecoverTurn
	cancel  usecases.CancelTurn
	follow  usecases.FollowTurn
	views   postgres.TurnViews
	turns   *postgres.Turns
}

// newTurns builds the use cases of turns, and subscribes the program to the notifications about turns.
func newTurns(p *platform, model router.Router) turnUseCases {
	publisher := countedTurns{events.Events{Publisher: p.events}, p.metrics, p.log}
	turns := postgres.NewTurns(p.db, model.Default, publisher, p.meter.Limits)
	views, chunks := postgres.TurnViews{DB: p.db, Limits: p.meter.Limits}, postgres.Chunks{DB: p.db}
	cancels := countedCancels{views, publisher}
	hub := live.NewHub(chunks, views, p.log)
	p.attempts = hub
	p.hears = append(p.hears,
		notifications.Channel{Name: "parley_turns", OnNotify: hub.OnTurnChanged}, notifications.Channel{Name: "parley_cancels", OnNotify: hub.OnCancelRequested})
	p.periodic = append(p.periodic, chunks.Expiry())

	runner := newOperations(p)
	run := usecases.RunTurn{
		AskModel:   usecases.AskModel{Model: model, Timeout: p.cfg.ModelTimeout, Now: p.now},
		Operations: runner, Turns: turns, Cancels: cancels, Chunks: chunks, Live: hub, Events: publisher,
		Lease: p.cfg.ModelTimeout + p.cfg.JobLease,
	}
	stream := usecases.StreamTurn{Operations: runner, Live: hub, Running: &p.running}
	return turnUseCases{
		take:    usecases.TakeTurn{RunTurn: run, Leases: turns, Threads: postgres.NewThreads(p.db), Queue: hub, Views: views, Stream: stream},
		retry:   usecases.RetryTurn{RunTurn: run, Views: views, Stream: stream},
		recover: usecases.RecoverTurn{RunTurn: run, Leases: turns},
		cancel: usecases.CancelTurn{
			Operations: runner, Views: views, Cancels: cancels, Chunks: chunks, Live: hub, Timeout: cancelTimeout, Now: p.now,
		},
		follow: usecases.FollowTurn{
			Views: views, Chunks: chunks, Live: hub, Poll: p.cfg.JobPoll, Idle: streamIdle,
			Longest: 2*p.cfg.ModelTimeout + p.cfg.JobLease, Stop: p.stopping, Now: p.now,
		},
		views: views,
		turns: turns,
	}
}

// newOperations makes the command pipeline that runs turns, as many at once as there are slots.
func newOperations(p *platform) operations.Operations {
	bound := guarded.Turns{Slots: p.turns, MaxWait: turnWait, Refused: func() { p.metrics.refusals(1, "turns") }}
	nowait := bound
	nowait.MaxWait = 0
	return operations.Operations{
		Pipeline: p.commands, Bound: bound, Nowait: nowait, EncodeCompleted: rest.EncodeCompleted, EncodeTurn: rest.EncodeTurn,
	}
}

// listen receives the notifications of the database, on one connection for all subscribers, until the platform is
// closed.
func (p *platform) listen() {
	channels := p.hears
	if p.runner != nil {
		channels = append(channels, p.runner.Channel())
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		notifications.Listen(ctx, p.direct, p.log, channels...)
	}()
	p.closers = append(p.closers, func() error {
		cancel()
		<-ended
		return nil
	})
}
