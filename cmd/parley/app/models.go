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
	"github.com/parley/parley/platform/config"
	"github.com/parley/parley/platform/webhook"
)

// models are the models that answer turns, and the settings that workspaces have for them.
type models struct {
	router.Router
	settings  postgres.Models
	providers *providers.Providers
}

func (m models) unserved() usecases.UnservedModels {
	return usecases.UnservedModels{Operator: m.Router, Settings: m.settings}
}

// face returns what other modules may call of models.
func (m models) face() conversations.Models { return inproc.Models{Unserved: m.unserved()} }

// newModels makes the models. It includes every provider, because a workspace may have a key of its own.
func newModels(p *platform) (models, error) {
	last, err := domain.ParseModel(p.cfg.ModelDefault)
	if err != nil {
		return models{}, err
	}
	own, guard := webhook.NewTrustedStreamClient(), webhook.NewStreamClient(p.cfg.WebhookPrivate)
	own.Transport, guard.Transport = p.tracing.Transport(own.Transport), p.tracing.Transport(guard.Transport)
	provider := func(m ports.Model, shared, forgets bool) router.Provider {
		return router.Provider{Guarded: guarded.Model{Model: m, Group: p.models, Own: p.ownModels}, Shared: shared, Forgets: forgets}
	}
	table := router.Table{}
	for name, e := range p.cfg.ModelTable() {
		table[name] = router.Entry(e)
	}
	kept, err := newModelSettings(p)
	openAI := openai.Model{Key: p.cfg.OpenAIKey, URL: p.cfg.OpenAIURL, Client: own, Guarded: guard}
	claude := anthropic.Model{Key: p.cfg.AnthropicKey, URL: p.cfg.AnthropicURL, Client: own, Guarded: guard}
	answering := router.Router{
		Providers: map[string]router.Provider{
			domain.Echo:      provider(echomodel.Model{Delay: p.cfg.EchoDelay}, true, true),
			domain.OpenAI:    provider(openAI, p.cfg.HasOpenAI(), false),
			domain.Anthropic: provider(claude, p.cfg.HasAnthropic(), false),
		},
		Default: last, Recall: kept, Table: table, Allow: allowedModels(p.cfg, last), Windows: router.NewWindows(),
		Budget: postgres.Budget{DB: p.db, Limits: p.meter.Limits, Now: p.now},
	}
	asked := providers.New(map[string]providers.Provider{domain.OpenAI: openAI, domain.Anthropic: claude})
	return models{Router: answering, settings: kept, providers: asked}, err
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

// newModelSettings makes the store of the workspaces' settings for models, which seals their keys.
func newModelSettings(p *platform) (postgres.Models, error) {
	ring, err := modelRing(p.ring, p.cfg)
	if err != nil {
		return postgres.Models{}, err
	}
	return postgres.Models{DB: p.db, Box: ring.Box(boxOfModels)}, nil
}
