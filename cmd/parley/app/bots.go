package app

import (
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/bots"
	"github.com/parley/parley/modules/bots/adapters/compare"
	conversationsadapter "github.com/parley/parley/modules/bots/adapters/conversations"
	"github.com/parley/parley/modules/bots/adapters/events"
	"github.com/parley/parley/modules/bots/adapters/postgres"
	"github.com/parley/parley/modules/bots/entrypoints/inproc"
	"github.com/parley/parley/modules/bots/entrypoints/rest"
	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/modules/conversations"
)

func mountBots(e *echo.Echo, p *platform, answering conversations.Models) bots.Catalog {
	store := postgres.NewBots(p.db, p.meter)
	told, models := events.Events{Publisher: p.events}, conversationsadapter.Models{Face: answering}
	rest.Server{
		Create:   usecases.CreateBot{Bots: store, Models: models, Now: p.now},
		Update:   usecases.UpdateInstruction{Bots: store, Models: models, Events: told, Now: p.now},
		Change:   usecases.ChangeBot{Bots: store, Events: told, Now: p.now},
		RollBack: usecases.RollBackBot{Bots: store, Reader: store, Models: models, Events: told, Now: p.now},
		Publish:  usecases.PublishBot{Bots: store, Reader: store, Events: told, Now: p.now},
		Compare:  usecases.CompareVersions{Reader: store, Compare: compare.Comparer{}},
		Bots:     store,
		Reader:   store,
		Commands: p.commands,
		Cursors:  cursorKey(p),
	}.Mount(e)
	return inproc.Catalog{Bots: store}
}
