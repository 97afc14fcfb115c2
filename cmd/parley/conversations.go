package main

import (
	"time"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/bots"
	botsadapter "github.com/parley/parley/modules/conversations/adapters/bots"
	echomodel "github.com/parley/parley/modules/conversations/adapters/echo"
	"github.com/parley/parley/modules/conversations/adapters/events"
	"github.com/parley/parley/modules/conversations/adapters/guarded"
	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/adapters/signatures"
	"github.com/parley/parley/modules/conversations/entrypoints/jobs"
	"github.com/parley/parley/modules/conversations/entrypoints/rest"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/gateway"
	"github.com/parley/parley/platform/page"
)

func mountConversations(e *echo.Echo, p *platform, catalog bots.Catalog) error {
	told := events.Events{Publisher: p.events}
	model := guarded.Model{Model: echomodel.Model{Delay: p.cfg.EchoDelay}, Group: p.models}
	turns := postgres.NewTurns(p.db, model, told)
	turn := usecases.TakeTurn{
		Turns: turns, Leases: turns, Model: model, Events: told, Timeout: p.cfg.ModelTimeout, Slack: p.cfg.JobLease, Now: p.now,
	}
	server := newConversationsServer(p, catalog, turn)
	p.addStreams(&server)
	server.Mount(e)
	recovery := jobs.RecoverTurns{Leases: turns, Commands: p.commands, Steps: server.Steps}
	p.background.Every(p.cfg.UpkeepInterval, p.cfg.ModelTimeout+time.Minute, "recover turns", recovery.Do)
	answers := jobs.AnswerMessage{Inbox: newInbox(p), Turn: turn, Commands: p.commands, Steps: server.Steps, Away: model.Away}
	return answers.Register(p.kinds, postgres.AnswerKind)
}

func newConversationsServer(p *platform, catalog bots.Catalog, turn usecases.TakeTurn) rest.Server {
	threads, endpoints := postgres.NewThreads(p.db), postgres.NewEndpoints(p.db)
	secrets := signatures.Keys{Keys: p.keys, Now: p.now}
	key := p.master.Key("cursor")
	return rest.Server{
		Create:         usecases.CreateThread{Threads: threads, Bots: botsadapter.Bots{Catalog: catalog}, Now: p.now},
		Turn:           turn,
		Threads:        threads,
		CreateEndpoint: usecases.CreateEndpoint{Endpoints: endpoints, Keys: secrets, Now: p.now},
		ChangeEndpoint: usecases.ChangeEndpoint{Endpoints: endpoints, Keys: secrets},
		Receive: usecases.ReceiveEvent{
			Inbox: newInbox(p), Keys: secrets, Marks: p.marks,
			Limits: gateway.SessionLimiter{Limiter: p.limiter, Limit: p.limits.General},
		},
		Endpoints:     endpoints,
		Channels:      postgres.NewChannels(p.db),
		Subscriptions: p.subscriptions(),
		Commands:      p.commands,

		ThreadCursors:       page.NewCursors[ports.ThreadPosition](key, "threads"),
		MessageCursors:      page.NewCursors[ports.MessagePosition](key, "messages"),
		EndpointCursors:     page.NewCursors[ports.IDPosition](key, "webhook endpoints"),
		EventCursors:        page.NewCursors[ports.IDPosition](key, "webhook events"),
		SubscriptionCursors: page.NewCursors[ports.IDPosition](key, "webhook subscriptions"),
		DeliveryCursors:     page.NewCursors[ports.IDPosition](key, "webhook deliveries"),
	}
}

func newInbox(p *platform) postgres.Inbox {
	return postgres.Inbox{DB: p.db, Queue: p.jobs, Audit: p.audit, Now: p.now}
}
