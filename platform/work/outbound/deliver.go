package outbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/platformdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/jobs"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

// How deliveries are tried.
const (
	attempts    = 20                 // about two days and a half, on average
	giveUpAfter = 5 * 24 * time.Hour // a target whose attempts fail for so long, without a pause, is not asked any more
	maxPause    = 36 * time.Hour     // between two of these attempts: longer than a delivery waits, also where the target says how long
	minFailures = 10                 // minutes with one of them
	maxWait     = 12 * time.Hour     // between two attempts
	firstWait   = 10 * time.Second   // at the most, after the first failure; it doubles
	jobTimeout  = 45 * time.Second   // for an attempt and for writing down what came of it
	quickRetry  = 250 * time.Millisecond

	recordTimeout = 5 * time.Second // for storing an attempt that was ended
)

// Deliverer is the handler of deliveries.
type Deliverer struct {
	DB     *postgres.DB
	Keys   webhook.Keys
	Client *http.Client      // that of webhook.NewClient
	Guard  *resilience.Group // a target each subscription
	Audit  *audit.Log
	Now    func() time.Time
}

// Register registers the Deliverer as the handler of its jobs.
func (d *Deliverer) Register(r *jobs.Registry) error {
	return jobs.Register(r, Kind, jobs.KindOptions{
		Pool: Pool, Timeout: jobTimeout, MaxAttempts: attempts, Backoff: jobs.Backoff{Base: firstWait, Cap: maxWait},
	}, d.Do)
}

// Do makes one attempt at a delivery.
func (d *Deliverer) Do(ctx context.Context, job jobs.Job[payload]) error {
	workspace := callctx.From(ctx).Principal.WorkspaceID
	to, err := platformdb.New(d.DB.In(ctx)).GetDeliveryToSend(ctx, platformdb.GetDeliveryToSendParams{WorkspaceID: workspace, ID: job.Payload.DeliveryID})
	switch {
	case postgres.IsMissing(err):
		return jobs.Permanent(errors.New("the delivery is no longer kept"))
	case err != nil:
		return fmt.Errorf("read the delivery: %w", err)
	case to.Status == delivered:
		return nil
	case to.Deleted && to.EventType != Ping:
		return d.DB.Write(ctx, func(ctx context.Context) error {
			return errors.Join(end(ctx, platformdb.New(d.DB.In(ctx)), to.ID, failed), job.Finish(ctx))
		})
	case !to.Active && to.EventType != Ping:
		return jobs.Permanent(errDisabled)
	case to.HeldAt != nil && to.EventType != Ping:
		return d.hold(to.CreatedAt, *to.HeldAt)
	}
	at := d.Now()
	result, err := d.send(ctx, to)
	if refused, ok := resilience.IsRefused(err); ok { // nobody was asked
		return jobs.NotYet("the target has failed too often just now", refused+quickRetry)
	}
	if errors.Is(context.Cause(ctx), jobs.ErrNoSlowSlot) {
		return d.recordEnded(context.WithoutCancel(ctx), to, at, result)
	}
	if err := d.record(ctx, job, to, at, result, err); err != nil {
		return fmt.Errorf("write down the attempt: %w", err)
	}
	switch {
	case err == nil || to.EventType == Ping:
		return nil
	case d.gone(to, result):
		return jobs.Permanent(fmt.Errorf("%w: %w", errDisabled, err))
	default:
		return jobs.RetryAfter(err, result.RetryAfter)
	}
}

// errDisabled is why deliveries of a subscription that is disabled are dead letters.
var errDisabled = fail.OfTenant(errors.New("the webhook subscription is disabled: enable it, then retry this dead letter"))

// send sends the delivery to the target.
func (d *Deliverer) send(ctx context.Context, to platformdb.GetDeliveryToSendRow) (result webhook.Result, err error) {
	var ring webhook.Keyring
	if err := json.Unmarshal(to.Secrets, &ring); err != nil {
		return result, fmt.Errorf("read the secrets of the subscription: %w", err)
	}
	secrets, err := d.Keys.Open(ring, to.SubscriptionID, d.Now())
	if err != nil {
		return result, fmt.Errorf("open the secrets of the subscription: %w", err)
	}
	body := []byte(to.Body)
	header, err := webhook.Sign(secrets, to.ID.String(), d.Now(), body)
	if err != nil {
		return result, err
	}
	err = d.Guard.Do(ctx, to.SubscriptionID.String(), func(ctx context.Context) error {
		var err error
		result, err = webhook.Deliver(ctx, d.Client, to.URL, header, body)
		if err != nil && result.Status != 0 && result.Status < http.StatusInternalServerError {
			return resilience.Answered(err) // it is there, and does not want this
		}
		return err
	})
	return result, fail.OfTenant(err) // whose server it is
}

