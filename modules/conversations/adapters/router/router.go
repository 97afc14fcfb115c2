// Package router has the models answer that a bot, its workspace or the operator names, one after the other until one does.
package router

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/resilience"
)

// Guarded is a model with what guards it.
type Guarded interface {
	ports.Model
	// Away returns for how long its model of a name will not be asked; own: with a key of the workspace's.
	Away(ctx context.Context, model string, own bool) time.Duration
}

// Provider is who has models.
type Provider struct {
	Guarded
	Shared  bool // whether everybody may ask it, the operator having a key or a server of its own
	Forgets bool // whether it needs nothing but the message: then nothing is read for it
}

// Router has a turn answered by the model that its bot names, and by the next one of the bot where that fails.
type Router struct {
	Providers map[string]Provider
	Default   domain.ModelName // where neither bot nor workspace says
	Recall    ports.Recall
	Table     Table
	Allow     Allow
	Budget    ports.Budget
	Windows   *Windows
}

// slack is what of a turn's time is not given to models, so that what guards one finds out first that it hangs.
const slack = 500 * time.Millisecond

// Name is the model that answers where no settings name one.
func (r Router) Name() (provider, model string) { return r.Default.Provider, r.Default.Name }

// Reply has the models answer. One that fails before its first piece of text is followed by the next one. What all of them
// have used is in the reply, also of a failure, and what it cost. A failure is an error of package fail: ports.ErrModel where a
// model may answer later, else the permanent failure that matters most; its reply names the model that it is of.
func (r Router) Reply(ctx context.Context, p ports.Prompt, say func(text string)) (domain.Reply, error) {
	choice, err := r.choose(p)
	if err != nil {
		return domain.Reply{}, err
	}
	recall := sync.OnceValues(func() (ports.Recalled, error) {
		return r.Recall.Recall(ctx, p.ThreadID, p.Seq, choice.HistoryLimit, r.Table.maxBytes(choice.Models))
	})
	spent := domain.Usage{ChargedMicros: new(int64(0))}
	var failed failures
	for i, m := range choice.Models {
		p.FirstTextTimeout = firstTextTimeout(ctx, len(choice.Models), i)
		said := false
		reply, err := r.ask(ctx, m, choice, p, *spent.ChargedMicros, recall, func(text string) {
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
	return choice, nil
}

// ask asks one model, with the history that it needs. Before is what the attempt has been charged for others.
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
		if p, err = valid(r.room(ctx, m, p), p, recalled.History); err != nil {
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

// Away returns for how long none of a bot's models will be asked, because they have failed too often; 0: one is asked now.
// Own are the providers that the workspace of the context has keys of its own for.
func (r Router) Away(ctx context.Context, p ports.Prompt, own []string) time.Duration {
	choice, err := r.choose(p)
	if err != nil {
		return 0 // the turn says so
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

// firstTextTimeout is how long one of several models has for its first text: its share of what is left. A single one
// has all the time.
func firstTextTimeout(ctx context.Context, models, at int) time.Duration {
	end, ok := ctx.Deadline()
	if models == 1 || !ok {
		return 0
	}
	return max((time.Until(end)-slack)/time.Duration(models-at), time.Millisecond)
}
