package main

import (
	"time"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/bots"
	botsadapter "github.com/parley/parley/modules/conversations/adapters/bots"
	echomodel "github.com/parley/parley/modules/conversations/adapters/echo"
	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/entrypoints/jobs"
	"github.com/parley/parley/modules/conversations/entrypoints/rest"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/page"
)

func mountConversations(e *echo.Echo, p *platform, catalog bots.Catalog) {
	threads, model := postgres.NewThreads(p.db), echomodel.Model{}
	key := p.master.Key("cursor")
	turns := postgres.NewTurns(p.db, model)
	server := rest.Server{
		Create: usecases.CreateThread{Threads: threads, Bots: botsadapter.Bots{Catalog: catalog}, Now: p.now},
		Turn: usecases.TakeTurn{
			Turns: turns, Leases: turns, Model: model, Timeout: p.cfg.ModelTimeout, Now: p.now,
		},
		Threads:        threads,
		Commands:       p.commands,
		ThreadCursors:  page.NewCursors[ports.ThreadPosition](key, "threads"),
		MessageCursors: page.NewCursors[ports.MessagePosition](key, "messages"),
	}
	server.Mount(e)
	recovery := jobs.RecoverTurns{Leases: turns, Commands: p.commands, Steps: server.Steps}
	p.background.Every(p.cfg.UpkeepInterval, p.cfg.ModelTimeout+time.Minute, "recover turns", recovery.Do)
}
