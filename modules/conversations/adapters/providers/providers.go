// Package providers calls the providers of models with the keys of workspaces, outside of turns: it lists their models,
// and checks whether a key works.
package providers

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	cache "github.com/go-pkgz/expirable-cache/v3"
	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/resilience"
)

const (
	listTimeout  = 5 * time.Second
	listed       = 5 * time.Minute  // how long a list is cached
	notListed    = 30 * time.Second // how long a failure is cached, so that callers do not wait again and again for a provider that hangs
	maxRemember  = 1000             // lists
	maxNames     = 500              // models of a list
	maxNameBytes = 200
	maxAtOnce    = 32 // calls; one workspace has at most two thirds of them
	triedTokens  = 16 // tokens of the answer when a model is tested
)

// Provider is a provider that lists its models. Its methods are called only with a workspace's own key.
type Provider interface {
	ports.Model
	// Models returns the names of the models; more says that there are others.
	Models(ctx context.Context, own ports.Access) (names []string, more bool, err error)
}

// Providers calls the providers of models. It is safe for concurrent use.
type Providers struct {
	providers map[string]Provider
	slots     *resilience.Slots
	lists     cache.Cache[listKey, list]
}

// listKey is the key of the cache of lists. Two workspaces or keys never share a list.
type listKey struct {
	workspace uuid.UUID
	provider  string
	key       [sha256.Size]byte
}

// list is the list of a provider, or the error of listing.
type list struct {
	names []string
	cut   bool
	err   error
}

// New makes Providers of the providers by their names.
func New(providers map[string]Provider) *Providers {
	return &Providers{
		providers: providers, slots: resilience.NewSlots(maxAtOnce),
		lists: cache.NewCache[listKey, list]().WithLRU().WithMaxKeys(maxRemember).WithTTL(listed),
	}
}

// List returns the models of a provider that the own key of the context's workspace may use: at most 500; cut says that
// there are more. A list is cached for five minutes, a failure for 30 seconds.
func (p *Providers) List(ctx context.Context, provider string, own ports.Access) (names []string, cut bool, err error) {
	key := listKey{callctx.From(ctx).Principal.WorkspaceID, provider, sha256.Sum256([]byte(own.BaseURL + "\x00" + own.Key))}
	if l, ok := p.lists.Get(key); ok {
		return l.names, l.cut, l.err
	}
	l := p.ask(ctx, provider, own)
	switch {
	case errors.Is(l.err, fail.ErrTooManyReads), ctx.Err() != nil: // not an error of the provider
	case l.err != nil:
		p.lists.Set(key, l, notListed)
	default:
		p.lists.Set(key, l, listed)
	}
	return l.names, l.cut, l.err
}

func (p *Providers) ask(ctx context.Context, provider string, own ports.Access) list {
	leave, err := p.enter(ctx)
	if err != nil {
		return list{err: err}
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	names, more, err := p.providers[provider].Models(ctx, own)
	if err != nil {
		return list{err: err}
	}
	l := list{cut: more}
	for _, name := range names {
		if !isName(name) {
			continue
		}
		if len(l.names) == maxNames {
			l.cut = true
			break
		}
		l.names = append(l.names, strings.Clone(name)) // so that the body is not kept with it
	}
	return l
}

// isName reports whether a listed name is valid in settings.
func isName(name string) bool {
	return domain.IsVisible(name) && len(name) <= maxNameBytes && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Try makes one call to a provider with the own key of the context's workspace: it lists the models, or asks the named
// model for an answer.
func (p *Providers) Try(ctx context.Context, provider, model string, own ports.Access) error {
	leave, err := p.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if model == "" {
		_, _, err := p.providers[provider].Models(ctx, own)
		return err
	}
	prompt := ports.Prompt{Content: "Hi", Asked: ports.Asked{Model: model, MaxOutputTokens: new(triedTokens), Access: &own}}
	_, err = p.providers[provider].Reply(ctx, prompt, func(string) {})
	return err
}

// enter takes one of the slots for calls.
func (p *Providers) enter(ctx context.Context) (leave func(), err error) {
	leave, err = p.slots.Wait(ctx, listTimeout, callctx.From(ctx).Principal.WorkspaceID)
	if errors.Is(err, resilience.ErrNoSlot) {
		return nil, fail.ErrTooManyReads.Because(err)
	}
	return leave, err
}
