// Package router calls the models that a bot, its workspace or the operator names, one after the other until one
// answers.
package router

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/work/resilience"
)

// Guarded is a model with its guard.
type Guarded interface {
	ports.Model
	// Away returns for how long a model will not be called. Own is whether the call uses a key of the workspace.
	Away(ctx context.Context, model string, own bool) time.Duration
}

// Provider is a provider of models.
type Provider struct {
	Guarded
	Shared  bool // all workspaces may use it, because the operator has a key or a server for it
	Forgets bool // it needs only the message: the history is not read for it
}

// Router answers a turn with the model that its bot names, and with the bot's next model where that fails.
type Router struct {
	Providers map[string]Provider
	Default   domain.ModelName // where neither bot nor workspace names a model
	Recall    ports.Recall
	Table     Table
	Allow     Allow
	Budget    ports.Budget
	Sponsors  ports.Sponsors // nil: everybody may use the operator's keys
	Windows   *Windows
	Files     ports.EarlierFiles // nil: earlier messages are without files
}

// slack is the part of a turn's time that models do not have, so that the guard of a model is the first to detect that
// it hangs.
const slack = 500 * time.Millisecond

// Name returns the model that answers where no settings name one.
func (r Router) Name() (provider, model string) { return r.Default.Provider, r.Default.Name }

// Reply calls the models. If a model fails before its first text, the next one is called. The reply has the usage and
// the costs of all of them, also after a failure. A failure is an error of package fail: ports.ErrModel where a model
// may answer later, else the most important permanent failure; the reply names the model of that failure.
func (r Router) Reply(ctx context.Context, p ports.Prompt, say func(text string)) (domain.Reply, error) {
	choice, err := r.choose(p)
	if err != nil {
		return domain.Reply{}, err
	}
	release := func() {}
	defer func() { release() }()
	recall := sync.OnceValues(func() (recalled ports.Recalled, err error) {
		recalled, err = r.Recall.Recall(ctx, p.ThreadID, p.Seq, p.Path, choice.HistoryLimit, r.Table.maxBytes(choice.Models))
		if _, complete := p.Request.Earlier(); err == nil && !complete && !p.WithoutFiles && r.Files != nil {
			release, err = r.Files.Fill(ctx, recalled.History, domain.MaxRecalledImages-len(domain.ImagesOf(p.Attached)))
		}
		return recalled, err
	})
	spent := domain.Usage{ChargedMicros: new(int64(0))}
	var failed failures
	for i, m := range choice.Models {
		p.FirstTextTimeout = firstTextTimeout(ctx, len(choice.Models), i)
		said := false
		reply, err := r.ask(ctx, m, choice, p, p.ChargedMicros+*spent.ChargedMicros, recall, func(text string) {
			said = true
			say(text)
		})
		spent = spent.Plus(reply.Usage)
		reply.Provider, reply.Model, reply.Usage = m.Provider, m.Name, spent
		if err == nil {
			return reply, nil
		}
		failed = append(failed, failure{m, reply, err})
		if said || ctx.Err() != nil {
			break
		}
	}
	return failed.outcome(spent)
}

func (r Router) choose(p ports.Prompt) (domain.Choice, error) {
	var settings []byte
	if p.Pinned != nil {
		settings = p.Pinned.Settings
	}
	choice, err := domain.Choose(settings, p.Defaults, r.Default)
	if err != nil {
		return choice, notConfigured(err)
	}
	return choice.With(p.Request), nil
}

// ask calls one model, with the history that it needs. Before is what the attempt has already been charged for other
// calls.
func (r Router) ask(
	ctx context.Context, m domain.ModelName, choice domain.Choice, p ports.Prompt, before int64,
	recall func() (ports.Recalled, error), say func(string),
) (domain.Reply, error) {
	provider, ok := r.Providers[m.Provider]
	if !ok {
		return domain.Reply{}, ports.ErrModelNotConfigured
	}
	p.Model, p.Temperature, p.MaxOutputTokens = m.Name, choice.Temperature, choice.MaxOutputTokens
	if !provider.Forgets {
		recalled, err := recall()
		if err != nil {
			return domain.Reply{}, err
		}
		if own, ok := recalled.Own[m.Provider]; ok {
			p.Access = &own
		}
		history, complete := p.Request.Earlier()
		if !complete {
			history = recalled.History
		}
		if p, err = valid(r.room(ctx, m, p), p, history); err != nil {
			return domain.Reply{}, err
		}
	}
	if p.Access != nil {
		reply, err := r.reply(ctx, provider, m, p, say)
		reply.CostMicros, reply.Own = r.Table.cost(m, reply.Usage), true
		return reply, err
	}
	switch {
	case !provider.Shared:
		return domain.Reply{}, ports.ErrModelNotConfigured
	case !r.Allow.Allows(m):
		return domain.Reply{}, ports.ErrModelNotAllowed.With("model", m.String())
	case r.Sponsors != nil && m.Provider != domain.Echo: // which needs no key
		if err := r.Sponsors.Admit(ctx); err != nil {
			return domain.Reply{}, err
		}
	}
	if cost := r.Table.maxCost(m, p); cost > 0 && p.Limited {
		if err := r.Budget.Reserve(ctx, p.TurnID, p.Attempt, before+cost); err != nil {
			return domain.Reply{}, err
		}
	}
	reply, err := r.reply(ctx, provider, m, p, say)
	reply.CostMicros = r.Table.cost(m, reply.Usage)
	reply.ChargedMicros = reply.CostMicros
	return reply, err
}

// NotAsked reports whether an error of Reply says that no model was asked, and for how long none will be.
func (r Router) NotAsked(err error) (wait time.Duration, ok bool) { return resilience.IsRefused(err) }

// Away returns for how long none of a bot's models will be called, because they have failed too often; 0: one is called
// now. Own are the providers for which the workspace of the context has keys of its own.
func (r Router) Away(ctx context.Context, p ports.Prompt, own []string) time.Duration {
	choice, err := r.choose(p)
	if err != nil {
		return 0 // the turn returns the error
	}
	shortest := time.Duration(0)
	for _, m := range choice.Models {
		provider, ok := r.Providers[m.Provider]
		hasOwn := slices.Contains(own, m.Provider)
		if !ok || !hasOwn && (!provider.Shared || !r.Allow.Allows(m)) {
			continue
		}
		away := provider.Away(ctx, m.Name, hasOwn)
		if away == 0 {
			return 0
		}
		if shortest == 0 || away < shortest {
			shortest = away
		}
	}
	return shortest
}

// firstTextTimeout returns how long one of several models has for its first text: its share of the remaining time. A
// single model has all of it.
func firstTextTimeout(ctx context.Context, models, at int) time.Duration {
	end, ok := ctx.Deadline()
	if models == 1 || !ok {
		return 0
	}
	return max((time.Until(end)-slack)/time.Duration(models-at), time.Millisecond)
}
