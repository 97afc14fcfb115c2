// Package guarded puts a deadline, circuit breakers and repetition round a model, and bounds how many turns run at once.
package guarded

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/resilience"
)

// Model is a model with a deadline, circuit breakers and repetition.
type Model struct {
	Model ports.Model
	Group *resilience.Group
	Own   *resilience.Group // for keys of workspaces, whose failures concern no operator; nil: Group
}

func (m Model) Name() (provider, model string) { return m.Model.Name() }

var errNoText = errors.New("the model sent no text in time")

// Reply has the model answer. A failure before the first text is tried again, as the policy of the group says; later ones are not, as the
// text was passed on already. The usage of all tries is in the reply, also after a failure.
func (m Model) Reply(ctx context.Context, p ports.Prompt, write func(text string)) (reply domain.Reply, err error) {
	var before domain.Usage // of tries that failed
	group, target, source := m.target(ctx, p.Model, p.Access != nil)
	err = group.For(source).DoSafe(ctx, target, func(ctx context.Context) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		first := func() bool { return true }
		if p.FirstTextTimeout > 0 {
			first = time.AfterFunc(p.FirstTextTimeout, func() { cancel(errNoText) }).Stop
			defer first()
		}
		size := 0
		reply, err = m.Model.Reply(ctx, p, func(text string) {
			first()
			size += len(text)
			write(text)
		})
		before = before.Plus(used(p, reply, size, err == nil))
		reply.Usage = before
		switch {
		case err != nil && size > 0:
			return resilience.Final(resilience.Uncounted(err))
		case err != nil && errors.Is(context.Cause(ctx), errNoText):
			return resilience.Final(err)
		}
		return err
	})
	return reply, err
}

// used is the usage of one call: what its provider has sent, else an estimate, where the provider was at work. Size is how many bytes
// of text came; a provider that did not end its answer (whole) has not counted all of it.
func used(p ports.Prompt, r domain.Reply, size int, whole bool) domain.Usage {
	u := r.Believable()
	if !r.Begun {
		return u
	}
	if u.InputTokens == nil {
		u.InputTokens, u.Estimated = new(p.Tokens()), true
	}
	if output := domain.TokensOf(size); u.OutputTokens == nil || !whole && *u.OutputTokens < output {
		u.OutputTokens, u.Estimated = new(output), true
	}
	return u
}

// Away returns for how long the provider's model of a name will not be asked for the workspace of the context, because it has
// failed too often or wants to be left alone; 0: it is asked now. Own is whether the workspace asks with a key of its own.
func (m Model) Away(ctx context.Context, model string, own bool) time.Duration {
	group, target, source := m.target(ctx, model, own)
	return group.For(source).Away(target)
}

// maxName is how many bytes of a model's name distinguish targets. It bounds the memory for targets, because tenants
// choose the names.
const maxName = 200

// target returns the circuit breaker's target: one for each provider, model and key. With the operator's key the
// workspaces are sources, so that failures of one workspace do not affect others. A workspace's own key is a target of
// that workspace.
func (m Model) target(ctx context.Context, model string, own bool) (group *resilience.Group, target, source string) {
	provider, _ := m.Model.Name()
	target, source = provider+"/"+model[:min(len(model), maxName)], call.From(ctx).Principal.WorkspaceID.String()
	if own {
		return cmp.Or(m.Own, m.Group), source + " " + target, ""
	}
	return m.Group, target, source
}
