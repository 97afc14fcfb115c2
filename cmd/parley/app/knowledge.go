package app

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/knowledge/adapters/blobs"
	"github.com/parley/parley/modules/knowledge/adapters/postgres"
	"github.com/parley/parley/modules/knowledge/entrypoints/jobs"
	"github.com/parley/parley/modules/knowledge/entrypoints/rest"
	"github.com/parley/parley/modules/knowledge/usecases"
	"github.com/parley/parley/platform/call"
	platformjobs "github.com/parley/parley/platform/jobs"
)

func mountKnowledge(e *echo.Echo, p *platform) error {
	files, bytes := postgres.Files{DB: p.db, Queue: p.jobs, Meter: p.meter}, blobs.Bytes{Store: p.blobs}
	rest.Server{
		Receive:  usecases.ReceiveFile{Bytes: bytes, Sniff: blobs.Sniff, Limit: p.cfg.FileLimit, Now: p.now},
		Create:   usecases.CreateFile{Files: files},
		Delete:   usecases.DeleteFile{Files: files},
		Files:    files,
		Bytes:    bytes,
		Commands: p.commands,
		Cursors:  cursorKey(p),
		Missing:  p.contentMissing,
	}.Mount(e)
	orphans := usecases.RemoveOrphans{Files: files, Bytes: bytes, In: inWorkspace, Now: p.now}
	p.periodic = append(p.periodic, platformjobs.Periodic{
		Name: "remove bytes without a file", Every: time.Hour, Lease: orphanTimeout, Do: orphans.Do,
	})
	return jobs.RemoveBytes{Bytes: bytes}.Register(p.kinds, postgres.RemoveBytesKind)
}

// orphanTimeout is how long one run through all stored bytes may take.
const orphanTimeout = 30 * time.Minute

// inWorkspace returns a context for background work in a workspace whose id is part of the name of stored bytes.
func inWorkspace(ctx context.Context, workspace uuid.UUID) context.Context {
	return call.As(ctx, workspace, uuid.Nil)
}

// contentMissing counts and logs a file whose bytes are missing: they were removed outside of the program, or left out
// when a backup was restored.
func (p *platform) contentMissing(ctx context.Context, file uuid.UUID) {
	p.metrics.missing(1)
	p.log.ErrorContext(ctx, "the bytes of a file are missing from the store", "file", file)
}
