package channels

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/work/webhook"
)

func TestEverySubscriberIsToldOfWhatItWants(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada, eve := p.Register(t), p.Register(t)
	all, some, foreign := harness.NewReceiver(t), harness.NewReceiver(t), harness.NewReceiver(t)
	every := ada.Subscribe(t, all.URL, "turn.completed", "bot.updated", "dead_letter.created")
	ada.Subscribe(t, some.URL, "bot.updated")
	eve.Subscribe(t, foreign.URL, "turn.completed", "bot.updated", "dead_letter.created")

	bot, op := ada.NewBot(t), uuid.NewString()
	ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be kind."}, harness.Operation(op))
	ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be kind."}, harness.Operation(op))
	require.Equal(t, map[string]any{"bot_id": bot, "name": "Support", "status": "draft", "current_version": 2.0, "published_version": 2.0}, some.WaitFor(t, 1)[0].Event.Data)
	turn := ada.Post(t, "/v1/conversations/threads/"+ada.Thread(t, bot)+"/turn", map[string]any{"content": "Hi"})
	harness.Job(t, harness.Postgres.Superuser(t, p.Database), ada.Workspace, "nobody's")

	events := map[string]map[string]any{}
	for _, d := range all.WaitFor(t, 3) {
		_, err := webhook.Verify([]string{every.Secret}, d.Header, d.Body, time.Now())
		require.NoError(t, err)
		events[d.Event.Type] = d.Event.Data
	}
	require.Equal(t, bot, events["bot.updated"]["bot_id"])
	require.Equal(t, turn.Text("turn_id"), events["turn.completed"]["turn_id"])
	require.Equal(t, turn.Header.Get("X-Operation-Id"), events["turn.completed"]["operation_id"])
	require.Nil(t, events["turn.completed"]["channel"])
	require.Equal(t, "nobody's", events["dead_letter.created"]["kind"])
	deadLetter := ada.Get(t, "/v1/dead-letters").Items()[0]
	require.Equal(t, deadLetter["id"], events["dead_letter.created"]["dead_letter_id"])
	require.Equal(t, deadLetter["last_error"], events["dead_letter.created"]["last_error"])
	require.Len(t, ada.Get(t, "/v1/webhook-deliveries").Items(), 4)
	require.Len(t, ada.Get(t, "/v1/webhook-deliveries?subscription_id="+every.ID).Items(), 3)
	require.Len(t, some.All(), 1)
	require.Empty(t, foreign.All())
}

func TestADeliveryThatIsRefusedIsTriedAgainUnderItsID(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada, target := p.Register(t), harness.NewReceiver(t)
	target.Answers(http.StatusInternalServerError)
	sub := ada.Subscribe(t, target.URL, "bot.updated")
	ada.Put(t, "/v1/bots/"+ada.NewBot(t)+"/instruction", map[string]any{"instruction": "Be kind."})
	first := target.WaitFor(t, 1)[0]
	path := "/v1/webhook-deliveries/" + first.ID
	require.Eventually(t, func() bool { return ada.Get(t, path).At("attempts") == 1.0 }, time.Minute, 20*time.Millisecond)
	require.NotNil(t, ada.Get(t, "/v1/webhook-subscriptions/"+sub.ID).At("failing_since"))

	target.Answers(http.StatusNoContent)
	a := ada.Post(t, path+"/retry", nil) // by hand, as the pause may be long
	require.Equal(t, http.StatusAccepted, a.Status, a)
	whole := ada.WaitUntil(t, path, "status", "delivered")
	require.Nil(t, ada.Get(t, "/v1/webhook-subscriptions/"+sub.ID).At("failing_since"))
	log := whole.At("log").([]any)
	require.Len(t, log, 2)
	require.Equal(t, []any{2.0, 204.0, nil}, []any{log[0].(map[string]any)["number"], log[0].(map[string]any)["status"], log[0].(map[string]any)["error"]})
	require.Equal(t, []any{1.0, 500.0, "it answered 500"}, []any{log[1].(map[string]any)["number"], log[1].(map[string]any)["status"], log[1].(map[string]any)["error"]})
	got := target.All()
	require.Equal(t, []string{first.ID, first.ID}, []string{got[0].ID, got[1].ID})
	require.Equal(t, got[0].Body, got[1].Body)

	require.Equal(t, http.StatusAccepted, ada.Post(t, path+"/retry", nil).Status, "also what was delivered")
	target.WaitFor(t, 3)
	ada.WaitUntil(t, path, "status", "delivered")
}

