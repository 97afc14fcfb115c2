package app

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/conversations/domain"
	conversations "github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/ops/telemetry"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/request/ratelimit"
)

// counters counts events of this process. Its labels are routes, statuses, providers and names of ours; no tenant can
// choose a label. Only top names workspaces, by id, and only the few with the most load.
type counters struct {
	*telemetry.Metrics
	top        topWorkspaces
	requests   func(n float64, labels ...string)
	latency    func(took time.Duration, labels ...string)
	own        func(took time.Duration, labels ...string)
	operations func(n float64, labels ...string)
	refusals   func(n float64, labels ...string)
	sessions   func(n float64, labels ...string)
	turns      func(n float64, labels ...string)
	failures   func(n float64, labels ...string) // of turns
	turnTime   func(took time.Duration, labels ...string)
	tokens     func(n float64, labels ...string)
	jobs       func(took time.Duration, labels ...string)
	dead       func(n float64, labels ...string)
	purged     func(n float64, labels ...string)
	missing    func(n float64, labels ...string)
}

func newCounters() counters {
	m := telemetry.NewMetrics()
	return counters{
		Metrics:  m,
		top:      newTopWorkspaces(),
		requests: m.Count(telemetry.Family{Name: "http_requests_total", Help: "requests that were answered", Labels: []string{"method", "route", "status"}}),
		latency:  m.Time(telemetry.Family{Name: "http_request_duration_seconds", Help: "from the request to the end of its answer", Labels: []string{"method", "route"}}),
		own:      m.Time(telemetry.Family{Name: "http_request_own_seconds", Help: "the same without the time in which the request waited for other systems, such as models", Labels: []string{"method", "route"}}),
		operations: m.Count(telemetry.Family{
			Name: "operations_total", Help: "calls that change something, by outcome", Labels: []string{"outcome"},
			Known: [][]string{{"done", "replayed", "in_progress", "reused", "expired", "failed"}},
		}),
		refusals: m.Count(telemetry.Family{
			Name: "rate_limit_refusals_total", Help: "calls that were refused because of a rate limit, by what is limited", Labels: []string{"limit"},
			Known: [][]string{{"principal", "address", "auth", "session", "workspace", "turns"}},
		}),
		sessions: m.Count(telemetry.Family{
			Name: "sessions_total", Help: "sessions that were opened or found stolen, by the action in the audit log", Labels: []string{"action"},
			Known: [][]string{{"user.register", "session.open", "session.refresh", "session.revoke_stolen"}},
		}),
		turns: m.Count(telemetry.Family{
			Name: "turns_total", Labels: []string{"provider", "outcome", "key"},
			Help:  "attempts at turns, by provider, outcome, and whose key or server was used: the operator's, or the workspace's own",
			Known: [][]string{turnProviders(), {"completed", "failed", "refused", "cancelled"}, {"operator", "own"}},
		}),
		failures: m.Count(telemetry.Family{
			Name: "turn_failures_total", Labels: []string{"provider", "code", "key"},
			Help:  "attempts at turns that failed or were refused, by the code that callers got; DOWNSTREAM_UNAVAILABLE is that of failures that may pass",
			Known: [][]string{turnProviders(), turnCodes(), {"operator", "own"}},
		}),
		turnTime: m.Time(telemetry.Family{Name: "turn_duration_seconds", Help: "how long models took for turns that were completed", Labels: []string{"provider"}}),
		tokens:   m.Count(telemetry.Family{Name: "turn_tokens_total", Help: "tokens of turns that were completed", Labels: []string{"provider", "direction"}}),
		jobs:     m.Time(telemetry.Family{Name: "job_duration_seconds", Help: "how long the handlers of jobs took, by whether they failed", Labels: []string{"kind", "outcome"}}),
		dead: m.Count(telemetry.Family{
			Name: "dead_letters_total", Labels: []string{"concerns"}, Known: [][]string{{"operator", "tenant"}},
			Help: "jobs that this process has moved to the dead letters, by whom they concern: the tenant, if its settings, account or server failed",
		}),
		missing: m.Count(telemetry.Family{Name: "file_content_missing_total", Help: "downloads of files whose bytes are not in the store", Known: [][]string{}}),
		purged:  m.Count(telemetry.Family{Name: "purged_rows_total", Help: "rows of deleted workspaces that this process has removed", Known: [][]string{}}),
	}
}

// request counts a request that was answered.
func (m counters) request(ctx context.Context, method, route string, status int, took, outside time.Duration) {
	m.top.call(ctx, status, took-outside)
	if route == "" {
		method, route = "any", "none" // the router has no route for it
	}
	if !slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions}, method) {
		method = "any" // the client chooses it
	}
	m.requests(1, method, route, strconv.Itoa(status))
	m.latency(took, method, route)
	m.own(took-outside, method, route)
}

func (m counters) operation(outcome string) { m.operations(1, outcome) }

// countedLimiter counts the calls that a limiter refuses, by the part of the key that says what is counted.
type countedLimiter struct {
	ratelimit.Limiter
	refused func(n float64, labels ...string)
}

