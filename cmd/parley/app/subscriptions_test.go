package app

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/usage"
	"github.com/parley/parley/platform/webhook"
)

func TestEverySubscriberIsToldOfWhatItWants(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada, eve := p.register(t), p.register(t)
	all, some, foreign := newReceiver(t), newReceiver(t), newReceiver(t)
	every := ada.subscribe(t, all.URL, "turn.completed", "bot.updated", "dead_letter.created")
	ada.subscribe(t, some.URL, "bot.updated")
	eve.subscribe(t, foreign.URL, "turn.completed", "bot.updated", "dead_letter.created")

	bot, op := ada.newBot(t), uuid.NewString()
	ada.put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be kind."}, operation(op))
	ada.put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be kind."}, operation(op))
	require.Equal(t, map[string]any{"bot_id": bot, "name": "Support", "status": "draft", "current_version": 2.0, "published_version": 2.0}, some.waitFor(t, 1)[0].Event.Data)
	turn := ada.post(t, "/v1/conversations/threads/"+ada.thread(t, bot)+"/turn", map[string]any{"content": "Hi"})
	job(t, pg.Superuser(t, p.database), ada.workspace, "nobody's")

	told := map[string]map[string]any{}
	for _, d := range all.waitFor(t, 3) {
		_, err := webhook.Verify([]string{every.secret}, d.Header, d.Body, time.Now())
		require.NoError(t, err)
		told[d.Event.Type] = d.Event.Data
	}
	require.Equal(t, bot, told["bot.updated"]["bot_id"])
	require.Equal(t, turn.text("turn_id"), told["turn.completed"]["turn_id"])
	require.Equal(t, turn.Header.Get("X-Operation-Id"), told["turn.completed"]["operation_id"])
	require.Nil(t, told["turn.completed"]["channel"])
	require.Equal(t, "nobody's", told["dead_letter.created"]["kind"])
	letter := ada.get(t, "/v1/dead-letters").items()[0]
	require.Equal(t, letter["id"], told["dead_letter.created"]["dead_letter_id"])
	require.Equal(t, letter["last_error"], told["dead_letter.created"]["last_error"])
	require.Len(t, ada.get(t, "/v1/webhook-deliveries").items(), 4)
	require.Len(t, ada.get(t, "/v1/webhook-deliveries?subscription_id="+every.id).items(), 3)
	require.Len(t, some.all(), 1)
	require.Empty(t, foreign.all())
}

func TestADeliveryThatIsRefusedIsTriedAgainUnderItsID(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada, target := p.register(t), newReceiver(t)
	target.answers(http.StatusInternalServerError)
	sub := ada.subscribe(t, target.URL, "bot.updated")
	ada.put(t, "/v1/bots/"+ada.newBot(t)+"/instruction", map[string]any{"instruction": "Be kind."})
	first := target.waitFor(t, 1)[0]
	path := "/v1/webhook-deliveries/" + first.ID
	require.Eventually(t, func() bool { return ada.get(t, path).at("attempts") == 1.0 }, 10*time.Second, 20*time.Millisecond)
	require.NotNil(t, ada.get(t, "/v1/webhook-subscriptions/"+sub.id).at("failing_since"))

	target.answers(http.StatusNoContent)
	a := ada.post(t, path+"/retry", nil) // by hand, as the pause may be long
	require.Equal(t, http.StatusAccepted, a.Status, a)
	whole := ada.waitUntil(t, path, "status", "delivered")
	require.Nil(t, ada.get(t, "/v1/webhook-subscriptions/"+sub.id).at("failing_since"))
	log := whole.at("log").([]any)
	require.Len(t, log, 2)
	require.Equal(t, []any{2.0, 204.0, nil}, []any{log[0].(map[string]any)["number"], log[0].(map[string]any)["status"], log[0].(map[string]any)["error"]})
	require.Equal(t, []any{1.0, 500.0, "it answered 500"}, []any{log[1].(map[string]any)["number"], log[1].(map[string]any)["status"], log[1].(map[string]any)["error"]})
	got := target.all()
	require.Equal(t, []string{first.ID, first.ID}, []string{got[0].ID, got[1].ID})
	require.Equal(t, got[0].Body, got[1].Body)

	require.Equal(t, http.StatusAccepted, ada.post(t, path+"/retry", nil).Status, "also what was delivered")
	target.waitFor(t, 3)
	ada.waitUntil(t, path, "status", "delivered")
}