func TestATargetThatIsGoneIsDisabled(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, append([]string{"METRICS_ADDR=127.0.0.1:0"}, harness.FastJobs...)...)
	ada, target := p.Register(t), harness.NewReceiver(t)
	super := harness.Postgres.Superuser(t, p.Database)
	sub := ada.Subscribe(t, target.URL, "bot.updated")
	path, bot := "/v1/webhook-subscriptions/"+sub.ID, ada.NewBot(t)
	update := func() { ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be kind."}) }
	enable := func() {
		require.Nil(t, ada.Call(t, http.MethodPatch, path, map[string]any{"status": "active"}).At("disabled_reason"))
	}

	target.Answers(http.StatusGone)
	update()
	require.Contains(t, ada.WaitUntil(t, path, "status", "disabled").Text("disabled_reason"), "410")
	ada.WaitUntil(t, "/v1/webhook-deliveries/"+target.All()[0].ID, "status", "failed")
	letters := ada.Get(t, "/v1/dead-letters").Items()
	require.Len(t, letters, 1, "what was not delivered is lost without a trace")
	require.Contains(t, letters[0]["last_error"], "disabled")
	require.Contains(t, letters[0]["last_error"], "410")
	update()
	require.Len(t, target.All(), 1, "a disabled subscription receives nothing")

	enable()
	target.Answers(http.StatusInternalServerError)
	update()
	target.WaitFor(t, 2)
	require.Eventually(t, func() bool { return ada.Get(t, path).At("failing_since") != nil }, time.Minute, 20*time.Millisecond)
	_, err := super.Exec(t.Context(), `UPDATE webhook_subscriptions SET failing_since = now() - interval '5 days 1 hour', failures = 10`)
	require.NoError(t, err)
	_, err = super.Exec(t.Context(), `UPDATE job_queue SET run_at = now() WHERE status = 'queued'`)
	require.NoError(t, err)
	require.Contains(t, ada.WaitUntil(t, path, "status", "disabled").Text("disabled_reason"), "5 days")
	var audited int
	require.NoError(t, super.QueryRow(t.Context(), `SELECT count(*) FROM audit_log WHERE action = 'webhook_subscription.disable' AND resource_id = $1`, sub.ID).Scan(&audited))
	require.Equal(t, 2, audited)
	ada.WaitUntil(t, "/v1/webhook-deliveries/"+target.All()[1].ID, "status", "failed")
	require.Len(t, ada.Get(t, "/v1/dead-letters").Items(), 2)
	for _, line := range p.Log.Lines(t) {
		require.NotEqual(t, "ERROR", line["level"], "a tenant's server alerts the operator: %v", line)
	}
	require.Contains(t, p.Metrics(t), `parley_dead_letters_total{concerns="tenant"} 2`)

	enable()
	target.Answers(http.StatusOK)
	require.Equal(t, http.StatusOK, ada.Post(t, "/v1/dead-letters/retry", map[string]any{}).Status)
	for _, d := range target.All() {
		ada.WaitUntil(t, "/v1/webhook-deliveries/"+d.ID, "status", "delivered")
	}
	require.Nil(t, ada.Get(t, path).At("failing_since"))
	disabled := ada.Call(t, http.MethodPatch, path, map[string]any{"status": "disabled"})
	require.Equal(t, "disabled", disabled.Text("status"), disabled)
	ping := ada.Post(t, path+"/ping", nil)
	require.Equal(t, http.StatusAccepted, ping.Status, ping)
	ada.WaitUntil(t, "/v1/webhook-deliveries/"+ping.Text("id"), "status", "delivered")
	target.Answers(http.StatusTeapot)
	ping = ada.Post(t, path+"/ping", nil)
	require.Equal(t, "failed", ada.WaitUntil(t, "/v1/webhook-deliveries/"+ping.Text("id"), "status", "failed").Text("status"), "one attempt, no more")
}

