package app

import (
	"context"
	"errors"
	"net/http"
	"time"

	conversationsadapter "github.com/parley/parley/modules/channels/adapters/conversations"
	"github.com/parley/parley/modules/channels/adapters/postgres"
	"github.com/parley/parley/modules/channels/adapters/signatures"
	"github.com/parley/parley/modules/channels/entrypoints/jobs"
	"github.com/parley/parley/modules/channels/entrypoints/rest"
	"github.com/parley/parley/modules/channels/usecases"
	"github.com/parley/parley/modules/conversations"
	"github.com/parley/parley/platform/data/dedupe"
	postgresdb "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/contract"
	"github.com/parley/parley/platform/request/gateway"
	"github.com/parley/parley/platform/request/page"
	"github.com/parley/parley/platform/work/background"
	queue "github.com/parley/parley/platform/work/jobs"
	"github.com/parley/parley/platform/work/outbound"
	"github.com/parley/parley/platform/work/webhook"
)

// answerTimeSlack is how much longer than its model a job that answers a message may take.
const answerTimeSlack = 30 * time.Second

// channelsOptions are the options of newChannels.
type channelsOptions struct {
	db           *postgresdb.DB
	audit        *audit.Log
	jobs         *queue.Queue
	quota        *usage.Quota
	events       *outbound.Publisher
	keys         webhook.Keys
	marks        dedupe.Marks
	limits       gateway.SessionLimiter // of what an endpoint receives
	contract     *contract.Contract
	targets      webhook.Targets // of subscriptions
	answers      conversations.Answers
	modelTimeout time.Duration
	commands     *command.Pipeline
	cursors      page.Key
}

// newChannels wires the module channels: webhooks in and out, and the job that answers received messages.
func newChannels(o channelsOptions) (module, error) {
	schema := o.contract.Find(http.MethodPost, "/v1/webhooks/:endpoint_id")
	if schema == nil {
		return module{}, errors.New("the OpenAPI document has no call that receives webhooks")
	}
	endpoints, secrets := postgres.NewEndpoints(o.db), signatures.Keys{Keys: o.keys, Now: now}
	inbox := newInbox(o.db, o.jobs, o.audit, o.quota.Limits)
	subscriptions, sent := postgres.Subscriptions{DB: o.db, Quota: o.quota}, postgres.Sent{DB: o.db}
	deliveries := postgres.Deliveries{DB: o.db, Publisher: o.events}
	checkURL := func(raw string) error { return webhook.CheckURL(raw, o.targets) }
	messages := conversationsadapter.Conversations{Answers: o.answers}
	answer := jobs.AnswerMessage{
		Answer:  usecases.AnswerEvent{Inbox: inbox, Conversations: messages, Now: now},
		Timeout: o.modelTimeout + answerTimeSlack,
	}
	return module{
		mount: rest.Server{
			CreateEndpoint: usecases.CreateEndpoint{Endpoints: endpoints, Keys: secrets, Now: now},
			ChangeEndpoint: usecases.ChangeEndpoint{Endpoints: endpoints, Keys: secrets},
			Receive: usecases.ReceiveEvent{
				Inbox: inbox, Keys: secrets, Schema: schema, Marks: o.marks, Conversations: messages, Limits: o.limits,
			},
			Endpoints: endpoints,
			Received:  postgres.NewReceived(o.db),

			CreateSubscription: usecases.CreateSubscription{Subscriptions: subscriptions, Keys: secrets, CheckURL: checkURL, Now: now},
			ChangeSubscription: usecases.ChangeSubscription{Subscriptions: subscriptions, Keys: secrets, CheckURL: checkURL},
			DeleteSubscription: usecases.DeleteSubscription{Subscriptions: subscriptions, Deliveries: deliveries},
			AdoptSubscription:  usecases.AdoptSubscription{Subscriptions: subscriptions, Deliveries: deliveries},
			PingSubscription:   usecases.PingSubscription{Sent: sent, Deliveries: deliveries},
			Deliveries:         deliveries,
			Sent:               sent,

			Commands: o.commands,
			Cursors:  o.cursors,
		}.Mount,
		handlers:     []jobHandler{func(r *queue.Registry) error { return answer.Register(r, postgres.AnswerKind) }},
		tasks:        []background.Task{postgres.Expiry(o.db)},
		onDeadLetter: []deadLetterHook{giveUpAnswers(inbox)},
	}, nil
}

// giveUpAnswers returns the hook for a job that was to answer an inbound webhook.
func giveUpAnswers(inbox postgres.Inbox) deadLetterHook {
	return func(ctx context.Context, l queue.DeadLetterDetail) error {
		if l.Kind != postgres.AnswerKind {
			return nil
		}
		return inbox.GivenUp(ctx, l.Payload)
	}
}

func newInbox(db *postgresdb.DB, list *queue.Queue, entries *audit.Log, limits usage.Limits) postgres.Inbox {
	return postgres.Inbox{DB: db, Queue: list, Audit: entries, Limits: limits}
}

// webhookTargets returns which addresses webhooks may be delivered to.
func webhookTargets(cfg *config.Config) webhook.Targets {
	if !cfg.WebhookPrivate && cfg.LocalDevelopment() {
		return webhook.LoopbackTargets
	}
	return modelTargets(cfg)
}

// modelTargets returns which addresses the model servers of workspaces may have.
func modelTargets(cfg *config.Config) webhook.Targets {
	if cfg.WebhookPrivate {
		return webhook.AnyTargets
	}
	return webhook.PublicTargets
}