func (l countedLimiter) Allow(ctx context.Context, key string, limit ratelimit.Limit) ratelimit.Result {
	return l.counted(key, l.Limiter.Allow(ctx, key, limit))
}

func (l countedLimiter) Peek(ctx context.Context, key string, limit ratelimit.Limit) ratelimit.Result {
	return l.counted(key, l.Limiter.Peek(ctx, key, limit))
}

func (l countedLimiter) counted(key string, r ratelimit.Result) ratelimit.Result {
	if !r.Allowed {
		kind, _, _ := strings.Cut(key, ":")
		l.refused(1, kind)
	}
	return r
}

// countedSessions counts audit entries of sessions.
type countedSessions struct {
	ports.Audit
	count func(n float64, labels ...string)
}

func (s countedSessions) Session(ctx context.Context, action string, session uuid.UUID) error {
	err := s.Audit.Session(ctx, action, session)
	if err == nil {
		s.count(1, action)
	}
	return err
}

// turnProviders returns the values of the label provider. Any other name becomes unknown, because tenants name models.
func turnProviders() []string {
	return []string{domain.Echo, domain.OpenAI, domain.Anthropic, domain.UnknownProvider}
}

// codeWrongAddress is the value of the label code for a failure that a wrong base URL has caused.
const codeWrongAddress = "WRONG_ADDRESS"

// turnCodes returns the codes of failed turns that the label code may have. Any other code becomes OTHER.
func turnCodes() []string {
	codes := []string{fail.ErrLimitReached.Code, fail.ErrEmailNotVerified.Code, fail.ErrInternal.Code, codeWrongAddress, "OTHER"}
	for _, e := range []*fail.Error{
		conversations.ErrModel, conversations.ErrModelCredentials, conversations.ErrModelUnknown, conversations.ErrModelQuota, conversations.ErrModelRejected,
		conversations.ErrContentFiltered, conversations.ErrContextTooLong, conversations.ErrEmptyAnswer, conversations.ErrModelNotAllowed,
	} {
		codes = append(codes, e.Code)
	}
	return codes
}

// countedTurns counts the results of turns.
type countedTurns struct {
	conversations.Events
	counters
	log *slog.Logger
}

// asked returns the labels of the model that a turn was, or would have been, sent to: the provider, and whose key.
func asked(t domain.Turn, reply domain.Reply) (provider, key string) {
	provider, key = cmp.Or(reply.Provider, t.Asked.Provider), "operator"
	if !slices.Contains(turnProviders(), provider) {
		provider = domain.UnknownProvider
	}
	if reply.Own {
		key = "own"
	}
	return provider, key
}

// TurnCompleted counts a completed turn and its usage.
func (c countedTurns) TurnCompleted(ctx context.Context, t domain.Turn, answer domain.Message, reply domain.Reply) error {
	provider, key := asked(t, reply)
	c.turns(1, provider, "completed", key)
	c.turnTime(reply.Latency, provider)
	for direction, n := range map[string]*int{"input": reply.InputTokens, "output": reply.OutputTokens, "cached": reply.CachedTokens} {
		if n != nil {
			c.tokens(float64(*n), provider, direction)
			if direction != "cached" { // cached tokens are input too
				c.top.tokens.Add(callctx.From(ctx).Principal.WorkspaceID, float64(*n))
			}
		}
	}
	return c.Events.TurnCompleted(ctx, t, answer, reply)
}

// TurnFailed counts a turn that failed, or that was refused because of settings, limits or its content, which is no
// failure of a model.
func (c countedTurns) TurnFailed(ctx context.Context, t domain.Turn, reply domain.Reply, why *fail.Error) error {
	outcome, code := "failed", why.Code
	if why.Kind == fail.Invalid || why.Kind == fail.Forbidden {
		outcome = "refused"
	}
	if _, ok := why.Details[conversations.HintDetail]; ok {
		code = codeWrongAddress
	}
	if !slices.Contains(turnCodes(), code) {
		code = "OTHER"
	}
	provider, key := asked(t, reply)
	c.turns(1, provider, outcome, key)
	c.failures(1, provider, code, key)
	if key == "operator" && slices.Contains([]string{conversations.ErrModelCredentials.Code, conversations.ErrModelQuota.Code, codeWrongAddress}, code) {
		c.log.WarnContext(ctx, "a provider refused the operator's access", "provider", provider, "code", code)
	}
	return c.Events.TurnFailed(ctx, t, reply, why)
}

// countedCancels counts cancelled turns in addition to the others.
type countedCancels struct {
	conversations.Cancels
	turns countedTurns
}

// Cancel counts a cancelled turn.
func (c countedCancels) Cancel(ctx context.Context, t domain.Turn, partial domain.Message, reply domain.Reply) error {
	err := c.Cancels.Cancel(ctx, t, partial, reply)
	if err == nil {
		provider, key := asked(t, reply)
		c.turns.turns(1, provider, "cancelled", key)
	}
	return err
}