func TestTheDeathOfADeliveryThatToldOfADeathIsNotToldOf(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada, target := p.Register(t), harness.NewReceiver(t)
	super := harness.Postgres.Superuser(t, p.Database)
	target.Answers(http.StatusInternalServerError)
	ada.Subscribe(t, target.URL, "dead_letter.created")
	harness.Job(t, super, ada.Workspace, "nobody's")
	id := target.WaitFor(t, 1)[0].ID
	path := "/v1/webhook-deliveries/" + id
	require.Eventually(t, func() bool { // its last attempt but one has been
		tag, err := super.Exec(t.Context(), `UPDATE job_queue SET failures = max_attempts - 1, run_at = now() WHERE kind = 'webhook.deliver' AND status = 'queued' AND failures > 0`)
		return err == nil && tag.RowsAffected() == 1
	}, time.Minute, 10*time.Millisecond)
	ada.WaitUntil(t, path, "status", "failed")
	require.Len(t, ada.Get(t, "/v1/dead-letters").Items(), 2)
	require.Len(t, ada.Get(t, "/v1/webhook-deliveries").Items(), 1, "that would go on for ever")

	target.Answers(http.StatusOK)
	letters := ada.Get(t, "/v1/dead-letters?kind=webhook.deliver").Items()
	require.Equal(t, http.StatusOK, ada.Post(t, "/v1/dead-letters/"+letters[0]["id"].(string)+"/retry", nil).Status)
	ada.WaitUntil(t, path, "status", "delivered")

	_, err := super.Exec(t.Context(), `UPDATE webhook_deliveries SET created_at = now() - interval '31 days', finished_at = now() - interval '31 days'`)
	require.NoError(t, err)
	removed := 0
	require.NoError(t, super.QueryRow(t.Context(), `SELECT app.expire_webhooks(1000)`).Scan(&removed))
	require.Equal(t, 1, removed)
	harness.RequireCode(t, ada.Get(t, path), http.StatusNotFound, "NOT_FOUND")
	left := -1
	require.NoError(t, super.QueryRow(t.Context(), `SELECT count(*) FROM webhook_attempts`).Scan(&left))
	require.Zero(t, left, "its attempts go with it")
}

func TestNoURLLeadsIntoOurNetwork(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "JOB_POLL_INTERVAL=20ms", "APP_ENV=production", "JWT_SECRET="+strings.Repeat("s", 32))
	ada, target := p.Register(t), harness.NewReceiver(t)
	for _, url := range []string{
		target.URL, "http://localhost:9/", "http://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://10.1.2.3/", "https://169.254.169.254/latest/meta-data",
		"https://localhost/", "https://0x7f.1/", "https://2130706433/", "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/",
		"https://user:pass@example.com/", "ftp://example.com/", "example.com", "https://", "https://example.com/#x",
	} {
		harness.RequireWrong(t, ada.Post(t, "/v1/webhook-subscriptions", map[string]any{"url": url, "events": []string{"bot.updated"}}), "url")
	}
	sub := ada.Subscribe(t, "https://example.com/", "bot.updated")
	harness.RequireWrong(t, ada.Call(t, http.MethodPatch, "/v1/webhook-subscriptions/"+sub.ID, map[string]any{"url": "https://10.0.0.1/"}), "url")
	_, err := harness.Postgres.Superuser(t, p.Database).Exec(t.Context(), `UPDATE webhook_subscriptions SET url = $1`, target.URL) // as a name would that leads there
	require.NoError(t, err)
	ping := ada.Post(t, "/v1/webhook-subscriptions/"+sub.ID+"/ping", nil)
	log := ada.WaitUntil(t, "/v1/webhook-deliveries/"+ping.Text("id"), "status", "failed").At("log").([]any)
	require.Equal(t, "the address is not public", log[0].(map[string]any)["error"])
	require.Empty(t, target.All())
}

