package app

import (
	"time"

	"github.com/parley/parley/modules/bots"
	"github.com/parley/parley/modules/bots/adapters/httptool"
	"github.com/parley/parley/modules/bots/adapters/mcptool"
	"github.com/parley/parley/modules/bots/adapters/postgres"
	"github.com/parley/parley/modules/bots/adapters/schemas"
	"github.com/parley/parley/modules/bots/adapters/tooltarget"
	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/entrypoints/inproc"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/modules/bots/usecases"
	postgresdb "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/ops/telemetry"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

// Limits of calls of tools in this process.
const (
	maxToolCalls    = 256              // at once, divided among workspaces
	maxToolTarget   = 64               // at once to one host
	maxToolSource   = 16               // of these, of one workspace
	toolCallTimeout = 70 * time.Second // longer than a tool may ask for
)

// toolsOptions are the options of newTools.
type toolsOptions struct {
	cfg     *config.Config
	db      *postgresdb.DB
	quota   *usage.Quota
	tracing *telemetry.Tracing
	guard   newGuard
	box     *secret.Box // of credentials
}

// tools are what bots call, for the calls about tools and for turns.
type tools struct {
	store       postgres.Tools
	schemas     schemas.Schemas
	credentials postgres.ToolCredentials
	reviews     postgres.ToolReviews
	servers     mcptool.Caller
	checkURL    func(raw string) error
	pin         usecases.PinTools
	call        usecases.CallTool
}

// newTools makes what reads and calls tools.
func newTools(o toolsOptions) tools {
	client := webhook.NewStreamClient(webhookTargets(o.cfg))
	client.Transport = o.tracing.Transport(client.Transport)
	target := tooltarget.Client{
		HTTP: client,
		Guard: o.guard("tool", resilience.Policy{
			Timeout: toolCallTimeout, Concurrency: maxToolTarget, PerSource: maxToolSource, Failures: breakAfter, Sources: breakSources, OpenFor: o.cfg.BreakerOpen,
		}),
		Slots: resilience.NewSlots(maxToolCalls), Tokens: tooltarget.NewTokens(),
	}
	store := postgres.Tools{DB: o.db, Quota: o.quota}
	credentials := postgres.ToolCredentials{DB: o.db, Box: o.box}
	reviews, servers := postgres.ToolReviews{DB: o.db}, mcptool.Caller{Target: target}
	return tools{
		credentials: credentials,
		reviews:     reviews,
		servers:     servers,
		store:       store,
		checkURL:    func(raw string) error { return webhook.CheckURL(raw, webhookTargets(o.cfg)) },
		pin:         usecases.PinTools{Tools: store},
		call: usecases.CallTool{
			Schemas: schemas.Schemas{}, Credentials: credentials, Reviews: reviews, Now: now,
			Callers: map[domain.ToolKind]ports.ToolCaller{domain.HTTPTool: httptool.Caller{Target: target}, domain.MCPTool: servers},
		},
	}
}

// face returns the tools for other modules.
func (t tools) face() bots.Tools { return inproc.Tools{PinTools: t.pin, CallTool: t.call} }
