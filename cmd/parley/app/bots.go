package app

import (
	"time"

	"github.com/parley/parley/modules/bots/adapters/compare"
	conversationsadapter "github.com/parley/parley/modules/bots/adapters/conversations"
	"github.com/parley/parley/modules/bots/adapters/events"
	knowledgeadapter "github.com/parley/parley/modules/bots/adapters/knowledge"
	"github.com/parley/parley/modules/bots/adapters/openapidoc"
	"github.com/parley/parley/modules/bots/adapters/postgres"
	"github.com/parley/parley/modules/bots/entrypoints/jobs"
	"github.com/parley/parley/modules/bots/entrypoints/rest"
	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/modules/conversations"
	"github.com/parley/parley/modules/knowledge"
	postgresdb "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/fault"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
	"github.com/parley/parley/platform/work/background"
	queue "github.com/parley/parley/platform/work/jobs"
	"github.com/parley/parley/platform/work/outbound"
)

// botsOptions are the options of newBots.
type botsOptions struct {
	db        *postgresdb.DB
	quota     *usage.Quota
	events    *outbound.Publisher
	models    conversations.Models
	threads   conversations.BotThreads
	jobs      *queue.Queue
	interval  time.Duration // between searches for unfinished deletions
	fault     *fault.Point
	knowledge knowledge.Search
	commands  *command.Pipeline
	cursors   page.Key
	tools     tools
}

// newBots wires the module bots.
func newBots(o botsOptions) module {
	store := postgres.NewBots(o.db, o.quota)
	publisher, models := events.Events{Publisher: o.events}, conversationsadapter.Models{Face: o.models}
	known := knowledgeadapter.Knowledge{Face: o.knowledge}
	deletions, threads := postgres.Deletions{DB: o.db, Queue: o.jobs}, conversationsadapter.Threads{Face: o.threads}
	unfinished := usecases.FindUnfinishedDeletions{Unfinished: deletions, In: inWorkspace}
	createTool := usecases.CreateTool{Tools: o.tools.store, Schemas: o.tools.schemas, Credentials: o.tools.credentials, CheckURL: o.tools.checkURL, Now: now}
	changeTool := usecases.ChangeTool{Tools: o.tools.store, Schemas: o.tools.schemas, Credentials: o.tools.credentials, CheckURL: o.tools.checkURL, Now: now}
	return module{mount: rest.Server{
		Create:   usecases.CreateBot{Bots: store, Models: models, Knowledge: known, Tools: o.tools.store, Schemas: o.tools.schemas, Now: now},
		Update:   usecases.UpdateInstruction{Bots: store, Models: models, Knowledge: known, Tools: o.tools.store, Schemas: o.tools.schemas, Events: publisher, Now: now},
		Change:   usecases.ChangeBot{Bots: store, Knowledge: known, Tools: o.tools.store, Events: publisher, Now: now},
		Delete:   usecases.DeleteBot{Bots: store, Deletions: deletions, Threads: threads},
		RollBack: usecases.RollBackBot{Bots: store, Reader: store, Models: models, Knowledge: known, Tools: o.tools.store, Events: publisher, Now: now},
		Publish:  usecases.PublishBot{Bots: store, Reader: store, Knowledge: known, Tools: o.tools.store, Events: publisher, Now: now},
		Compare:  usecases.CompareVersions{Reader: store, Compare: compare.Comparer{}},
		Version:  usecases.GetVersion{Reader: store, Compare: compare.Comparer{}},
		Versions: usecases.ListVersions{Reader: store, Compare: compare.Comparer{}},
		Bots:     store,
		Reader:   store,
		Tools: rest.Tools{
			Create:  createTool,
			Import:  usecases.ImportTools{Documents: openapidoc.Documents{}, Create: createTool},
			Servers: usecases.ImportMCPTools{Servers: o.tools.servers, Create: createTool},
			Change:  changeTool,
			Review:  usecases.ReviewTool{Change: changeTool, Reviews: o.tools.reviews},
			Delete:  usecases.DeleteTool{Tools: o.tools.store, Uses: o.tools.store},
			Version: usecases.GetToolVersion{Tools: o.tools.store, Reader: o.tools.store},
			Tools:   o.tools.store,
			Reader:  o.tools.store,
		},
		Commands: o.commands,
		Cursors:  o.cursors,
	}.Mount,
		handlers: []jobHandler{func(r *queue.Registry) error {
			return jobs.EraseThreads{Bots: usecases.EraseBotThreads{
				Threads: threads, Deletions: deletions, Reach: func(point string) { o.fault.Reach("bot-" + point) },
			}}.Register(r, postgres.EraseThreadsKind)
		}},
		tasks: []background.Task{
			{Name: "find unfinished deletions of bots", Every: o.interval, Timeout: time.Minute, Cluster: true, Do: unfinished.Do},
		},
	}
}
