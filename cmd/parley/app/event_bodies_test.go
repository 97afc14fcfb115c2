package app

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/webhook"
)

func TestTheBodyOfAnEventIsStoredOnceForAllSubscriptionsAndGoesWithTheLastDelivery(t *testing.T) {
	t.Parallel()
	const subscriptions = 10
	p := start(t, fastJobs...)
	ada, target := p.register(t), newReceiver(t)
	super := pg.Superuser(t, p.database)
	for range subscriptions {
		ada.subscribe(t, target.URL, "turn.completed")
	}
	thread := ada.thread(t, ada.newBot(t))
	text := strings.Repeat("All work and no play. ", 2000)
	require.Equal(t, http.StatusOK, ada.post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": text}).Status)
	got := target.waitFor(t, subscriptions)
	whole := ada.waitUntil(t, "/v1/webhook-deliveries/"+got[0].ID, "status", "delivered")
	mustJSON(t, whole.at("payload"), got[0].Body)
	stored := p.number(t, `SELECT (SELECT sum(octet_length(b.body)) FROM event_bodies b) + (SELECT sum(octet_length(d.body)) FROM webhook_deliveries d)`)
	require.Less(t, stored, len(got[0].Body)+subscriptions*100)

	for _, d := range got {
		ada.waitUntil(t, "/v1/webhook-deliveries/"+d.ID, "status", "delivered")
	}
	const old = "now() - interval '31 days'"
	_, err := super.Exec(t.Context(), `UPDATE event_bodies SET created_at = `+old)
	require.NoError(t, err)
	_, err = super.Exec(t.Context(), `UPDATE webhook_deliveries SET created_at = `+old+`, finished_at = `+old+` WHERE id <> $1`, got[0].ID)
	require.NoError(t, err)
	require.Equal(t, subscriptions-1, p.number(t, `SELECT app.expire_webhooks(1000)`))
	mustJSON(t, ada.get(t, "/v1/webhook-deliveries/"+got[0].ID).at("payload"), got[0].Body)
	_, err = super.Exec(t.Context(), `UPDATE webhook_deliveries SET created_at = `+old+`, finished_at = `+old)
	require.NoError(t, err)
	require.Equal(t, 2, p.number(t, `SELECT app.expire_webhooks(1000)`), "the last delivery, and the body with it")
	require.Zero(t, p.number(t, `SELECT count(*) FROM event_bodies`))
}

func TestADeliveryThatTheReleaseBeforeStoredIsDelivered(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada, target := p.register(t), newReceiver(t)
	sub := ada.subscribe(t, target.URL, "bot.updated")
	body := `{"type":"ping","timestamp":"2026-01-01T00:00:00Z","data":{"subscription_id":"` + sub.id + `"}}`
	id := p.storeDelivery(t, ada, sub, body)
	require.Equal(t, body, string(target.waitFor(t, 1)[0].Body))
	require.Equal(t, sub.id, ada.waitUntil(t, "/v1/webhook-deliveries/"+id, "status", "delivered").text("payload.data.subscription_id"))
}

// Processes of the release before read the body of a delivery in its row.
func TestTheReleaseBeforeMakesItsOwnDeliveriesAndLeavesOthers(t *testing.T) {
	t.Parallel()
	p := start(t, append(fastJobs, "WORKERS=0")...)
	ada := p.register(t)
	sub := ada.subscribe(t, "http://127.0.0.1:9/", "bot.updated")
	ada.put(t, "/v1/bots/"+ada.newBot(t)+"/instruction", map[string]any{"instruction": "Be kind."})
	super := pg.Superuser(t, p.database)
	_, err := super.Exec(t.Context(), `INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts)
		VALUES ($1, gen_random_uuid(), 'webhook.deliver', 'no id', '{}', 't', 1)`, ada.workspace)
	require.NoError(t, err)
	own := p.storeDelivery(t, ada, sub, `{}`)
	rows, err := super.Query(t.Context(), `SELECT key FROM app.claim_jobs(10, 30, NULL, NULL, '00000000-0000-0000-0000-000000000000') ORDER BY key`)
	require.NoError(t, err)
	claimed, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{own, "no id"}, claimed)
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM job_queue WHERE kind = 'webhook.deliver' AND status = 'queued' AND target = '127.0.0.1'`))
}

// storeDelivery stores a delivery and its job as the release before did.
func (p *program) storeDelivery(t *testing.T, c *caller, sub subscription, body string) (id string) {
	t.Helper()
	require.NoError(t, pg.Superuser(t, p.database).QueryRow(t.Context(), `WITH delivery AS (
		INSERT INTO webhook_deliveries (workspace_id, id, subscription_id, event_id, event_type, body)
		VALUES ($1, gen_random_uuid(), $2, gen_random_uuid(), 'ping', $3) RETURNING workspace_id, id
	) INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts)
	  SELECT workspace_id, gen_random_uuid(), 'webhook.deliver', id::text, jsonb_build_object('delivery_id', id), 't', 20 FROM delivery
	  RETURNING key`, c.workspace, sub.id, body).Scan(&id))
	return id
}

func TestTheTargetOfADeliveryIsTheHostOfItsURL(t *testing.T) {
	t.Parallel()
	p := start(t, append(fastJobs, "WORKERS=0")...)
	ada := p.register(t)
	want := map[string]int{}
	for _, url := range []string{
		"https://example.com/", "https://EXAMPLE.com.:8443/x?y=http://other.example/", "HTTPS://a.example?x=1", "http://127.0.0.1:9/", "http://[::1]:9/", "http://[2001:DB8::1]/",
	} {
		sub := ada.subscribe(t, url, "bot.updated")
		want[webhook.Host(url)] += 2
		ada.post(t, "/v1/webhook-subscriptions/"+sub.id+"/ping", nil)
	}
	ada.put(t, "/v1/bots/"+ada.newBot(t)+"/instruction", map[string]any{"instruction": "Be kind."})
	rows, err := pg.Superuser(t, p.database).Query(t.Context(), `SELECT target, count(*) FROM job_queue WHERE kind = 'webhook.deliver' GROUP BY 1`)
	require.NoError(t, err)
	got := map[string]int{}
	var target string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&target, &n}, func() error {
		got[target] = n
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Contains(t, got, "example.com")
}
