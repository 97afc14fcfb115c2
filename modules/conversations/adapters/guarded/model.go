// Package guarded adds a deadline, circuit breakers and retries to a model, and bounds how many turns run at once.
package guarded

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/resilience"
)

// Model is a model with a deadline, circuit breakers and retries.
type Model struct {
	Model ports.Model
	Group *resilience.Group
	Own   *resilience.Group // for keys of workspaces, whose failures are not the operator's; nil: Group
}

func (m Model) Name() (provider, model string) { return m.Model.Name() }

var errNoText = errors.New("the model sent no text in time")

// Reply calls the model. It retries a failure before the first text, by the policy of the group, also one within a call
// of a tool, of which nothing was passed on. It does not retry later failures, because the text was already passed on. The reply has the usage of all attempts, also after a
// failure.
func (m Model) Reply(ctx context.Context, p ports.Prompt, write func(text string)) (reply domain.Reply, err error) {
	var before domain.Usage // of attempts that failed
	group, target, source := m.target(ctx, p.Model, p.Access != nil)
	err = group.For(source).DoSafe(ctx, target, func(ctx context.Context) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		first := func() bool { return true }
		if p.FirstTextTimeout > 0 {
			first = time.AfterFunc(p.FirstTextTimeout, func() { cancel(errNoText) }).Stop
			defer first()
			p.OnCall = func() { first() }
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

// used returns the usage of one call: what its provider has sent, else an estimate if the provider has worked on the
// call. Size is the received text in bytes. If the answer did not end (whole is false), the provider's count is
// incomplete.
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

// Away returns for how long the model will not be called for the workspace of the context, because it has failed too
// often or has asked for a pause; 0: it is called now. Own is whether the workspace uses a key of its own.
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
	target, source = provider+"/"+model[:min(len(model), maxName)], callctx.From(ctx).Principal.WorkspaceID.String()
	if own {
		return cmp.Or(m.Own, m.Group), source + " " + target, ""
	}
	return m.Group, target, source
}
