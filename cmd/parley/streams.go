package main

import (
	"context"
	"time"

	"github.com/parley/parley/modules/conversations/adapters/live"
	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/entrypoints/rest"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/page"
	notifications "github.com/parley/parley/platform/postgres"
)

const (
	streamIdle     = 15 * time.Second // after which a stream gives a sign of life
	cancelPatience = 5 * time.Second  // with the process that runs a turn
)

// addStreams gives the conversations' server what reads, streams and cancels turns.
func (p *platform) addStreams(server *rest.Server, told countedTurns) {
	records, pieces := postgres.Records{DB: p.db, Limits: p.meter.Limits}, postgres.Pieces{DB: p.db}
	hub := live.NewHub(pieces, records, p.log)
	p.attempts = hub
	server.Records, server.Pieces, server.Live, server.Room = records, pieces, hub, hub
	server.Cancel = usecases.CancelTurn{
		Records: records, Cancels: countedCancels{records, told}, Pieces: pieces, Live: hub, Patience: cancelPatience, Now: p.now,
	}
	server.Follow = usecases.FollowTurn{
		Records: records, Pieces: pieces, Live: hub, Poll: p.cfg.JobPoll, Idle: streamIdle,
		Longest: 2*p.cfg.ModelTimeout + p.cfg.JobLease, Stop: p.stopping, Now: p.now,
	}
	server.Access, server.Running = p.access, &p.running
	server.TurnCursors = page.NewCursors[ports.MessagePosition](p.master.Key("cursor"), "turns")
	p.hears = append(p.hears,
		notifications.Channel{Name: "parley_turns", Heard: hub.HearTurn}, notifications.Channel{Name: "parley_cancels", Heard: hub.HearCancel})
	p.periodic = append(p.periodic, pieces.Expiry())
}

// listen hears the notifications of the database, on one connection for all who want them, until the platform is closed.
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
