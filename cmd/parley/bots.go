package main

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/bots"
	"github.com/parley/parley/modules/bots/adapters/blobs"
	"github.com/parley/parley/modules/bots/adapters/compare"
	conversationsadapter "github.com/parley/parley/modules/bots/adapters/conversations"
	"github.com/parley/parley/modules/bots/adapters/events"
	"github.com/parley/parley/modules/bots/adapters/postgres"
	"github.com/parley/parley/modules/bots/entrypoints/inproc"
	"github.com/parley/parley/modules/bots/entrypoints/jobs"
	"github.com/parley/parley/modules/bots/entrypoints/rest"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/modules/conversations"
	"github.com/parley/parley/platform/call"
	platformjobs "github.com/parley/parley/platform/jobs"
	"github.com/parley/parley/platform/page"
)

func mountBots(e *echo.Echo, p *platform, answering conversations.Models) (bots.Catalog, error) {
	store := postgres.NewBots(p.db, p.meter)
	told, models := events.Events{Publisher: p.events}, conversationsadapter.Models{Face: answering}
	files, bytes := postgres.Files{DB: p.db, Queue: p.jobs, Meter: p.meter}, blobs.Bytes{Store: p.blobs}
	key := p.master.Key("cursor")
	rest.Server{
		Create:         usecases.CreateBot{Bots: store, Models: models, Now: p.now},
		Update:         usecases.UpdateInstruction{Bots: store, Models: models, Events: told, Now: p.now},
		Change:         usecases.ChangeBot{Bots: store, Events: told, Now: p.now},
		RollBack:       usecases.RollBackBot{Bots: store, Shelf: store, Models: models, Events: told, Now: p.now},
		Publish:        usecases.PublishBot{Bots: store, Shelf: store, Events: told, Now: p.now},
		Compare:        usecases.CompareVersions{Shelf: store, Compare: compare.Comparer{}},
		Bots:           store,
		Shelf:          store,
		Commands:       p.commands,
		BotCursors:     page.NewCursors[ports.BotPosition](key, "bots"),
		VersionCursors: page.NewCursors[ports.VersionPosition](key, "bot versions"),
		MoveCursors:    page.NewCursors[ports.MovePosition](key, "bot moves"),

		FileSteps: rest.FileSteps{
			Receive: usecases.ReceiveFile{Bytes: bytes, Sniff: blobs.Sniff, Limit: p.cfg.FileLimit, Now: p.now},
			Create:  usecases.CreateFile{Files: files},
			Delete:  usecases.DeleteFile{Files: files},
		},
		Files:       files,
		Bytes:       bytes,
		Missing:     p.contentMissing,
		FileCursors: page.NewCursors[ports.FilePosition](key, "files"),
	}.Mount(e)
	orphans := usecases.RemoveOrphans{Files: files, Bytes: bytes, In: inWorkspace, Now: p.now}
	p.periodic = append(p.periodic, platformjobs.Periodic{
		Name: "remove bytes without a file", Every: time.Hour, Lease: orphanPatience, Do: orphans.Do,
	})
	return inproc.Catalog{Bots: store}, jobs.RemoveBytes{Bytes: bytes}.Register(p.kinds, postgres.RemoveBytesKind)
}

// orphanPatience is how long one run through all stored bytes may take.
const orphanPatience = 30 * time.Minute

// inWorkspace is for work that nobody asked for, in a workspace that stored bytes name.
func inWorkspace(ctx context.Context, workspace uuid.UUID) context.Context {
	return call.As(ctx, workspace, uuid.Nil)
}

// contentMissing counts and logs a file whose bytes are gone: removed behind our back, or left out when a backup was restored.
func (p *platform) contentMissing(ctx context.Context, file uuid.UUID) {
	p.metrics.missing(1)
	p.log.ErrorContext(ctx, "the bytes of a file are missing from the store", "file", file)
}