func TestADeliveryIsReadWithTheAttemptsThatItsStateKnows(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "JOB_POLL_INTERVAL=20ms")
	ada, target := p.Register(t), harness.NewReceiver(t)
	ping := ada.Post(t, "/v1/webhook-subscriptions/"+ada.Subscribe(t, target.URL, "bot.updated").ID+"/ping", nil)
	delivery := "/v1/webhook-deliveries/" + ping.Text("id")
	require.Len(t, ada.WaitUntil(t, delivery, "status", "delivered").At("log"), 1)
	p.SQL(t, `UPDATE webhook_deliveries SET status = 'pending', finished_at = NULL, attempts = 0`) // as it was when the attempt was stored amid the read
	require.Empty(t, ada.Get(t, delivery).At("log"), "of a delivery that is under way, no attempt that ended it")
}

func TestWebhooksReachLoopbackAddressesInDevelopmentOnOneMachine(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "JOB_POLL_INTERVAL=20ms")
	ada, target := p.Register(t), harness.NewReceiver(t)
	sub := ada.Subscribe(t, target.URL, "bot.updated") // http://127.0.0.1
	ping := ada.Post(t, "/v1/webhook-subscriptions/"+sub.ID+"/ping", nil)
	ada.WaitUntil(t, "/v1/webhook-deliveries/"+ping.Text("id"), "status", "delivered")
	require.Len(t, target.All(), 1)
	for _, url := range []string{
		"http://10.1.2.3/", "https://10.1.2.3/", "http://192.168.1.1/", "http://169.254.169.254/latest/meta-data", "http://0.0.0.0/", "https://[fd12::1]/", "http://8.8.8.8/",
	} {
		harness.RequireWrong(t, ada.Post(t, "/v1/webhook-subscriptions", map[string]any{"url": url, "events": []string{"bot.updated"}}), "url")
	}
	for _, settings := range [][]string{{"HTTP_ADDR=0.0.0.0:0"}, {"HTTP_ADDR=:0"}, {"APP_ENV=production", "JWT_SECRET=" + strings.Repeat("s", 32)}} {
		eve := harness.Start(t, settings...).Register(t)
		harness.RequireWrong(t, eve.Post(t, "/v1/webhook-subscriptions", map[string]any{"url": target.URL, "events": []string{"bot.updated"}}), "url")
	}
}

func TestASubscriptionIsChangedRotatedAndEnded(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada, target := p.Register(t), harness.NewReceiver(t)
	sub := ada.Subscribe(t, target.URL, "bot.updated")
	path := "/v1/webhook-subscriptions/" + sub.ID
	newer := ada.Post(t, path+"/rotate-secret", nil).Text("secret")
	ping := ada.Post(t, path+"/ping", nil)
	ada.WaitUntil(t, "/v1/webhook-deliveries/"+ping.Text("id"), "status", "delivered")
	for _, secret := range []string{sub.Secret, newer} {
		_, err := webhook.Verify([]string{secret}, target.All()[0].Header, target.All()[0].Body, time.Now())
		require.NoError(t, err, "signed with both while the secret is rotated")
	}
	a := ada.Call(t, http.MethodPatch, path, map[string]any{"events": []string{"turn.failed"}, "url": target.URL + "/x"})
	require.Equal(t, []any{[]any{"turn.failed"}, target.URL + "/x"}, []any{a.At("events"), a.Text("url")})
	for field, body := range map[string]map[string]any{
		"events.0": {"url": "https://example.com/", "events": []string{"bot.deleted"}}, "events": {"url": "https://example.com/", "events": []string{}},
	} {
		harness.RequireWrong(t, ada.Post(t, "/v1/webhook-subscriptions", body), field)
	}
	harness.RequireCode(t, ada.Post(t, "/v1/webhook-subscriptions", map[string]any{
		"url": "https://example.com/", "events": []string{"bot.updated"}, "endpoint_id": uuid.NewString(),
	}), http.StatusNotFound, "NOT_FOUND")
	require.Equal(t, http.StatusNoContent, ada.Call(t, http.MethodDelete, path, nil).Status)
	harness.RequireCode(t, ada.Get(t, path), http.StatusNotFound, "NOT_FOUND")
	harness.RequireCode(t, ada.Post(t, path+"/ping", nil), http.StatusNotFound, "NOT_FOUND")
	require.Empty(t, ada.Get(t, "/v1/webhook-subscriptions").Items())
	require.Len(t, ada.Get(t, "/v1/webhook-deliveries").Items(), 1, "what was delivered can be looked at")
}

