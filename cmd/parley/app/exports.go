package app

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/activity/adapters/archives"
	"github.com/parley/parley/modules/activity/adapters/links"
	"github.com/parley/parley/modules/activity/adapters/postgres"
	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/entrypoints/jobs"
	"github.com/parley/parley/modules/activity/entrypoints/rest"
	"github.com/parley/parley/modules/activity/usecases"
	"github.com/parley/parley/platform/data/blob"
	postgresdb "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/fault"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/background"
	queue "github.com/parley/parley/platform/work/jobs"
)

// exportOptions are the options of newExports.
type exportOptions struct {
	db        *postgresdb.DB
	files     blob.Store
	jobs      *queue.Queue
	audit     *audit.Log
	keys      secret.Keys // sign links
	publicURL string      // "": links are relative
	version   string
	fault     *fault.Point
	interval  time.Duration // between two looks for archives that are to be removed
}

// newExports wires the exports of workspaces, which are a part of the module activity.
func newExports(o exportOptions) (rest.Exports, module) {
	store, kept := postgres.Exports{DB: o.db, Queue: o.jobs}, archives.Archives{Store: o.files}
	signed := links.Links{Keys: o.keys}
	calls := rest.Exports{
		Start: usecases.StartExport{Exports: store, Now: now},
		Link:  usecases.LinkArchive{Links: signed, Now: now},
		Open: usecases.OpenArchive{
			Links: signed, Exports: store, In: callctx.As, Now: now,
			Note: func(ctx context.Context, export uuid.UUID) error {
				return o.db.Write(ctx, func(ctx context.Context) error {
					return o.audit.Record(ctx, audit.Entry{Action: "workspace.export_download", Resource: "export", ResourceID: export})
				})
			},
		},
		Store: store, Archives: kept, PublicURL: o.publicURL,
	}
	write := jobs.WriteExport{Kind: postgres.ExportKind, Export: usecases.WriteExport{
		Runs: store, Snapshot: postgres.Snapshot{DB: o.db}, Archives: kept, Transactions: o.db, Program: o.version, MaxSize: domain.MaxArchiveSize,
		Now: now, Reach: func(point string) { o.fault.Reach("export-" + point) },
	}}
	expire := usecases.ExpireExports{Exports: store, Archives: kept, In: inWorkspace, Now: now}
	return calls, module{
		handlers: []jobHandler{write.Register},
		tasks:    []background.Task{{Name: "expire exports", Every: o.interval, Timeout: 10 * time.Minute, Cluster: true, Do: expire.Do}},
		onDeadLetter: []deadLetterHook{func(ctx context.Context, l queue.DeadLetterDetail) error {
			if l.Kind != postgres.ExportKind {
				return nil
			}
			return write.OnDeadLetter(ctx, callctx.From(ctx).Principal.WorkspaceID, l.Payload)
		}},
	}
}
