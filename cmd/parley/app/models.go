package app

import (
	"slices"

	"github.com/parley/parley/modules/conversations"
	"github.com/parley/parley/modules/conversations/adapters/anthropic"
	echomodel "github.com/parley/parley/modules/conversations/adapters/echo"
	"github.com/parley/parley/modules/conversations/adapters/guarded"
	"github.com/parley/parley/modules/conversations/adapters/openai"
	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/adapters/providers"
	"github.com/parley/parley/modules/conversations/adapters/router"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/entrypoints/inproc"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	postgresdb "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/ops/telemetry"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

// models are the models that answer turns, and the settings that workspaces have for them.
type models struct {
	router.Router
	settings  postgres.Models
	providers *providers.Providers
	operators *resilience.Group // guards calls with the operator's keys
	own       *resilience.Group // guards calls with keys of workspaces, at whatever server they name
}

const modelRetries = 1 // while the model has sent no text yet

func (m models) unserved() usecases.UnservedModels {
	return usecases.UnservedModels{Operator: m.Router, Settings: m.settings}
}

// face returns what other modules may call of models.
func (m models) face() conversations.Models { return inproc.Models{Unserved: m.unserved()} }

// modelsOptions are the options of newModels.
type modelsOptions struct {
	cfg    *config.Config
	db     *postgresdb.DB
	ring   secret.Ring
	limits usage.Limits
	// sponsors decide who may use the operator's keys; nil: everybody.
	sponsors *usage.Sponsors
	tracing  *telemetry.Tracing
	guard    newGuard
}

// newModels makes the models. It includes every provider, because a workspace may have a key of its own.
func newModels(o modelsOptions) (models, error) {
	last, err := domain.ParseModel(o.cfg.ModelDefault)
	if err != nil {
		return models{}, err
	}
	ring, err := modelRing(o.ring, o.cfg)
	if err != nil {
		return models{}, err
	}
	policy := resilience.Policy{
		Timeout: o.cfg.ModelTimeout, Retries: modelRetries, Failures: breakAfter, Sources: breakSources, OpenFor: o.cfg.BreakerOpen,
	}
	m := models{
		settings:  postgres.Models{DB: o.db, Box: ring.Box(boxOfModels)},
		operators: o.guard("model", policy), own: o.guard("own_model", policy),
	}
	trusted, careful := webhook.NewTrustedStreamClient(), webhook.NewStreamClient(modelTargets(o.cfg))
	trusted.Transport, careful.Transport = o.tracing.Transport(trusted.Transport), o.tracing.Transport(careful.Transport)
	openAI := openai.Model{Key: o.cfg.OpenAIKey, URL: o.cfg.OpenAIURL, Client: trusted, Guarded: careful}
	claude := anthropic.Model{Key: o.cfg.AnthropicKey, URL: o.cfg.AnthropicURL, Client: trusted, Guarded: careful}
	m.providers = providers.New(map[string]providers.Provider{domain.OpenAI: openAI, domain.Anthropic: claude})
	table := router.Table{}
	for name, e := range o.cfg.ModelTable() {
		table[name] = router.Entry(e)
	}
	m.Router = router.Router{
		Providers: map[string]router.Provider{
			domain.Echo:      m.provider(echomodel.Model{Delay: o.cfg.EchoDelay}, true, true),
			domain.OpenAI:    m.provider(openAI, o.cfg.HasOpenAI(), false),
			domain.Anthropic: m.provider(claude, o.cfg.HasAnthropic(), false),
		},
		Default: last, Recall: m.settings, Table: table, Allow: allowedModels(o.cfg, last), Windows: router.NewWindows(),
		Budget: postgres.Budget{DB: o.db, Limits: o.limits, Now: now},
	}
	if o.sponsors != nil {
		m.Sponsors = o.sponsors
	}
	return m, nil
}

func (m models) provider(model ports.Model, shared, forgets bool) router.Provider {
	return router.Provider{Guarded: guarded.Model{Model: model, Group: m.operators, Own: m.own}, Shared: shared, Forgets: forgets}
}

// allowedModels returns the models that the operator's keys serve: those that MODEL_ALLOW lists, those that have a
// price, and the default model. Without MODEL_ALLOW all models are allowed, but in production only echo, the default
// and those that have a price.
func allowedModels(cfg *config.Config, last domain.ModelName) router.Allow {
	allow := router.Allow{Names: []string{last.String()}, Patterns: cfg.ModelAllow}
	for name, e := range cfg.ModelTable() {
		if e.Input != nil && e.Output != nil {
			allow.Names = append(allow.Names, name)
		}
	}
	if len(cfg.ModelAllow) == 0 {
		allow.Names = append(allow.Names, domain.Echo)
		allow.All = !cfg.Production() || slices.Contains(allow.Names, "*") // "*" has the price of all others
	}
	return allow
}