func TestAWorkspaceHasSoManySubscriptionsAndNoMore(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	create := func() harness.Answer {
		return ada.Post(t, "/v1/webhook-subscriptions", map[string]any{"url": "https://example.com/", "events": []string{"bot.updated"}})
	}
	created := map[int]int{}
	for _, a := range harness.AtOnce(30, create) {
		created[a.Status]++
	}
	require.Equal(t, map[int]int{http.StatusCreated: 20, http.StatusForbidden: 10}, created)
	full := create()
	harness.RequireCode(t, full, http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, map[string]any{"metric": "webhook_subscriptions", "limit": 20.0, "used": 20.0, "resets_at": nil}, full.Body["details"])
	require.InEpsilon(t, 20.0, ada.Used(t, usage.Subscriptions)["used"], 0)
	first := ada.Get(t, "/v1/webhook-subscriptions").Items()[0]["id"].(string)
	require.Equal(t, http.StatusNoContent, ada.Call(t, http.MethodDelete, "/v1/webhook-subscriptions/"+first, nil).Status)
	require.Equal(t, http.StatusCreated, create().Status)
	ada.Limit(t, usage.Subscriptions, 21)
	require.Equal(t, http.StatusCreated, create().Status)
	harness.RequireCode(t, create(), http.StatusForbidden, "LIMIT_REACHED")
	ada.Limit(t, usage.Subscriptions, 0)
	require.Equal(t, http.StatusCreated, create().Status)
	p.Register(t).Subscribe(t, "https://example.com/", "bot.updated")
}

// A failure after weeks in which nothing was tried is one failure: it disables nothing.
func TestTimeInWhichNothingIsTriedDisablesNoSubscription(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada, target := p.Register(t), harness.NewReceiver(t)
	super := harness.Postgres.Superuser(t, p.Database)
	target.Answers(http.StatusInternalServerError)
	sub, bot := ada.Subscribe(t, target.URL, "bot.updated"), ada.NewBot(t)
	path := "/v1/webhook-subscriptions/" + sub.ID
	failures := func() (n int) {
		require.NoError(t, super.QueryRow(t.Context(), `SELECT failures FROM webhook_subscriptions WHERE id = $1`, sub.ID).Scan(&n))
		return n
	}
	for name, before := range map[string]string{
		"one failure weeks ago":               `failing_since = now() - interval '21 days', last_failed_at = now() - interval '21 days', failures = 1`,
		"many failures, then a pause":         `failing_since = now() - interval '21 days', last_failed_at = now() - interval '37 hours', failures = 500`,
		"counted by the release before":       `failing_since = now() - interval '21 days', last_failed_at = NULL, failures = 0`,
		"many failures, but not for so long":  `failing_since = now() - interval '4 days', last_failed_at = now() - interval '1 hour', failures = 500`,
		"few failures, far from one another":  `failing_since = now() - interval '6 days', last_failed_at = now() - interval '20 hours', failures = 5`,
		"a pause, then failures of some time": `failing_since = now() - interval '2 days', last_failed_at = now() - interval '2 hours', failures = 40`,
	} {
		_, err := super.Exec(t.Context(), `UPDATE webhook_subscriptions SET `+before)
		require.NoError(t, err)
		asked := len(target.All())
		ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be kind."})
		id := target.WaitFor(t, asked+1)[asked].ID
		require.Eventually(t, func() bool { return ada.Get(t, "/v1/webhook-deliveries/"+id).At("attempts") == 1.0 }, time.Minute, 20*time.Millisecond)
		require.Equal(t, "active", ada.Get(t, path).Text("status"), name)
		require.NotNil(t, ada.Get(t, path).At("failing_since"), name)
		_, err = super.Exec(t.Context(), `DELETE FROM job_queue WHERE status = 'queued'`) // no further attempt
		require.NoError(t, err)
	}
	_, err := super.Exec(t.Context(), `UPDATE webhook_subscriptions SET failing_since = now() - interval '21 days', last_failed_at = now() - interval '37 hours', failures = 500`)
	require.NoError(t, err)
	asked := len(target.All())
	ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be kind."})
	target.WaitFor(t, asked+1)
	require.Eventually(t, func() bool { return failures() == 1 }, time.Minute, 20*time.Millisecond, "the time and the count begin anew")
	since, err := time.Parse(time.RFC3339, ada.Get(t, path).Text("failing_since"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), since, time.Minute)
}

