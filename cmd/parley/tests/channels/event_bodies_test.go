package channels

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/work/webhook"
)

func TestTheBodyOfAnEventIsStoredOnceForAllSubscriptionsAndGoesWithTheLastDelivery(t *testing.T) {
	t.Parallel()
	const subscriptions = 10
	p := harness.Start(t, harness.FastJobs...)
	ada, target := p.Register(t), harness.NewReceiver(t)
	super := harness.Postgres.Superuser(t, p.Database)
	for range subscriptions {
		ada.Subscribe(t, target.URL, "turn.completed")
	}
	thread := ada.Thread(t, ada.NewBot(t))
	text := strings.Repeat("All work and no play. ", 2000)
	require.Equal(t, http.StatusOK, ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": text}).Status)
	got := target.WaitFor(t, subscriptions)
	whole := ada.WaitUntil(t, "/v1/webhook-deliveries/"+got[0].ID, "status", "delivered")
	mustJSON(t, whole.At("payload"), got[0].Body)
	stored := p.Number(t, `SELECT (SELECT sum(octet_length(b.body)) FROM event_bodies b) + (SELECT sum(octet_length(d.body)) FROM webhook_deliveries d)`)
	require.Less(t, stored, len(got[0].Body)+subscriptions*100)

	for _, d := range got {
		ada.WaitUntil(t, "/v1/webhook-deliveries/"+d.ID, "status", "delivered")
	}
	const old = "now() - interval '31 days'"
	_, err := super.Exec(t.Context(), `UPDATE event_bodies SET created_at = `+old)
	require.NoError(t, err)
	_, err = super.Exec(t.Context(), `UPDATE webhook_deliveries SET created_at = `+old+`, finished_at = `+old+` WHERE id <> $1`, got[0].ID)
	require.NoError(t, err)
	require.Equal(t, subscriptions-1, p.Number(t, `SELECT app.expire_webhooks(1000)`))
	mustJSON(t, ada.Get(t, "/v1/webhook-deliveries/"+got[0].ID).At("payload"), got[0].Body)
	_, err = super.Exec(t.Context(), `UPDATE webhook_deliveries SET created_at = `+old+`, finished_at = `+old)
	require.NoError(t, err)
	require.Equal(t, 2, p.Number(t, `SELECT app.expire_webhooks(1000)`), "the last delivery, and the body with it")
	require.Zero(t, p.Number(t, `SELECT count(*) FROM event_bodies`))
}

func TestADeliveryThatTheReleaseBeforeStoredIsDelivered(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada, target := p.Register(t), harness.NewReceiver(t)
	sub := ada.Subscribe(t, target.URL, "bot.updated")
	body := `{"type":"ping","timestamp":"2026-01-01T00:00:00Z","data":{"subscription_id":"` + sub.ID + `"}}`
	id := p.StoreDelivery(t, ada, sub, body)
	require.Equal(t, body, string(target.WaitFor(t, 1)[0].Body))
	require.Equal(t, sub.ID, ada.WaitUntil(t, "/v1/webhook-deliveries/"+id, "status", "delivered").Text("payload.data.subscription_id"))
}

// Processes of the release before read the body of a delivery in its row.
func TestTheReleaseBeforeMakesItsOwnDeliveriesAndLeavesOthers(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, append(harness.FastJobs, "WORKERS=0")...)
	ada := p.Register(t)
	sub := ada.Subscribe(t, "http://127.0.0.1:9/", "bot.updated")
	ada.Put(t, "/v1/bots/"+ada.NewBot(t)+"/instruction", map[string]any{"instruction": "Be kind."})
	super := harness.Postgres.Superuser(t, p.Database)
	_, err := super.Exec(t.Context(), `INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts)
		VALUES ($1, gen_random_uuid(), 'webhook.deliver', 'no id', '{}', 't', 1)`, ada.Workspace)
	require.NoError(t, err)
	own := p.StoreDelivery(t, ada, sub, `{}`)
	rows, err := super.Query(t.Context(), `SELECT key FROM app.claim_jobs(10, 30, NULL, NULL, '00000000-0000-0000-0000-000000000000') ORDER BY key`)
	require.NoError(t, err)
	claimed, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{own, "no id"}, claimed)
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM job_queue WHERE kind = 'webhook.deliver' AND status = 'queued' AND target = '127.0.0.1'`))
}

func TestTheTargetOfADeliveryIsTheHostOfItsURL(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, append(harness.FastJobs, "WORKERS=0")...)
	ada := p.Register(t)
	want := map[string]int{}
	for _, url := range []string{
		"https://example.com/", "https://EXAMPLE.com.:8443/x?y=http://other.example/", "HTTPS://a.example?x=1", "http://127.0.0.1:9/", "http://[::1]:9/", "http://[2001:DB8::1]/",
	} {
		sub := ada.Subscribe(t, url, "bot.updated")
		want[webhook.Host(url)] += 2
		ada.Post(t, "/v1/webhook-subscriptions/"+sub.ID+"/ping", nil)
	}
	ada.Put(t, "/v1/bots/"+ada.NewBot(t)+"/instruction", map[string]any{"instruction": "Be kind."})
	rows, err := harness.Postgres.Superuser(t, p.Database).Query(t.Context(), `SELECT target, count(*) FROM job_queue WHERE kind = 'webhook.deliver' GROUP BY 1`)
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
