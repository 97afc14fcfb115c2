package app

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/api"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/keystore"
	"github.com/parley/parley/platform/ops/telemetry"
	"github.com/parley/parley/platform/request/access"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/console"
	"github.com/parley/parley/platform/request/contract"
	"github.com/parley/parley/platform/request/docs"
	"github.com/parley/parley/platform/request/gateway"
	"github.com/parley/parley/platform/request/operations"
	"github.com/parley/parley/platform/request/page"
	"github.com/parley/parley/platform/request/ratelimit"
	"github.com/parley/parley/platform/work/background"
)

// requests is what each call of the API goes through.
type requests struct {
	limits   gateway.Limits
	commands *command.Pipeline
	access   *access.Watcher
	cursors  page.Key // signs the cursors of all lists
	tasks    []background.Task
}

func newRequests(cfg *config.Config, log *slog.Logger, db *postgres.DB, keys keyset, cache operations.Cache, entries *audit.Log, count counters) requests {
	store := operations.NewStore(db, keys.Box(boxOfAnswers))
	watcher := access.NewWatcher(db.Refused, now, log)
	return requests{
		limits: gateway.Limits{
			General:        ratelimit.Limit{Max: cfg.RateMax, Window: cfg.RateWindow},
			Auth:           ratelimit.Limit{Max: cfg.AuthRateMax, Window: time.Minute},
			UnknownClients: ratelimit.Limit{Max: cfg.AuthNewClients, Window: time.Minute},
			Workspace:      ratelimit.Limit{Max: cfg.LimitRequests, Window: time.Minute},
		},
		commands: command.NewPipeline(command.Options{
			DB: db, Operations: store, Cache: cache, Audit: entries, Fault: cfg.Fault(), Observed: count.operation,
		}),
		access:  watcher,
		cursors: keys.Keys("cursor"),
		tasks: []background.Task{
			{Name: "check the access of open streams", Every: access.Interval, Timeout: time.Minute, Do: watcher.Check},
			{Name: "expire operations", Every: time.Hour, Timeout: 10 * time.Minute, Do: func(ctx context.Context) error {
				for {
					if more, err := store.Expire(ctx); err != nil || !more {
						return err
					}
				}
			}},
			{Name: "expire answers with secrets", Every: 10 * time.Minute, Timeout: time.Minute, Do: store.ExpireSealed},
		},
	}
}

// gatewayOptions are the options of newGateway.
type gatewayOptions struct {
	cfg      *config.Config
	log      *slog.Logger
	contract *contract.Contract
	keys     keyset
	identity identity
	requests requests
	limiter  ratelimit.Limiter
	checks   []gateway.Check
	outside  []gateway.Outside
	// forbidden receives each change that was forbidden.
	forbidden func(ctx context.Context, who callctx.Principal, what string, why error)
	tracing   *telemetry.Tracing
	counters  counters
}

// newGateway makes the HTTP entry, to which the modules add their routes.
func newGateway(o gatewayOptions) (*echo.Echo, error) {
	pages, err := documentation()
	if err != nil {
		return nil, err
	}
	built, err := api.Console()
	if err != nil {
		return nil, err
	}
	e, err := gateway.New(gateway.Options{
		Contract:         o.contract,
		Docs:             docs.New(pages),
		Authenticator:    o.identity.bearers,
		Permissions:      permissions(),
		FingerprintKeys:  slices.Concat(o.keys.Keys(keystore.Fingerprints), o.keys.retired[keystore.Fingerprints]),
		AllowOrigins:     o.cfg.CORSOrigins,
		TrustedProxies:   o.cfg.Proxies(),
		BodyLimit:        o.cfg.BodyLimit,
		UploadLimit:      o.cfg.FileLimit,
		Deadline:         o.cfg.RequestTimeout,
		TransferDeadline: o.cfg.TransferTime,
		Checks:           o.checks,
		Outside:          o.outside,
		Limiter:          o.limiter,
		KnownClients:     o.identity.clients,
		Limits:           o.requests.limits,
		CountRequest:     o.identity.bearers.CountRequest,
		Refused:          o.forbidden,
		Access:           o.requests.access,
		Trace:            tracer(o.tracing),
		Observed:         o.counters.request,
		LogAddress:       gateway.LogAddress(o.cfg.LogAddress),
		LogSample:        o.cfg.LogSample,
		Log:              o.log,
	})
	if err != nil {
		return nil, err
	}
	gateway.MountConsole(e, console.New(built))
	return e, nil
}

// permissions returns, for the gateway, which roles and API keys have which permission. The gateway itself has no
// roles.
func permissions() map[string]gateway.Permission {
	all := map[string]gateway.Permission{}
	for _, rule := range domain.Rules() {
		p := gateway.Permission{Keys: map[domain.KeyUse]callctx.Keys{domain.WholeKey: callctx.WholeKey, domain.AnyKey: callctx.AnyKey}[rule.Keys]}
		p.EndUsers = slices.Contains(rule.Roles(), domain.EndUserRole)
		for _, role := range rule.Roles() {
			p.Roles = append(p.Roles, string(role))
		}
		all[string(rule.Permission)] = p
	}
	return all
}