// gone reports whether a subscription is to be disabled: its target answered 410 Gone, or it has failed for
// giveUpAfter. Time without an attempt does not count.
func (d *Deliverer) gone(to platformdb.GetDeliveryToSendRow, r webhook.Result) bool {
	if r.Status == http.StatusGone {
		return true
	}
	return to.FailingSince != nil && to.LastFailedAt != nil && to.Failures >= minFailures &&
		d.Now().Sub(*to.FailingSince) > giveUpAfter && d.Now().Sub(*to.LastFailedAt) <= maxPause
}

// recordEnded stores an attempt that was canceled because its target is slow and no slot for slow targets was free, and
// returns the reason as an error. It is not a failure of the target, and the job does not count it as a failure.
func (d *Deliverer) recordEnded(ctx context.Context, to platformdb.GetDeliveryToSendRow, at time.Time, r webhook.Result) error {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	ended := errors.New("it did not answer soon, and no slot for slow targets was free: it is tried again when one is")
	err := d.DB.Write(ctx, func(ctx context.Context) error {
		return platformdb.New(d.DB.In(ctx)).RecordAttempt(ctx, newAttempt(ctx, to, at, r, ended))
	})
	if err != nil {
		return fmt.Errorf("record the attempt that was ended: %w", err)
	}
	return ended
}

// newAttempt makes the row of an attempt; cause is nil where the target took the delivery.
func newAttempt(ctx context.Context, to platformdb.GetDeliveryToSendRow, at time.Time, r webhook.Result, cause error) platformdb.RecordAttemptParams {
	attempt := platformdb.RecordAttemptParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, DeliveryID: to.ID, At: at,
		LatencyMs: int32(r.Latency.Milliseconds()), Response: r.Response,
	}
	if r.Status != 0 {
		status := int32(r.Status)
		attempt.Status = &status
	}
	if cause != nil {
		text := cause.Error()
		attempt.Error = &text
	}
	return attempt
}

// record stores the result of an attempt. It also ends the job if the target accepted the delivery or the delivery is a
// ping, which is not repeated. A job whose subscription is disabled here has to become a dead letter.
func (d *Deliverer) record(ctx context.Context, job jobs.Job[payload], to platformdb.GetDeliveryToSendRow, at time.Time, r webhook.Result, cause error) error {
	workspace := callctx.From(ctx).Principal.WorkspaceID
	attempt := newAttempt(ctx, to, at, r, cause)
	return d.DB.Write(ctx, func(ctx context.Context) error {
		q := platformdb.New(d.DB.In(ctx))
		err := q.RecordAttempt(ctx, attempt)
		if err != nil {
			return err
		}
		switch {
		case cause == nil:
			return errors.Join(
				end(ctx, q, to.ID, delivered),
				q.SubscriptionWorks(ctx, platformdb.SubscriptionWorksParams{WorkspaceID: workspace, ID: to.SubscriptionID}),
				job.Finish(ctx),
			)
		case d.gone(to, r):
			err = d.disable(ctx, to.SubscriptionID, r)
		case to.EventType != Ping:
			err = q.SubscriptionFails(ctx, platformdb.SubscriptionFailsParams{
				WorkspaceID: workspace, ID: to.SubscriptionID, MaxPauseSeconds: maxPause.Seconds(),
			})
		}
		if err == nil && to.EventType == Ping {
			err = errors.Join(end(ctx, q, to.ID, failed), job.Finish(ctx))
		}
		return err
	})
}

// disable disables a subscription, and records that in the audit log.
func (d *Deliverer) disable(ctx context.Context, subscription uuid.UUID, r webhook.Result) error {
	reason := fmt.Sprintf("the target has failed for more than %d days", int(giveUpAfter.Hours()/24))
	if r.Status == http.StatusGone {
		reason = "the target answered 410 Gone"
	}
	_, err := platformdb.New(d.DB.In(ctx)).GiveUpSubscription(ctx, platformdb.GiveUpSubscriptionParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, ID: subscription, Reason: &reason,
	})
	if postgres.IsMissing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("disable the subscription: %w", err)
	}
	return d.Audit.Record(ctx, audit.Entry{
		Action: "webhook_subscription.disable", Resource: "webhook_subscription", ResourceID: subscription,
		Changes: map[string]any{"reason": reason},
	})
}
