package app

import (
	"time"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/conversations"
	"github.com/parley/parley/modules/conversations/adapters/operations"
	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/entrypoints/aisdk"
	"github.com/parley/parley/modules/conversations/entrypoints/inproc"
	"github.com/parley/parley/modules/conversations/entrypoints/jobs"
	"github.com/parley/parley/modules/conversations/entrypoints/openai"
	"github.com/parley/parley/modules/conversations/entrypoints/rest"
	"github.com/parley/parley/modules/conversations/entrypoints/widget"
	"github.com/parley/parley/modules/conversations/usecases"
	postgresdb "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/fault"
	"github.com/parley/parley/platform/request/access"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/gateway"
	"github.com/parley/parley/platform/request/page"
	"github.com/parley/parley/platform/request/ratelimit"
	"github.com/parley/parley/platform/work/background"
	queue "github.com/parley/parley/platform/work/jobs"
	"github.com/parley/parley/platform/work/webhook"
)

// conversationsOptions are the options of newConversations.
type conversationsOptions struct {
	db           *postgresdb.DB
	jobs         *queue.Queue
	interval     time.Duration // between searches for unfinished erasures
	fault        *fault.Point
	models       models
	turns        turnUseCases
	deletions    usecases.DeleteBotThreads
	recovery     turnRecovery
	limiter      ratelimit.Limiter
	modelServers webhook.Targets // addresses that the model servers of workspaces may have
	commands     *command.Pipeline
	access       *access.Watcher
	cursors      page.Key
}

// Limits for the test of a workspace's model keys.
const (
	keyTestTimeout  = 15 * time.Second
	keyTestsAMinute = 10
)

// newQuotes makes what removes quotes of deleted documents from turns.
func newQuotes(db *postgresdb.DB) conversations.Quotes {
	return inproc.Quotes{EraseQuotes: usecases.EraseQuotes{Quotes: postgres.Quotes{DB: db}}}
}

// newDeletions makes what deletes threads and messages, and the threads of bots.
func newDeletions(db *postgresdb.DB, jobs *queue.Queue, t turnUseCases) usecases.DeleteBotThreads {
	discard := usecases.DiscardTurn{Views: t.views, Chunks: t.chunks, Cancels: t.cancel.Cancels, Now: now}
	return usecases.DeleteBotThreads{
		Bots:   postgres.BotThreads{DB: db},
		Delete: usecases.DeleteThread{Erasures: postgres.Erasures{DB: db, Queue: jobs}, Discard: discard},
	}
}

// newOwnedThreads makes what deletes the threads of end users.
func newOwnedThreads(db *postgresdb.DB, jobs *queue.Queue, discard usecases.DiscardTurn) conversations.EndUserThreads {
	owned := postgres.OwnedThreads{Erasures: postgres.Erasures{DB: db, Queue: jobs}}
	return inproc.EndUserThreads{Owned: usecases.DeleteOwnedThreads{Threads: owned, Discard: discard}}
}

// newOldThreads makes what deletes threads in which nothing was said for long.
func newOldThreads(db *postgresdb.DB, remove usecases.DeleteThread) conversations.OldThreads {
	return inproc.OldThreads{Delete: usecases.DeleteOldThreads{Old: postgres.OldThreads{DB: db}, Delete: remove}}
}

// newConversations wires the module conversations, and returns what answers messages of other modules.
func newConversations(o conversationsOptions) (module, conversations.Answers) {
	threads, settings := postgres.NewThreads(o.db), o.models.settings
	erasures := postgres.Erasures{DB: o.db, Queue: o.jobs}
	unfinished := usecases.FindUnfinishedErasures{Unfinished: erasures, In: inWorkspace}
	compatible := openai.Server{
		Find: usecases.FindBot{Bots: postgres.Bots{DB: o.db}}, Take: o.turns.take, Follow: o.turns.follow, Cancel: o.turns.cancel, Attend: o.turns.attend, Views: o.turns.views,
		Threads: threads,
		Recent:  o.commands.Operations, Access: o.access, Now: now,
	}
	chats := aisdk.Server{Bots: compatible.Find.Bots, Take: o.turns.take, Retry: o.turns.retry, Follow: o.turns.follow, Views: o.turns.views, Access: o.access, Now: now}
	calls := rest.Server{
		Create:       usecases.CreateThread{Threads: threads, Now: now},
		Change:       usecases.ChangeThread{Threads: threads},
		Delete:       o.deletions.Delete,
		DeleteMsg:    usecases.DeleteMessage{Erasures: erasures, Discard: o.deletions.Delete.Discard},
		Rate:         usecases.RateMessage{Messages: threads, Now: now},
		Take:         o.turns.take,
		TryOut:       usecases.TryVersion{Bots: compatible.Find.Bots, Threads: threads, Now: now},
		Retry:        o.turns.retry,
		Cancel:       o.turns.cancel,
		Follow:       o.turns.follow,
		Views:        o.turns.views,
		Retrievals:   postgres.Retrievals{DB: o.db},
		ToolCalls:    o.turns.calls,
		Decide:       usecases.DecideToolCall{Calls: o.turns.calls, Tools: o.turns.take.Tools.Tools, Now: now},
		Threads:      threads,
		Messages:     threads,
		Models:       settings,
		PutModels:    usecases.PutModelSettings{Settings: settings, Unserved: o.models.unserved(), Now: now},
		UsableModels: usecases.ListModels{Operator: o.models.Router, Keys: settings, Providers: o.models.providers},
		TestKey: usecases.TestModelKey{
			Tests: operations.KeyTests{Pipeline: o.commands, Encode: rest.EncodeKeyTest},
			Keys:  settings, Providers: o.models.providers, Timeout: keyTestTimeout, Now: now,
			Limits: gateway.SessionLimiter{Limiter: o.limiter, Limit: ratelimit.Limit{Max: keyTestsAMinute, Window: time.Minute}},
		},
		PutKey: usecases.PutModelKey{Settings: settings, Now: now, CheckURL: func(raw string) error {
			return webhook.CheckURL(raw, o.modelServers)
		}},
		Commands: o.commands,
		Access:   o.access,
		Cursors:  o.cursors,
	}
	return module{
		mount: func(e *echo.Echo) {
			calls.Mount(e)
			compatible.Mount(e)
			chats.Mount(e)
			widget.Mount(e)
		},
		handlers: []jobHandler{func(r *queue.Registry) error {
			return jobs.EraseThread{Thread: usecases.EraseThread{
				Erasures: erasures, Reach: func(point string) { o.fault.Reach("thread-" + point) },
			}}.Register(r, postgres.EraseKind)
		}, func(r *queue.Registry) error {
			return jobs.ExpireThread{Thread: usecases.ExpireThread{Delete: o.deletions.Delete, InTransaction: o.db.Write}}.Register(r, postgres.ExpireKind)
		}},
		tasks: []background.Task{
			o.recovery.task(), o.turns.chunks.Expiry(),
			{Name: "find unfinished erasures", Every: o.interval, Timeout: time.Minute, Cluster: true, Do: unfinished.Do},
		},
		channels: []postgresdb.Channel{
			{Name: "parley_turns", OnNotify: o.turns.attempts.OnTurnChanged},
			{Name: "parley_cancels", OnNotify: o.turns.attempts.OnCancelRequested},
			{Name: "parley_recovery", OnNotify: func(string) { o.recovery.others.Wake() }},
		},
	}, inproc.Answers{Open: usecases.OpenChannelThread{Threads: threads, Now: now}, Take: o.turns.take, Models: o.models.Router}
}
