package accounts

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// statuses gives the statuses of a list of resources by their ids.
func statuses(a harness.Answer) map[string]string {
	by := map[string]string{}
	for _, r := range a.Items() {
		by[r["id"].(string)] = r["status"].(string)
	}
	return by
}

// waitHeld waits until so many deliveries have been put off for hours, as none that is on its way is.
func waitHeld(t *testing.T, super *pgx.Conn, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		return harness.Count(t, super, `SELECT count(*) FROM job_queue WHERE kind = 'webhook.deliver' AND status = 'queued' AND failures = 0 AND run_at > now() + interval '1 hour'`) == n
	}, time.Minute, 20*time.Millisecond, "%d deliveries that are held", n)
}

func TestWhatARemovedMemberHasGivenAndMadeStopsAtOnceUntilItIsAdopted(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada, eve := p.Register(t), p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	editor, bot := p.Join(t, ada, "editor"), ada.NewBot(t)
	bob := ada.Gives(t, "admin", bot)
	list := "/v1/members/" + bob.User + "/resources"
	require.Len(t, ada.Get(t, list).Items(), 5, "what would be left")

	op := harness.Operation(uuid.NewString())
	removed := ada.Delete(t, "/v1/members/"+bob.User, op)
	require.Equal(t, http.StatusOK, removed.Status, removed)
	require.Equal(t, removed.Raw, ada.Delete(t, "/v1/members/"+bob.User, op).Raw, "the same call again")
	want := map[string]string{bob.Key.User: "suspended", bob.Subscription: "held", bob.KeySub: "held", bob.Endpoint.ID: "active", bob.KeyEndpoint.ID: "active"}
	require.Equal(t, want, statuses(removed))
	require.Equal(t, want, statuses(ada.Get(t, list)))
	rows := harness.AuditRows(t, super, op.Value)
	require.JSONEq(t, `{"revoked_invitations": 1, "suspended_api_keys": 1, "held_webhook_subscriptions": 2}`, rows[0].Changes)

	harness.RequireCode(t, p.Accept(t, bob.Token, harness.Password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	harness.RequireCode(t, bob.Key.Get(t, "/v1/bots"), http.StatusUnauthorized, "API_KEY_SUSPENDED")
	harness.RequireCode(t, bob.Key.Post(t, "/v1/bots", map[string]any{"name": "x"}), http.StatusUnauthorized, "API_KEY_SUSPENDED")
	ada.Update(t, bot)
	waitHeld(t, super, 2)
	for _, e := range []harness.Endpoint{bob.Endpoint, bob.KeyEndpoint} {
		event := e.Says(t, "chat", "hello").Text("event_id")
		ada.WaitUntil(t, "/v1/webhook-events/"+event, "status", "processed")
	}
	require.Empty(t, slices.Concat(bob.Hook.All(), bob.KeyHook.All()))

	p.Rejoin(t, bob.Caller, "admin") // invited again, and nothing comes back by itself
	harness.RequireCode(t, bob.Key.Get(t, "/v1/bots"), http.StatusUnauthorized, "API_KEY_SUSPENDED")
	require.Equal(t, want, statuses(bob.Get(t, list)))
	require.Equal(t, http.StatusOK, ada.Delete(t, "/v1/members/"+bob.User).Status)

	adopt := map[string]string{
		bob.Key.User: "/v1/api-keys/", bob.Subscription: "/v1/webhook-subscriptions/", bob.KeySub: "/v1/webhook-subscriptions/",
		bob.Endpoint.ID: "/v1/webhook-endpoints/", bob.KeyEndpoint.ID: "/v1/webhook-endpoints/",
	}
	for id, path := range adopt {
		harness.RequireCode(t, editor.Post(t, path+id+"/adopt", nil), http.StatusForbidden, "FORBIDDEN")
		require.Equal(t, http.StatusNotFound, eve.Post(t, path+id+"/adopt", nil).Status)
	}
	harness.RequireCode(t, editor.Get(t, list), http.StatusForbidden, "FORBIDDEN")

	key := ada.Post(t, "/v1/api-keys/"+bob.Key.User+"/adopt", nil)
	require.Equal(t, http.StatusOK, key.Status, key)
	require.Equal(t, []any{ada.User, bob.User, nil}, []any{key.At("responsible_id"), key.At("created_by"), key.At("suspended_at")})
	require.Equal(t, http.StatusOK, bob.Key.Get(t, "/v1/bots").Status)
	delete(want, bob.Key.User)
	require.Equal(t, want, statuses(ada.Get(t, list)), "what an adopted key made is not adopted with it")

	for id, hook := range map[string]*harness.Receiver{bob.Subscription: bob.Hook, bob.KeySub: bob.KeyHook} {
		op := harness.Operation(uuid.NewString())
		adopted := ada.Post(t, adopt[id]+id+"/adopt", nil, op)
		require.Equal(t, []any{ada.User, nil}, []any{adopted.At("responsible_id"), adopted.At("held_at")}, adopted)
		hook.WaitFor(t, 1)
		require.Equal(t, "webhook_subscription.adopt", harness.AuditRows(t, super, op.Value)[0].Action)
		require.Equal(t, http.StatusOK, ada.Post(t, adopt[id]+id+"/adopt", nil).Status, "twice is once")
	}
	require.Equal(t, ada.User, ada.Post(t, "/v1/webhook-endpoints/"+bob.Endpoint.ID+"/adopt", nil).Text("responsible_id"))
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/webhook-endpoints/"+bob.KeyEndpoint.ID).Status)
	left := ada.Get(t, list)
	require.Equal(t, []any{http.StatusOK, 0}, []any{left.Status, len(left.Items())}, left)
	require.Len(t, statuses(ada.Get(t, "/v1/members/"+ada.User+"/resources?limit=100")), 4, "now it is hers")
	ada.Update(t, bot)
	require.Len(t, bob.Hook.WaitFor(t, 2), 2)
	require.Equal(t, 0, harness.Count(t, super, `SELECT count(*) FROM dead_letter_queue`))
}

func TestADemotedMemberKeepsNoAuthorityBeyondItsRole(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	super, bot := harness.Postgres.Superuser(t, p.Database), ada.NewBot(t)
	demote := func(g harness.Given, role string) {
		require.Equal(t, http.StatusOK, ada.Patch(t, "/v1/members/"+g.User, map[string]any{"role": role}).Status)
	}

	owner := ada.Gives(t, "owner", bot)
	_, lower := owner.Invite(t, "lower@example.com", "admin")
	demote(owner, "admin")
	harness.RequireCode(t, p.Accept(t, owner.Token, harness.Password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	require.Equal(t, http.StatusOK, p.Accept(t, lower, harness.Password).Status, "an admin may give that still")
	require.Equal(t, http.StatusCreated, owner.Key.Post(t, "/v1/bots", map[string]any{"name": "x"}).Status)

	admin := ada.Gives(t, "admin", bot)
	_, lower = admin.Invite(t, "viewer@example.com", "viewer")
	reader := admin.Caller.Key(t, "viewer")
	demote(admin, "editor")
	harness.RequireCode(t, p.Accept(t, lower, harness.Password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	require.Equal(t, http.StatusCreated, admin.Key.Post(t, "/v1/bots", map[string]any{"name": "x"}).Status, "an editor may do as much")
	ada.Update(t, bot)
	admin.Hook.WaitFor(t, 1)
	admin.KeyHook.WaitFor(t, 1)

	demote(admin, "viewer")
	harness.RequireCode(t, admin.Key.Post(t, "/v1/bots", map[string]any{"name": "x"}), http.StatusUnauthorized, "API_KEY_SUSPENDED")
	require.Equal(t, http.StatusOK, reader.Get(t, "/v1/bots").Status)
	ada.Update(t, bot)
	waitHeld(t, super, 2)

	demote(admin, "admin") // back again, and what has stopped waits for somebody who adopts it
	list := "/v1/members/" + admin.User + "/resources"
	require.Equal(t, map[string]string{
		admin.Key.User: "suspended", reader.User: "active", admin.Subscription: "held", admin.KeySub: "held",
		admin.Endpoint.ID: "active", admin.KeyEndpoint.ID: "active",
	}, statuses(ada.Get(t, list)))
	require.Equal(t, http.StatusOK, admin.Post(t, "/v1/webhook-subscriptions/"+admin.Subscription+"/adopt", nil).Status)
	admin.Hook.WaitFor(t, 2)
	require.Len(t, admin.KeyHook.All(), 1)
}

func TestWhatARevokedKeyMadeWaitsUntilItIsAdopted(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	super, bot := harness.Postgres.Superuser(t, p.Database), ada.NewBot(t)
	key, hook, adopted := ada.Key(t, "editor"), harness.NewReceiver(t), harness.NewReceiver(t)
	sub, other, chat := key.Subscribe(t, hook.URL, "bot.updated").ID, key.Subscribe(t, adopted.URL, "bot.updated").ID, key.NewEndpoint(t, bot)
	require.Equal(t, http.StatusOK, ada.Post(t, "/v1/webhook-subscriptions/"+other+"/adopt", nil).Status)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/api-keys/"+key.User).Status)

	want := map[string]string{sub: "held", chat.ID: "active"}
	require.Equal(t, want, statuses(ada.Get(t, "/v1/api-keys/"+key.User+"/resources")))
	want[other] = "active"
	require.Equal(t, want, statuses(ada.Get(t, "/v1/members/"+ada.User+"/resources")), "also what her keys have left")
	harness.RequireCode(t, ada.Get(t, "/v1/api-keys/"+uuid.NewString()+"/resources"), http.StatusNotFound, "API_KEY_NOT_FOUND")
	harness.RequireCode(t, ada.Post(t, "/v1/api-keys/"+key.User+"/adopt", nil), http.StatusNotFound, "API_KEY_NOT_FOUND")
	ada.Update(t, bot)
	adopted.WaitFor(t, 1)
	waitHeld(t, super, 1)
	ada.WaitUntil(t, "/v1/webhook-events/"+chat.Says(t, "chat", "hello").Text("event_id"), "status", "processed")
	require.Empty(t, hook.All())
	require.Equal(t, http.StatusOK, ada.Post(t, "/v1/webhook-subscriptions/"+sub+"/adopt", nil).Status)
	hook.WaitFor(t, 1)
}

func TestASubscriptionWaitsWhenWhoeverChangedItsURLIsRemoved(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	super, bot := harness.Postgres.Superuser(t, p.Database), ada.NewBot(t)
	bob, hook, elsewhere := p.Join(t, ada, "editor"), harness.NewReceiver(t), harness.NewReceiver(t)
	path := "/v1/webhook-subscriptions/" + ada.Subscribe(t, hook.URL, "bot.updated").ID
	require.Equal(t, ada.User, bob.Patch(t, path, map[string]any{"url": hook.URL, "status": "active"}).Text("responsible_id"), "it is the same URL")
	require.Equal(t, bob.User, bob.Patch(t, path, map[string]any{"url": elsewhere.URL}).Text("responsible_id"))
	require.Equal(t, http.StatusOK, ada.Delete(t, "/v1/members/"+bob.User).Status)
	ada.Update(t, bot)
	waitHeld(t, super, 1)
	back := ada.Patch(t, path, map[string]any{"url": hook.URL})
	require.Equal(t, bob.User, back.Text("responsible_id"), back)
	require.NotNil(t, back.At("held_at"), "to change it is not to adopt it")
	require.Equal(t, http.StatusOK, ada.Post(t, path+"/adopt", nil).Status)
	hook.WaitFor(t, 1)
	require.Empty(t, elsewhere.All())

	require.Equal(t, http.StatusOK, p.Join(t, ada, "admin").Patch(t, path, map[string]any{"url": elsewhere.URL}).Status)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, path).Status)
}

func TestHeldDeliveriesEndWithTheirSubscription(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	super, bot := harness.Postgres.Superuser(t, p.Database), ada.NewBot(t)
	key, hook := ada.Key(t, "editor"), harness.NewReceiver(t)
	sub := key.Subscribe(t, hook.URL, "bot.updated").ID
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/api-keys/"+key.User).Status)
	ada.Update(t, bot)
	waitHeld(t, super, 1)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/webhook-subscriptions/"+sub).Status)
	require.Empty(t, ada.Get(t, "/v1/api-keys/"+key.User+"/resources").Items())
	ada.WaitUntil(t, "/v1/webhook-deliveries/"+ada.Get(t, "/v1/webhook-deliveries").Items()[0]["id"].(string), "status", "failed")
	require.Empty(t, hook.All())
	require.Empty(t, ada.Get(t, "/v1/dead-letters").Items())
}

func TestHeldDeliveriesWaitSevenDays(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	super, bot := harness.Postgres.Superuser(t, p.Database), ada.NewBot(t)
	bob := ada.Gives(t, "admin", bot)
	require.Equal(t, http.StatusNoContent, bob.Delete(t, "/v1/webhook-subscriptions/"+bob.KeySub).Status)
	require.Equal(t, http.StatusOK, ada.Delete(t, "/v1/members/"+bob.User).Status)
	ada.Update(t, bot)
	waitHeld(t, super, 1)
	path := "/v1/webhook-deliveries/" + ada.Get(t, "/v1/webhook-deliveries?subscription_id="+bob.Subscription).Items()[0]["id"].(string)
	age := func(days int) {
		for _, sql := range []string{
			`UPDATE webhook_subscriptions SET held_at = now() - make_interval(days => $1) WHERE held_at IS NOT NULL`,
			`UPDATE webhook_deliveries SET created_at = now() - make_interval(days => $1)`,
		} {
			_, err := super.Exec(t.Context(), sql, days)
			require.NoError(t, err)
		}
		_, err := super.Exec(t.Context(), `UPDATE job_queue SET run_at = now() WHERE kind = 'webhook.deliver' AND status = 'queued'`)
		require.NoError(t, err)
	}
	age(6)
	waitHeld(t, super, 1)
	require.Zero(t, ada.Get(t, path).At("attempts"), "waiting is no attempt")
	age(7)
	ada.WaitUntil(t, path, "status", "failed")
	letter := ada.Get(t, "/v1/dead-letters?kind=webhook.deliver").Items()[0]
	require.Contains(t, letter["last_error"], "held for seven days")
	ada.Update(t, bot)
	require.Len(t, ada.Get(t, "/v1/webhook-deliveries?subscription_id="+bob.Subscription).Items(), 1, "nobody will read what comes now")

	require.Equal(t, http.StatusOK, ada.Post(t, "/v1/webhook-subscriptions/"+bob.Subscription+"/adopt", nil).Status)
	require.Equal(t, http.StatusOK, ada.Post(t, "/v1/dead-letters/"+letter["id"].(string)+"/retry", nil).Status)
	ada.WaitUntil(t, path, "status", "delivered")
	require.Len(t, bob.Hook.All(), 1)
}

func TestAReplayAfterTheMembershipHasEndedIsRefused(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	_, token := ada.Invite(t, "grace@example.com", "editor")
	op := harness.Operation(uuid.NewString())
	grace := p.Accept(t, token, harness.Password, op)
	require.Equal(t, http.StatusOK, grace.Status, grace)
	require.Equal(t, http.StatusOK, ada.Delete(t, "/v1/members/"+grace.Text("user_id")).Status)
	harness.RequireCode(t, p.Accept(t, token, harness.Password, op), http.StatusForbidden, "MEMBERSHIP_ENDED")
	harness.RequireCode(t, p.Accept(t, token, "another password", op), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	harness.RequireCode(t, p.Accept(t, token, harness.Password), http.StatusConflict, "INVITATION_USED")
	alone := p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": "grace@example.com", "password": harness.Password})
	require.Nil(t, alone.Body["workspace_id"], alone)

	body := map[string]any{"email": "hal@example.com", "password": harness.Password, "workspace_name": "Acme"}
	hal := &harness.Caller{Program: p}
	hal.Take(hal.Post(t, "/v1/auth/register", body, op))
	p.Join(t, hal, "owner")
	require.Equal(t, http.StatusNoContent, hal.Post(t, "/v1/workspaces/"+hal.Workspace+"/leave", nil).Status)
	alone = p.Anonymous().Post(t, "/v1/auth/register", body, op)
	require.Equal(t, http.StatusCreated, alone.Status, alone)
	require.Nil(t, alone.Body["workspace_id"], alone)
}

// A key has never more than the member who is responsible for it, whatever has become of that membership.
func TestAKeyIsHeldToTheRoleOfTheMemberWhoIsResponsibleForIt(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada := p.Register(t)
	super := harness.Postgres.Superuser(t, p.Database)
	bob := p.Join(t, ada, "admin")
	writes, reads := bob.Key(t, "editor"), bob.Key(t, "viewer")
	role := func(role string) {
		_, err := super.Exec(t.Context(), `UPDATE workspace_members SET role = $1 WHERE user_id = $2 AND workspace_id = $3`, role, bob.User, ada.Workspace)
		require.NoError(t, err)
	}
	role("viewer")
	harness.RequireCode(t, writes.Get(t, "/v1/bots"), http.StatusUnauthorized, "API_KEY_SUSPENDED")
	require.Equal(t, http.StatusOK, reads.Get(t, "/v1/bots").Status)
	role("editor")
	require.Equal(t, http.StatusOK, writes.Get(t, "/v1/bots").Status)
	_, token := ada.Invite(t, "grace@example.com", "editor")
	_, err := super.Exec(t.Context(), `UPDATE invitations SET invited_by = $1`, bob.User)
	require.NoError(t, err)
	harness.RequireCode(t, p.Accept(t, token, harness.Password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	_, err = super.Exec(t.Context(), `DELETE FROM workspace_members WHERE user_id = $1`, bob.User)
	require.NoError(t, err)
	harness.RequireCode(t, reads.Get(t, "/v1/bots"), http.StatusUnauthorized, "API_KEY_SUSPENDED")
}
