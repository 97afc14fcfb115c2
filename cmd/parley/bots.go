package main

import (
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/bots"
	"github.com/parley/parley/modules/bots/adapters/events"
	"github.com/parley/parley/modules/bots/adapters/postgres"
	"github.com/parley/parley/modules/bots/entrypoints/inproc"
	"github.com/parley/parley/modules/bots/entrypoints/rest"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/platform/page"
)

func mountBots(e *echo.Echo, p *platform) bots.Catalog {
	store := postgres.NewBots(p.db, p.meter)
	key := p.master.Key("cursor")
	rest.Server{
		Create:         usecases.CreateBot{Bots: store, Now: p.now},
		Update:         usecases.UpdateInstruction{Bots: store, Events: events.Events{Publisher: p.events}, Now: p.now},
		Bots:           store,
		Shelf:          store,
		Commands:       p.commands,
		BotCursors:     page.NewCursors[ports.BotPosition](key, "bots"),
		VersionCursors: page.NewCursors[ports.VersionPosition](key, "bot versions"),
	}.Mount(e)
	return inproc.Catalog{Bots: store}
}
