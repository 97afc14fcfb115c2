package router

import (
	"context"
	"errors"
	"slices"
	"time"

	cache "github.com/go-pkgz/expirable-cache/v3"
	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

const (
	maxWindows = 10_000        // of models that are cached
	windowTTL  = 6 * time.Hour // after which it is determined again, because servers may be reconfigured
)

// Windows caches, in this process, the context windows of models that are not in the operator's table. It learns them
// from the errors with which providers refuse a prompt. It is safe for concurrent use. The nil Windows is empty.
type Windows struct{ kept cache.Cache[windowKey, int] }

// windowKey is a model with the operator's key, or a model with the key of a workspace at the server that the workspace
// names. No workspace can change the entries of others.
type windowKey struct {
	model     domain.ModelName
	workspace uuid.UUID
	url       string
}

// NewWindows returns empty Windows.
func NewWindows() *Windows {
	return &Windows{cache.NewCache[windowKey, int]().WithLRU().WithMaxKeys(maxWindows).WithTTL(windowTTL)}
}

func (w *Windows) find(k windowKey) int {
	if w == nil {
		return 0
	}
	tokens, _ := w.kept.Get(k)
	return tokens
}

func (w *Windows) learn(k windowKey, tokens int) {
	if w != nil && tokens > 0 {
		w.kept.Add(k, tokens)
	}
}

// keys returns the keys of a model's windows: said for the number that the provider has stated, tried for the one found
// by trying, which depends on the texts of the workspace.
func keys(ctx context.Context, m domain.ModelName, own *ports.Access) (said, tried windowKey) {
	tried = windowKey{model: m, workspace: callctx.From(ctx).Principal.WorkspaceID}
	if own == nil {
		return windowKey{model: m}, tried
	}
	tried.url = own.BaseURL
	said = tried
	said.url += " " // different from the other: no address ends with a space
	return said, tried
}

// room returns how many tokens a prompt may have beside its answer: by the operator's table, else by the learned
// window, else by the default.
func (r Router) room(ctx context.Context, m domain.ModelName, p ports.Prompt) int {
	said, tried := keys(ctx, m, p.Access)
	window := r.Windows.find(said)
	if tokens := r.Windows.find(tried); tokens > 0 && (window == 0 || tokens < window) {
		window = tokens
	}
	if window == 0 || r.Table.hasWindow(m) {
		return r.Table.entry(m).Window - longestAnswer(p)
	}
	return window - answerRoom(p, window)
}

// answerRoom returns how many tokens of a learned window are reserved for the answer: at most half of it, where the
// answer has no limit.
func answerRoom(p ports.Prompt, window int) int {
	if p.MaxOutputTokens != nil {
		return *p.MaxOutputTokens
	}
	return min(usualAnswer, window/2)
}

// reply calls a provider's model. Where the model refuses the prompt as too long, it is called once more with half of
// the history, or with less where it has stated how much fits. The learned window is cached.
func (r Router) reply(ctx context.Context, provider Provider, m domain.ModelName, p ports.Prompt, say func(text string)) (domain.Reply, error) {
	said := false
	speak := func(text string) {
		said = true
		say(text)
	}
	reply, err := answered(provider.Reply(ctx, p, speak))
	if errors.Is(err, ports.ErrImagesUnsupported) && len(p.Images) == 0 && !said { // the images of earlier messages were for another model
		before := reply.Usage
		p.History = slices.Clone(p.History)
		for i := range p.History {
			p.History[i].Images = nil
		}
		reply, err = answered(provider.Reply(ctx, p, speak))
		reply.Usage = before.Plus(reply.Usage)
	}
	if !errors.Is(err, ports.ErrContextTooLong) {
		return reply, err
	}
	asked := p.Tokens()
	if p.MaxOutputTokens != nil {
		asked += *p.MaxOutputTokens
	}
	named, _ := fail.From(err).Details["window"].(int)
	ofModel, ofTexts := keys(ctx, m, p.Access)
	fits := named > 0 && named < asked // else the estimate for these texts is wrong
	if fits && !r.Table.hasWindow(m) {
		r.Windows.learn(ofModel, named)
	}
	if said || len(p.History) == 0 || ctx.Err() != nil {
		return reply, err
	}
	before, all := reply.Usage, 0
	for _, message := range p.History {
		all += ports.TokensOfMessage(message)
	}
	room := all / 2
	if fits {
		room = min(room, all-(p.Tokens()+answerRoom(p, named)-named))
	}
	p.History = newest(p.History, room)
	reply, err = answered(provider.Reply(ctx, p, speak))
	reply.Usage = before.Plus(reply.Usage)
	if err == nil && !fits && !r.Table.hasWindow(m) {
		r.Windows.learn(ofTexts, p.Tokens()+answerRoom(p, 2*p.Tokens()))
	}
	return reply, err
}

// newest returns the newest messages with at most that many tokens. The first of them is a user's. A message that does not fit with
// its calls of tools is without all of them, calls and results, where its text fits and is visible.
func newest(history []domain.Message, tokens int) []domain.Message {
	first, kept := len(history), slices.Clone(history)
	for first > 0 {
		m := &kept[first-1]
		if ports.TokensOfMessage(*m) > tokens && domain.IsVisible(m.Content) {
			m.Steps = nil
		}
		if ports.TokensOfMessage(*m) > tokens {
			break
		}
		tokens -= ports.TokensOfMessage(*m)
		first--
	}
	said := slices.IndexFunc(kept[first:], func(m domain.Message) bool { return m.Role == domain.RoleUser })
	if said < 0 {
		return nil
	}
	return kept[first+said:]
}