func TestATargetThatIsGoneIsDisabled(t *testing.T) {
	t.Parallel()
	p := start(t, append([]string{"METRICS_ADDR=127.0.0.1:0"}, fastJobs...)...)
	ada, target := p.register(t), newReceiver(t)
	super := pg.Superuser(t, p.database)
	sub := ada.subscribe(t, target.URL, "bot.updated")
	path, bot := "/v1/webhook-subscriptions/"+sub.id, ada.newBot(t)
	update := func() { ada.put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be kind."}) }
	enable := func() {
		require.Nil(t, ada.call(t, http.MethodPatch, path, map[string]any{"status": "active"}).at("disabled_reason"))
	}

	target.answers(http.StatusGone)
	update()
	require.Contains(t, ada.waitUntil(t, path, "status", "disabled").text("disabled_reason"), "410")
	ada.waitUntil(t, "/v1/webhook-deliveries/"+target.all()[0].ID, "status", "failed")
	letters := ada.get(t, "/v1/dead-letters").items()
	require.Len(t, letters, 1, "what was not delivered is lost without a trace")
	require.Contains(t, letters[0]["last_error"], "disabled")
	require.Contains(t, letters[0]["last_error"], "410")
	update()
	require.Len(t, target.all(), 1, "a disabled subscription is told nothing")

	enable()
	target.answers(http.StatusInternalServerError)
	update()
	target.waitFor(t, 2)
	require.Eventually(t, func() bool { return ada.get(t, path).at("failing_since") != nil }, 10*time.Second, 20*time.Millisecond)
	_, err := super.Exec(t.Context(), `UPDATE webhook_subscriptions SET failing_since = now() - interval '5 days 1 hour', failures = 10`)
	require.NoError(t, err)
	_, err = super.Exec(t.Context(), `UPDATE job_queue SET run_at = now() WHERE status = 'queued'`)
	require.NoError(t, err)
	require.Contains(t, ada.waitUntil(t, path, "status", "disabled").text("disabled_reason"), "5 days")
	var audited int
	require.NoError(t, super.QueryRow(t.Context(), `SELECT count(*) FROM audit_log WHERE action = 'webhook_subscription.disable' AND resource_id = $1`, sub.id).Scan(&audited))
	require.Equal(t, 2, audited)
	ada.waitUntil(t, "/v1/webhook-deliveries/"+target.all()[1].ID, "status", "failed")
	require.Len(t, ada.get(t, "/v1/dead-letters").items(), 2)
	for _, line := range p.log.lines(t) {
		require.NotEqual(t, "ERROR", line["level"], "a tenant's server alerts the operator: %v", line)
	}
	require.Contains(t, p.metrics(t), `parley_dead_letters_total{concerns="tenant"} 2`)

	enable()
	target.answers(http.StatusOK)
	require.Equal(t, http.StatusOK, ada.post(t, "/v1/dead-letters/retry", map[string]any{}).Status)
	for _, d := range target.all() {
		ada.waitUntil(t, "/v1/webhook-deliveries/"+d.ID, "status", "delivered")
	}
	require.Nil(t, ada.get(t, path).at("failing_since"))
	disabled := ada.call(t, http.MethodPatch, path, map[string]any{"status": "disabled"})
	require.Equal(t, "disabled", disabled.text("status"), disabled)
	ping := ada.post(t, path+"/ping", nil)
	require.Equal(t, http.StatusAccepted, ping.Status, ping)
	ada.waitUntil(t, "/v1/webhook-deliveries/"+ping.text("id"), "status", "delivered")
	target.answers(http.StatusTeapot)
	ping = ada.post(t, path+"/ping", nil)
	require.Equal(t, "failed", ada.waitUntil(t, "/v1/webhook-deliveries/"+ping.text("id"), "status", "failed").text("status"), "one attempt, no more")
}

func TestTheDeathOfADeliveryThatToldOfADeathIsNotToldOf(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada, target := p.register(t), newReceiver(t)
	super := pg.Superuser(t, p.database)
	target.answers(http.StatusInternalServerError)
	ada.subscribe(t, target.URL, "dead_letter.created")
	job(t, super, ada.workspace, "nobody's")
	id := target.waitFor(t, 1)[0].ID
	path := "/v1/webhook-deliveries/" + id
	require.Eventually(t, func() bool { // its last attempt but one has been
		tag, err := super.Exec(t.Context(), `UPDATE job_queue SET failures = max_attempts - 1, run_at = now() WHERE kind = 'webhook.deliver' AND status = 'queued' AND failures > 0`)
		return err == nil && tag.RowsAffected() == 1
	}, 10*time.Second, 10*time.Millisecond)
	ada.waitUntil(t, path, "status", "failed")
	require.Len(t, ada.get(t, "/v1/dead-letters").items(), 2)
	require.Len(t, ada.get(t, "/v1/webhook-deliveries").items(), 1, "that would go on for ever")

	target.answers(http.StatusOK)
	letters := ada.get(t, "/v1/dead-letters?kind=webhook.deliver").items()
	require.Equal(t, http.StatusOK, ada.post(t, "/v1/dead-letters/"+letters[0]["id"].(string)+"/retry", nil).Status)
	ada.waitUntil(t, path, "status", "delivered")

	_, err := super.Exec(t.Context(), `UPDATE webhook_deliveries SET created_at = now() - interval '31 days', finished_at = now() - interval '31 days'`)
	require.NoError(t, err)
	removed := 0
	require.NoError(t, super.QueryRow(t.Context(), `SELECT app.expire_webhooks(1000)`).Scan(&removed))
	require.Equal(t, 1, removed)
	requireCode(t, ada.get(t, path), http.StatusNotFound, "NOT_FOUND")
	left := -1
	require.NoError(t, super.QueryRow(t.Context(), `SELECT count(*) FROM webhook_attempts`).Scan(&left))
	require.Zero(t, left, "its attempts go with it")
}

func TestNoURLLeadsIntoOurNetwork(t *testing.T) {
	t.Parallel()
	p := start(t, "JOB_POLL_INTERVAL=20ms")
	ada, target := p.register(t), newReceiver(t)
	for _, url := range []string{
		target.URL, "http://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://10.1.2.3/", "https://169.254.169.254/latest/meta-data",
		"https://localhost/", "https://0x7f.1/", "https://2130706433/", "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/",
		"https://user:pass@example.com/", "ftp://example.com/", "example.com", "https://", "https://example.com/#x",
	} {
		requireWrong(t, ada.post(t, "/v1/webhook-subscriptions", map[string]any{"url": url, "events": []string{"bot.updated"}}), "url")
	}
	sub := ada.subscribe(t, "https://example.com/", "bot.updated")
	requireWrong(t, ada.call(t, http.MethodPatch, "/v1/webhook-subscriptions/"+sub.id, map[string]any{"url": "https://10.0.0.1/"}), "url")
	_, err := pg.Superuser(t, p.database).Exec(t.Context(), `UPDATE webhook_subscriptions SET url = $1`, target.URL) // as a name would that leads there
	require.NoError(t, err)
	ping := ada.post(t, "/v1/webhook-subscriptions/"+sub.id+"/ping", nil)
	log := ada.waitUntil(t, "/v1/webhook-deliveries/"+ping.text("id"), "status", "failed").at("log").([]any)
	require.Equal(t, "the address is not public", log[0].(map[string]any)["error"])
	require.Empty(t, target.all())
}

func TestASubscriptionIsChangedRotatedAndEnded(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada, target := p.register(t), newReceiver(t)
	sub := ada.subscribe(t, target.URL, "bot.updated")
	path := "/v1/webhook-subscriptions/" + sub.id
	newer := ada.post(t, path+"/rotate-secret", nil).text("secret")
	ping := ada.post(t, path+"/ping", nil)
	ada.waitUntil(t, "/v1/webhook-deliveries/"+ping.text("id"), "status", "delivered")
	for _, secret := range []string{sub.secret, newer} {
		_, err := webhook.Verify([]string{secret}, target.all()[0].Header, target.all()[0].Body, time.Now())
		require.NoError(t, err, "signed with both while the secret is rotated")
	}
	a := ada.call(t, http.MethodPatch, path, map[string]any{"events": []string{"turn.failed"}, "url": target.URL + "/x"})
	require.Equal(t, []any{[]any{"turn.failed"}, target.URL + "/x"}, []any{a.at("events"), a.text("url")})
	for field, body := range map[string]map[string]any{
		"events.0": {"url": "https://example.com/", "events": []string{"bot.deleted"}}, "events": {"url": "https://example.com/", "events": []string{}},
	} {
		requireWrong(t, ada.post(t, "/v1/webhook-subscriptions", body), field)
	}
	requireCode(t, ada.post(t, "/v1/webhook-subscriptions", map[string]any{
		"url": "https://example.com/", "events": []string{"bot.updated"}, "endpoint_id": uuid.NewString(),
	}), http.StatusNotFound, "NOT_FOUND")
	require.Equal(t, http.StatusNoContent, ada.call(t, http.MethodDelete, path, nil).Status)
	requireCode(t, ada.get(t, path), http.StatusNotFound, "NOT_FOUND")
	requireCode(t, ada.post(t, path+"/ping", nil), http.StatusNotFound, "NOT_FOUND")
	require.Empty(t, ada.get(t, "/v1/webhook-subscriptions").items())
	require.Len(t, ada.get(t, "/v1/webhook-deliveries").items(), 1, "what was delivered can be looked at")
}

func TestAWorkspaceHasSoManySubscriptionsAndNoMore(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada := p.register(t)
	create := func() answer {
		return ada.post(t, "/v1/webhook-subscriptions", map[string]any{"url": "https://example.com/", "events": []string{"bot.updated"}})
	}
	created := map[int]int{}
	for _, a := range atOnce(30, create) {
		created[a.Status]++
	}
	require.Equal(t, map[int]int{http.StatusCreated: 20, http.StatusForbidden: 10}, created)
	full := create()
	requireCode(t, full, http.StatusForbidden, "LIMIT_REACHED")
	require.Equal(t, map[string]any{"metric": "webhook_subscriptions", "limit": 20.0, "used": 20.0, "resets_at": nil}, full.Body["details"])
	require.InEpsilon(t, 20.0, ada.used(t, usage.Subscriptions)["used"], 0)
	first := ada.get(t, "/v1/webhook-subscriptions").items()[0]["id"].(string)
	require.Equal(t, http.StatusNoContent, ada.call(t, http.MethodDelete, "/v1/webhook-subscriptions/"+first, nil).Status)
	require.Equal(t, http.StatusCreated, create().Status)
	ada.limit(t, usage.Subscriptions, 21)
	require.Equal(t, http.StatusCreated, create().Status)
	requireCode(t, create(), http.StatusForbidden, "LIMIT_REACHED")
	ada.limit(t, usage.Subscriptions, 0)
	require.Equal(t, http.StatusCreated, create().Status)
	p.register(t).subscribe(t, "https://example.com/", "bot.updated")
}

// A failure after weeks in which nothing was tried is one failure: it disables nothing.
func TestTimeInWhichNothingIsTriedDisablesNoSubscription(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada, target := p.register(t), newReceiver(t)
	super := pg.Superuser(t, p.database)
	target.answers(http.StatusInternalServerError)
	sub, bot := ada.subscribe(t, target.URL, "bot.updated"), ada.newBot(t)
	path := "/v1/webhook-subscriptions/" + sub.id
	failures := func() (n int) {
		require.NoError(t, super.QueryRow(t.Context(), `SELECT failures FROM webhook_subscriptions WHERE id = $1`, sub.id).Scan(&n))
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
		asked := len(target.all())
		ada.put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be kind."})
		id := target.waitFor(t, asked+1)[asked].ID
		require.Eventually(t, func() bool { return ada.get(t, "/v1/webhook-deliveries/"+id).at("attempts") == 1.0 }, 10*time.Second, 20*time.Millisecond)
		require.Equal(t, "active", ada.get(t, path).text("status"), name)
		require.NotNil(t, ada.get(t, path).at("failing_since"), name)
		_, err = super.Exec(t.Context(), `DELETE FROM job_queue WHERE status = 'queued'`) // no further attempt
		require.NoError(t, err)
	}
	_, err := super.Exec(t.Context(), `UPDATE webhook_subscriptions SET failing_since = now() - interval '21 days', last_failed_at = now() - interval '37 hours', failures = 500`)
	require.NoError(t, err)
	asked := len(target.all())
	ada.put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be kind."})
	target.waitFor(t, asked+1)
	require.Eventually(t, func() bool { return failures() == 1 }, 10*time.Second, 20*time.Millisecond, "the time and the count begin anew")
	since, err := time.Parse(time.RFC3339, ada.get(t, path).text("failing_since"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), since, time.Minute)
}

// What is on its way when somebody disables a subscription is not lost, and not sent; of a deleted one nothing is left to do.
func TestWhatIsDueWhileASubscriptionIsDisabledBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada, target := p.register(t), newReceiver(t)
	super := pg.Superuser(t, p.database)
	target.answers(http.StatusInternalServerError)
	sub, bot := ada.subscribe(t, target.URL, "bot.updated"), ada.newBot(t)
	path := "/v1/webhook-subscriptions/" + sub.id
	ada.put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be kind."})
	delivery := "/v1/webhook-deliveries/" + target.waitFor(t, 1)[0].ID
	require.Eventually(t, func() bool { return ada.get(t, delivery).at("attempts") == 1.0 }, 10*time.Second, 20*time.Millisecond)
	due := func() {
		t.Helper()
		require.Eventually(t, func() bool {
			tag, err := super.Exec(t.Context(), `UPDATE job_queue SET run_at = now() WHERE kind = 'webhook.deliver' AND status = 'queued'`)
			return err == nil && tag.RowsAffected() == 1
		}, 10*time.Second, 20*time.Millisecond)
	}
	require.Equal(t, http.StatusOK, ada.call(t, http.MethodPatch, path, map[string]any{"status": "disabled"}).Status)
	asked := len(target.all())
	due()
	ada.waitUntil(t, delivery, "status", "failed")
	require.Len(t, target.all(), asked, "a disabled subscription was asked")
	letter := ada.get(t, "/v1/dead-letters").items()[0]
	require.Contains(t, letter["last_error"], "the webhook subscription is disabled")

	require.Equal(t, http.StatusOK, ada.call(t, http.MethodPatch, path, map[string]any{"status": "active"}).Status)
	require.Equal(t, http.StatusOK, ada.post(t, "/v1/dead-letters/"+letter["id"].(string)+"/retry", nil).Status)
	target.waitFor(t, asked+1)
	require.Empty(t, ada.get(t, "/v1/dead-letters").items())
	require.Equal(t, http.StatusNoContent, ada.call(t, http.MethodDelete, path, nil).Status)
	require.Eventually(t, func() bool {
		var left int
		return super.QueryRow(t.Context(), `SELECT count(*) FROM job_queue WHERE kind = 'webhook.deliver' AND status <> 'done'`).Scan(&left) == nil && left == 0
	}, 10*time.Second, 20*time.Millisecond)
	require.Empty(t, ada.get(t, "/v1/dead-letters").items(), "of a subscription that was deleted")
}
