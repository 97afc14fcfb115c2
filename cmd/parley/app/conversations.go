package app

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/bots"
	botsadapter "github.com/parley/parley/modules/conversations/adapters/bots"
	"github.com/parley/parley/modules/conversations/adapters/postgres"
	"github.com/parley/parley/modules/conversations/adapters/signatures"
	"github.com/parley/parley/modules/conversations/entrypoints/jobs"
	"github.com/parley/parley/modules/conversations/entrypoints/rest"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/contract"
	"github.com/parley/parley/platform/gateway"
	queue "github.com/parley/parley/platform/jobs"
	"github.com/parley/parley/platform/ratelimit"
	"github.com/parley/parley/platform/webhook"
)

func mountConversations(e *echo.Echo, p *platform, calls *contract.Contract, catalog bots.Catalog, answering models) error {
	model := answering.Router
	turns := newTurns(p, model)
	server := newConversationsServer(p, catalog, turns)
	if server.Receive.Schema = calls.Find(http.MethodPost, "/v1/webhooks/:endpoint_id"); server.Receive.Schema == (*contract.Operation)(nil) {
		return errors.New("the OpenAPI document has no call that receives webhooks")
	}
	server.Models = answering.settings
	server.PutModels = usecases.PutModelSettings{Settings: server.Models, Unserved: answering.unserved(), Now: p.now}
	server.UsableModels = usecases.ListModels{Operator: model, Keys: answering.settings, Providers: answering.providers}
	server.TestKey = usecases.TestModelKey{
		Keys: answering.settings, Providers: answering.providers, Timeout: keyTestTimeout, Now: p.now,
		Limits: gateway.SessionLimiter{Limiter: p.limiter, Limit: ratelimit.Limit{Max: keyTestsAMinute, Window: time.Minute}},
	}
	server.PutKey = usecases.PutModelKey{Settings: server.Models, Now: p.now, CheckURL: func(raw string) error {
		return webhook.CheckURL(raw, p.cfg.WebhookPrivate)
	}}
	server.Mount(e)
	if err := p.keepTurns(turns); err != nil {
		return err
	}
	p.onDeadLetter = append(p.onDeadLetter, giveUpAnswers(p))
	answers := jobs.AnswerMessage{
		Answer:  usecases.AnswerEvent{Inbox: newInbox(p), Turn: turns.take, Models: model, Now: p.now},
		Timeout: p.cfg.ModelTimeout + answerTimeSlack,
	}
	return answers.Register(p.kinds, postgres.AnswerKind)
}

// answerTimeSlack is how much longer than its model a job that answers a message may take.
const answerTimeSlack = 30 * time.Second

// Limits for the test of a workspace's model keys.
const (
	keyTestTimeout  = 15 * time.Second
	keyTestsAMinute = 10
)

func newConversationsServer(p *platform, catalog bots.Catalog, turns turnUseCases) rest.Server {
	threads, endpoints := postgres.NewThreads(p.db), postgres.NewEndpoints(p.db)
	secrets := signatures.Keys{Keys: p.keys, Now: p.now}
	return rest.Server{
		Create:         usecases.CreateThread{Threads: threads, Bots: botsadapter.Bots{Catalog: catalog}, Now: p.now},
		Change:         usecases.ChangeThread{Threads: threads},
		Rate:           usecases.RateMessage{Opinions: threads, Now: p.now},
		Take:           turns.take,
		Retry:          turns.retry,
		Cancel:         turns.cancel,
		Follow:         turns.follow,
		Views:          turns.views,
		Threads:        threads,
		CreateEndpoint: usecases.CreateEndpoint{Endpoints: endpoints, Keys: secrets, Now: p.now},
		ChangeEndpoint: usecases.ChangeEndpoint{Endpoints: endpoints, Keys: secrets},
		Receive: usecases.ReceiveEvent{
			Inbox: newInbox(p), Keys: secrets, Marks: p.marks, Refusals: newInbox(p),
			Limits: gateway.SessionLimiter{Limiter: p.limiter, Limit: p.limits.General},
		},
		Endpoints:     endpoints,
		Adopter:       endpoints,
		Channels:      postgres.NewChannels(p.db),
		Subscriptions: p.subscriptions(),
		Commands:      p.commands,
		Access:        p.access,
		Cursors:       cursorKey(p),
	}
}

// giveUpAnswers returns the function that runs when the job for an answer to an inbound webhook is given up.
func giveUpAnswers(p *platform) func(context.Context, queue.WholeLetter) error {
	return func(ctx context.Context, l queue.WholeLetter) error {
		if l.Kind != postgres.AnswerKind {
			return nil
		}
		return newInbox(p).GivenUp(ctx, l.Payload)
	}
}

func newInbox(p *platform) postgres.Inbox {
	return postgres.Inbox{DB: p.db, Queue: p.jobs, Audit: p.audit, Limits: p.meter.Limits, Now: p.now}
}
