package main

import (
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/bots"
	"github.com/parley/parley/modules/bots/adapters/compare"
	"github.com/parley/parley/modules/bots/adapters/events"
	"github.com/parley/parley/modules/bots/adapters/postgres"
	"github.com/parley/parley/modules/bots/entrypoints/inproc"
	"github.com/parley/parley/modules/bots/entrypoints/rest"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/platform/page"
)

func mountBots(e *echo.Echo, p *platform) bots.Catalog {
	store := postgres.NewBots(p.db)
	told := events.Events{Publisher: p.events}
	key := p.master.Key("cursor")
	rest.Server{
		Create:         usecases.CreateBot{Bots: store, Now: p.now},
		Update:         usecases.UpdateInstruction{Bots: store, Events: told, Now: p.now},
		Change:         usecases.ChangeBot{Bots: store, Events: told, Now: p.now},
		RollBack:       usecases.RollBackBot{Bots: store, Shelf: store, Events: told, Now: p.now},
		Publish:        usecases.PublishBot{Bots: store, Shelf: store, Events: told, Now: p.now},
		Compare:        usecases.CompareVersions{Shelf: store, Compare: compare.Comparer{}},
		Bots:           store,
		Shelf:          store,
		Commands:       p.commands,
		BotCursors:     page.NewCursors[ports.BotPosition](key, "bots"),
		VersionCursors: page.NewCursors[ports.VersionPosition](key, "bot versions"),
		MoveCursors:    page.NewCursors[ports.MovePosition](key, "bot moves"),
	}.Mount(e)
	return inproc.Catalog{Bots: store}
}