// What is on its way when somebody disables a subscription is not lost, and not sent; of a deleted one nothing is left to do.
func TestWhatIsDueWhileASubscriptionIsDisabledBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada, target := p.Register(t), harness.NewReceiver(t)
	super := harness.Postgres.Superuser(t, p.Database)
	target.Answers(http.StatusInternalServerError)
	sub, bot := ada.Subscribe(t, target.URL, "bot.updated"), ada.NewBot(t)
	path := "/v1/webhook-subscriptions/" + sub.ID
	ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be kind."})
	delivery := "/v1/webhook-deliveries/" + target.WaitFor(t, 1)[0].ID
	require.Eventually(t, func() bool { return ada.Get(t, delivery).At("attempts") == 1.0 }, time.Minute, 20*time.Millisecond)
	due := func() {
		t.Helper()
		require.Eventually(t, func() bool {
			tag, err := super.Exec(t.Context(), `UPDATE job_queue SET run_at = now() WHERE kind = 'webhook.deliver' AND status = 'queued'`)
			return err == nil && tag.RowsAffected() == 1
		}, time.Minute, 20*time.Millisecond)
	}
	require.Equal(t, http.StatusOK, ada.Call(t, http.MethodPatch, path, map[string]any{"status": "disabled"}).Status)
	asked := len(target.All())
	due()
	ada.WaitUntil(t, delivery, "status", "failed")
	require.Len(t, target.All(), asked, "a disabled subscription was asked")
	deadLetter := ada.Get(t, "/v1/dead-letters").Items()[0]
	require.Contains(t, deadLetter["last_error"], "the webhook subscription is disabled")

	require.Equal(t, http.StatusOK, ada.Call(t, http.MethodPatch, path, map[string]any{"status": "active"}).Status)
	require.Equal(t, http.StatusOK, ada.Post(t, "/v1/dead-letters/"+deadLetter["id"].(string)+"/retry", nil).Status)
	target.WaitFor(t, asked+1)
	require.Empty(t, ada.Get(t, "/v1/dead-letters").Items())
	require.Equal(t, http.StatusNoContent, ada.Call(t, http.MethodDelete, path, nil).Status)
	require.Eventually(t, func() bool {
		var left int
		return super.QueryRow(t.Context(), `SELECT count(*) FROM job_queue WHERE kind = 'webhook.deliver' AND status <> 'done'`).Scan(&left) == nil && left == 0
	}, time.Minute, 20*time.Millisecond)
	require.Empty(t, ada.Get(t, "/v1/dead-letters").Items(), "of a subscription that was deleted")
}
