package app

import (
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/bots"
	"github.com/parley/parley/modules/conversations/adapters/events"
	"github.com/parley/parley/modules/conversations/adapters/files"
	"github.com/parley/parley/modules/conversations/adapters/guarded"
	knowledgeadapter "github.com/parley/parley/modules/conversations/adapters/knowledge"
	"github.com/parley/parley/modules/conversations/adapters/live"
	"github.com/parley/parley/modules/conversations/adapters/operations"
	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/adapters/router"
	toolsadapter "github.com/parley/parley/modules/conversations/adapters/tools"
	"github.com/parley/parley/modules/conversations/entrypoints/rest"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/modules/knowledge"
	postgresdb "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/command"
	queue "github.com/parley/parley/platform/work/jobs"
	"github.com/parley/parley/platform/work/outbound"
	"github.com/parley/parley/platform/work/resilience"
)

const (
	streamIdle    = 15 * time.Second // after which a stream sends a comment
	cancelTimeout = 5 * time.Second  // for the process that runs a turn that is cancelled
	leaveGrace    = 15 * time.Second // after which a turn without a thread is cancelled whose client has gone
	turnWait      = 2 * time.Second  // of a call for a free slot where the maximum number of turns runs
	imageMemory   = 128 << 20        // bytes that images of turns take at once, with their copies
	toolCallWait  = 24 * time.Hour   // for a person's decision about a call of a tool, or for a client's result
)

// turnUseCases are the use cases of turns, which calls and jobs share, and what keeps the turns of this process.
type turnUseCases struct {
	take    usecases.TakeTurn
	retry   usecases.RetryTurn
	recover usecases.RecoverTurn
	cancel  usecases.CancelTurn
	follow  usecases.FollowTurn
	attend  usecases.AttendTurn
	views   postgres.TurnViews
	turns   *postgres.Turns
	calls   postgres.ToolCalls
	chunks  postgres.Chunks

	process  uuid.UUID         // this one, among those that run turns
	attempts *live.Hub         // that run in this process
	slots    *resilience.Slots // of the turns that run at once
	running  *sync.WaitGroup   // streamed turns, which may outlive their requests
}

// turnsOptions are the options of newTurns.
type turnsOptions struct {
	cfg       *config.Config
	log       *slog.Logger
	db        *postgresdb.DB
	model     router.Router
	knowledge knowledge.Search
	files     knowledge.Files
	tools     bots.Tools
	schemas   ports.Schemas
	events    *outbound.Publisher
	limits    usage.Limits
	jobs      *queue.Queue
	commands  *command.Pipeline
	stopping  <-chan struct{} // closed when streams that follow turns have to end
	counters  counters
}

// newTurns builds the use cases of turns.
func newTurns(o turnsOptions) turnUseCases {
	publisher := countedTurns{events.Events{Publisher: o.events}, o.counters, o.log}
	store, process := postgres.NewTurns(o.db, o.model.Default, publisher, o.limits), uuid.New()
	store.In(process)
	views, chunks := postgres.TurnViews{DB: o.db, Limits: o.limits}, postgres.Chunks{DB: o.db}
	cancels := countedCancels{views, publisher}
	calls := postgres.ToolCalls{DB: o.db, Limits: o.limits}
	attach := usecases.AttachFiles{
		Attachments: postgres.Attachments{DB: o.db}, Reach: func(point string) { o.commands.Fault.Reach("turn-" + point) },
		Files: files.Files{Face: o.files, Memory: files.NewRoom(imageMemory), Reading: files.NewRoom(attachedAtOnce)},
	}
	o.model.Files = attach
	hub, slots, running := live.NewHub(chunks, views, o.log), resilience.NewSlots(o.cfg.ModelAtOnce), &sync.WaitGroup{}
	runner := newOperations(o.commands, slots, o.counters)
	run := usecases.RunTurn{
		AskModel: usecases.AskModel{Model: o.model, Files: attach, Schemas: o.schemas, Timeout: o.cfg.ModelTimeout, Now: now, Retrieve: usecases.RetrieveKnowledge{
			Knowledge: knowledgeadapter.Knowledge{Face: o.knowledge}, Retrievals: postgres.Retrievals{DB: o.db}, Recall: o.model.Recall, Model: o.model, Now: now,
			Reach: func(point string) { o.commands.Fault.Reach("turn-" + point) },
		}, Tools: usecases.UseTools{
			Tools: toolsadapter.Tools{Face: o.tools}, Calls: calls, Lease: o.cfg.ModelTimeout + toolCallTimeout + o.cfg.JobLease, Wait: toolCallWait, Now: now,
			Reach: func(point string) { o.commands.Fault.Reach("turn-" + point) },
		}},
		Operations: runner, Turns: store, Cancels: cancels, Chunks: chunks, Live: hub, Events: publisher,
		Lease: o.cfg.ModelTimeout + o.cfg.JobLease,
	}
	stream := usecases.StreamTurn{Operations: runner, Live: hub, Running: running}
	cancel := usecases.CancelTurn{
		Operations: runner, Views: views, Cancels: cancels, Chunks: chunks, Live: hub, Timeout: cancelTimeout, Now: now,
	}
	attend := usecases.AttendTurn{Readers: views, Cancel: cancel, Grace: leaveGrace, Stop: o.stopping, Log: o.log}
	return turnUseCases{
		attend:  attend,
		cancel:  cancel,
		take:    usecases.TakeTurn{RunTurn: run, Leases: store, Threads: postgres.NewThreads(o.db), Expiries: postgres.Expiries{Queue: o.jobs}, Queue: hub, Views: views, Stream: stream},
		retry:   usecases.RetryTurn{RunTurn: run, Views: views, Stream: stream},
		recover: usecases.RecoverTurn{RunTurn: run, Leases: store, Attend: attend},
		follow: usecases.FollowTurn{
			Views: views, Chunks: chunks, Live: hub, Poll: o.cfg.JobPoll, Idle: streamIdle,
			Longest: 2*o.cfg.ModelTimeout + o.cfg.JobLease, Stop: o.stopping, Now: now,
		},
		views: views, turns: store, calls: calls, chunks: chunks, process: process, attempts: hub, slots: slots, running: running,
	}
}

// newOperations makes the command pipeline that runs turns, as many at once as there are slots.
func newOperations(commands *command.Pipeline, slots *resilience.Slots, c counters) operations.Operations {
	bound := guarded.Turns{Slots: slots, MaxWait: turnWait, Refused: func() { c.refusals(1, "turns") }}
	nowait := bound
	nowait.MaxWait = 0
	return operations.Operations{
		Pipeline: commands, Bound: bound, Nowait: nowait, EncodeCompleted: rest.EncodeCompleted, EncodeTurn: rest.EncodeTurn,
	}
}
