package app

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// given is what a member has made and given in a workspace.
type given struct {
	*caller
	key                         *caller
	token                       string // of an open invitation with the member's own role
	hook, keyHook               *receiver
	subscription, keySub        string
	endpoint, keyEndpoint       endpoint
	resources, working, stopped []string // ids
}

// gives has a new member of a role make one of everything.
func (c *caller) gives(t *testing.T, role, bot string) given {
	t.Helper()
	g := given{caller: c.join(t, c, role), hook: newReceiver(t), keyHook: newReceiver(t)}
	_, g.token = g.invite(t, "guest-"+uuid.NewString()+"@example.com", role)
	g.key = g.caller.key(t, "editor")
	g.subscription, g.keySub = g.subscribe(t, g.hook.URL, "bot.updated").id, g.key.subscribe(t, g.keyHook.URL, "bot.updated").id
	g.endpoint, g.keyEndpoint = g.newEndpoint(t, bot), g.key.newEndpoint(t, bot)
	g.working = []string{g.endpoint.id, g.keyEndpoint.id}
	g.stopped = []string{g.key.user, g.subscription, g.keySub}
	g.resources = slices.Concat(g.working, g.stopped)
	return g
}

// statuses gives the statuses of a list of resources by their ids.
func statuses(a answer) map[string]string {
	by := map[string]string{}
	for _, r := range a.items() {
		by[r["id"].(string)] = r["status"].(string)
	}
	return by
}

// update makes an event for whoever subscribes to bot.updated.
func (c *caller) update(t *testing.T, bot string) {
	t.Helper()
	require.Equal(t, http.StatusOK, c.put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": uuid.NewString()}).Status)
}

// waitHeld waits until so many deliveries have been put off for hours, as none that is on its way is.
func waitHeld(t *testing.T, super *pgx.Conn, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		return count(t, super, `SELECT count(*) FROM job_queue WHERE kind = 'webhook.deliver' AND status = 'queued' AND failures = 0 AND run_at > now() + interval '1 hour'`) == n
	}, 20*time.Second, 20*time.Millisecond, "%d deliveries that are held", n)
}

func TestWhatARemovedMemberHasGivenAndMadeStopsAtOnceUntilItIsAdopted(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada, eve := p.register(t), p.register(t)
	super := pg.Superuser(t, p.database)
	editor, bot := p.join(t, ada, "editor"), ada.newBot(t)
	bob := ada.gives(t, "admin", bot)
	list := "/v1/members/" + bob.user + "/resources"
	require.Len(t, ada.get(t, list).items(), 5, "what would be left")

	op := operation(uuid.NewString())
	removed := ada.delete(t, "/v1/members/"+bob.user, op)
	require.Equal(t, http.StatusOK, removed.Status, removed)
	require.Equal(t, removed.Raw, ada.delete(t, "/v1/members/"+bob.user, op).Raw, "the same call again")
	want := map[string]string{bob.key.user: "suspended", bob.subscription: "held", bob.keySub: "held", bob.endpoint.id: "active", bob.keyEndpoint.id: "active"}
	require.Equal(t, want, statuses(removed))
	require.Equal(t, want, statuses(ada.get(t, list)))
	rows := auditRows(t, super, op.value)
	require.JSONEq(t, `{"revoked_invitations": 1, "suspended_api_keys": 1, "held_webhook_subscriptions": 2}`, rows[0].Changes)

	requireCode(t, p.accept(t, bob.token, password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	requireCode(t, bob.key.get(t, "/v1/bots"), http.StatusUnauthorized, "API_KEY_SUSPENDED")
	requireCode(t, bob.key.post(t, "/v1/bots", map[string]any{"name": "x"}), http.StatusUnauthorized, "API_KEY_SUSPENDED")
	ada.update(t, bot)
	waitHeld(t, super, 2)
	for _, e := range []endpoint{bob.endpoint, bob.keyEndpoint} {
		event := e.says(t, "chat", "hello").text("event_id")
		ada.waitUntil(t, "/v1/webhook-events/"+event, "status", "processed")
	}
	require.Empty(t, slices.Concat(bob.hook.all(), bob.keyHook.all()))

	p.rejoin(t, bob.caller, "admin") // invited again, and nothing comes back by itself
	requireCode(t, bob.key.get(t, "/v1/bots"), http.StatusUnauthorized, "API_KEY_SUSPENDED")
	require.Equal(t, want, statuses(bob.get(t, list)))
	require.Equal(t, http.StatusOK, ada.delete(t, "/v1/members/"+bob.user).Status)

	adopt := map[string]string{
		bob.key.user: "/v1/api-keys/", bob.subscription: "/v1/webhook-subscriptions/", bob.keySub: "/v1/webhook-subscriptions/",
		bob.endpoint.id: "/v1/webhook-endpoints/", bob.keyEndpoint.id: "/v1/webhook-endpoints/",
	}
	for id, path := range adopt {
		requireCode(t, editor.post(t, path+id+"/adopt", nil), http.StatusForbidden, "FORBIDDEN")
		require.Equal(t, http.StatusNotFound, eve.post(t, path+id+"/adopt", nil).Status)
	}
	requireCode(t, editor.get(t, list), http.StatusForbidden, "FORBIDDEN")

	key := ada.post(t, "/v1/api-keys/"+bob.key.user+"/adopt", nil)
	require.Equal(t, http.StatusOK, key.Status, key)
	require.Equal(t, []any{ada.user, bob.user, nil}, []any{key.at("responsible_id"), key.at("created_by"), key.at("suspended_at")})
	require.Equal(t, http.StatusOK, bob.key.get(t, "/v1/bots").Status)
	delete(want, bob.key.user)
	require.Equal(t, want, statuses(ada.get(t, list)), "what an adopted key made is not adopted with it")

	for id, hook := range map[string]*receiver{bob.subscription: bob.hook, bob.keySub: bob.keyHook} {
		op := operation(uuid.NewString())
		adopted := ada.post(t, adopt[id]+id+"/adopt", nil, op)
		require.Equal(t, []any{ada.user, nil}, []any{adopted.at("responsible_id"), adopted.at("held_at")}, adopted)
		hook.waitFor(t, 1)
		require.Equal(t, "webhook_subscription.adopt", auditRows(t, super, op.value)[0].Action)
		require.Equal(t, http.StatusOK, ada.post(t, adopt[id]+id+"/adopt", nil).Status, "twice is once")
	}
	require.Equal(t, ada.user, ada.post(t, "/v1/webhook-endpoints/"+bob.endpoint.id+"/adopt", nil).text("responsible_id"))
	require.Equal(t, http.StatusNoContent, ada.delete(t, "/v1/webhook-endpoints/"+bob.keyEndpoint.id).Status)
	left := ada.get(t, list)
	require.Equal(t, []any{http.StatusOK, 0}, []any{left.Status, len(left.items())}, left)
	require.Len(t, statuses(ada.get(t, "/v1/members/"+ada.user+"/resources?limit=100")), 4, "now it is hers")
	ada.update(t, bot)
	require.Len(t, bob.hook.waitFor(t, 2), 2)
	require.Equal(t, 0, count(t, super, `SELECT count(*) FROM dead_letter_queue`))
}

func TestADemotedMemberKeepsNoAuthorityBeyondItsRole(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada := p.register(t)
	super, bot := pg.Superuser(t, p.database), ada.newBot(t)
	demote := func(g given, role string) {
		require.Equal(t, http.StatusOK, ada.patch(t, "/v1/members/"+g.user, map[string]any{"role": role}).Status)
	}

	owner := ada.gives(t, "owner", bot)
	_, lower := owner.invite(t, "lower@example.com", "admin")
	demote(owner, "admin")
	requireCode(t, p.accept(t, owner.token, password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	require.Equal(t, http.StatusOK, p.accept(t, lower, password).Status, "an admin may give that still")
	require.Equal(t, http.StatusCreated, owner.key.post(t, "/v1/bots", map[string]any{"name": "x"}).Status)

	admin := ada.gives(t, "admin", bot)
	_, lower = admin.invite(t, "viewer@example.com", "viewer")
	reader := admin.caller.key(t, "viewer")
	demote(admin, "editor")
	requireCode(t, p.accept(t, lower, password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	require.Equal(t, http.StatusCreated, admin.key.post(t, "/v1/bots", map[string]any{"name": "x"}).Status, "an editor may do as much")
	ada.update(t, bot)
	admin.hook.waitFor(t, 1)
	admin.keyHook.waitFor(t, 1)

	demote(admin, "viewer")
	requireCode(t, admin.key.post(t, "/v1/bots", map[string]any{"name": "x"}), http.StatusUnauthorized, "API_KEY_SUSPENDED")
	require.Equal(t, http.StatusOK, reader.get(t, "/v1/bots").Status)
	ada.update(t, bot)
	waitHeld(t, super, 2)

	demote(admin, "admin") // back again, and what has stopped waits for somebody who adopts it
	list := "/v1/members/" + admin.user + "/resources"
	require.Equal(t, map[string]string{
		admin.key.user: "suspended", reader.user: "active", admin.subscription: "held", admin.keySub: "held",
		admin.endpoint.id: "active", admin.keyEndpoint.id: "active",
	}, statuses(ada.get(t, list)))
	require.Equal(t, http.StatusOK, admin.post(t, "/v1/webhook-subscriptions/"+admin.subscription+"/adopt", nil).Status)
	admin.hook.waitFor(t, 2)
	require.Len(t, admin.keyHook.all(), 1)
}

func TestWhatARevokedKeyMadeWaitsUntilItIsAdopted(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada := p.register(t)
	super, bot := pg.Superuser(t, p.database), ada.newBot(t)
	key, hook, adopted := ada.key(t, "editor"), newReceiver(t), newReceiver(t)
	sub, other, chat := key.subscribe(t, hook.URL, "bot.updated").id, key.subscribe(t, adopted.URL, "bot.updated").id, key.newEndpoint(t, bot)
	require.Equal(t, http.StatusOK, ada.post(t, "/v1/webhook-subscriptions/"+other+"/adopt", nil).Status)
	require.Equal(t, http.StatusNoContent, ada.delete(t, "/v1/api-keys/"+key.user).Status)

	want := map[string]string{sub: "held", chat.id: "active"}
	require.Equal(t, want, statuses(ada.get(t, "/v1/api-keys/"+key.user+"/resources")))
	want[other] = "active"
	require.Equal(t, want, statuses(ada.get(t, "/v1/members/"+ada.user+"/resources")), "also what her keys have left")
	requireCode(t, ada.get(t, "/v1/api-keys/"+uuid.NewString()+"/resources"), http.StatusNotFound, "API_KEY_NOT_FOUND")
	requireCode(t, ada.post(t, "/v1/api-keys/"+key.user+"/adopt", nil), http.StatusNotFound, "API_KEY_NOT_FOUND")
	ada.update(t, bot)
	adopted.waitFor(t, 1)
	waitHeld(t, super, 1)
	ada.waitUntil(t, "/v1/webhook-events/"+chat.says(t, "chat", "hello").text("event_id"), "status", "processed")
	require.Empty(t, hook.all())
	require.Equal(t, http.StatusOK, ada.post(t, "/v1/webhook-subscriptions/"+sub+"/adopt", nil).Status)
	hook.waitFor(t, 1)
}

func TestASubscriptionWaitsWhenWhoeverChangedItsURLIsRemoved(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada := p.register(t)
	super, bot := pg.Superuser(t, p.database), ada.newBot(t)
	bob, hook, elsewhere := p.join(t, ada, "editor"), newReceiver(t), newReceiver(t)
	path := "/v1/webhook-subscriptions/" + ada.subscribe(t, hook.URL, "bot.updated").id
	require.Equal(t, ada.user, bob.patch(t, path, map[string]any{"url": hook.URL, "status": "active"}).text("responsible_id"), "it is the same URL")
	require.Equal(t, bob.user, bob.patch(t, path, map[string]any{"url": elsewhere.URL}).text("responsible_id"))
	require.Equal(t, http.StatusOK, ada.delete(t, "/v1/members/"+bob.user).Status)
	ada.update(t, bot)
	waitHeld(t, super, 1)
	back := ada.patch(t, path, map[string]any{"url": hook.URL})
	require.Equal(t, bob.user, back.text("responsible_id"), back)
	require.NotNil(t, back.at("held_at"), "to change it is not to adopt it")
	require.Equal(t, http.StatusOK, ada.post(t, path+"/adopt", nil).Status)
	hook.waitFor(t, 1)
	require.Empty(t, elsewhere.all())

	require.Equal(t, http.StatusOK, p.join(t, ada, "admin").patch(t, path, map[string]any{"url": elsewhere.URL}).Status)
	require.Equal(t, http.StatusNoContent, ada.delete(t, path).Status)
}

func TestHeldDeliveriesEndWithTheirSubscription(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada := p.register(t)
	super, bot := pg.Superuser(t, p.database), ada.newBot(t)
	key, hook := ada.key(t, "editor"), newReceiver(t)
	sub := key.subscribe(t, hook.URL, "bot.updated").id
	require.Equal(t, http.StatusNoContent, ada.delete(t, "/v1/api-keys/"+key.user).Status)
	ada.update(t, bot)
	waitHeld(t, super, 1)
	require.Equal(t, http.StatusNoContent, ada.delete(t, "/v1/webhook-subscriptions/"+sub).Status)
	require.Empty(t, ada.get(t, "/v1/api-keys/"+key.user+"/resources").items())
	ada.waitUntil(t, "/v1/webhook-deliveries/"+ada.get(t, "/v1/webhook-deliveries").items()[0]["id"].(string), "status", "failed")
	require.Empty(t, hook.all())
	require.Empty(t, ada.get(t, "/v1/dead-letters").items())
}

func TestHeldDeliveriesWaitSevenDays(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada := p.register(t)
	super, bot := pg.Superuser(t, p.database), ada.newBot(t)
	bob := ada.gives(t, "admin", bot)
	require.Equal(t, http.StatusNoContent, bob.delete(t, "/v1/webhook-subscriptions/"+bob.keySub).Status)
	require.Equal(t, http.StatusOK, ada.delete(t, "/v1/members/"+bob.user).Status)
	ada.update(t, bot)
	waitHeld(t, super, 1)
	path := "/v1/webhook-deliveries/" + ada.get(t, "/v1/webhook-deliveries?subscription_id="+bob.subscription).items()[0]["id"].(string)
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
	require.Zero(t, ada.get(t, path).at("attempts"), "waiting is no attempt")
	age(7)
	ada.waitUntil(t, path, "status", "failed")
	letter := ada.get(t, "/v1/dead-letters?kind=webhook.deliver").items()[0]
	require.Contains(t, letter["last_error"], "held for seven days")
	ada.update(t, bot)
	require.Len(t, ada.get(t, "/v1/webhook-deliveries?subscription_id="+bob.subscription).items(), 1, "nobody will read what comes now")

	require.Equal(t, http.StatusOK, ada.post(t, "/v1/webhook-subscriptions/"+bob.subscription+"/adopt", nil).Status)
	require.Equal(t, http.StatusOK, ada.post(t, "/v1/dead-letters/"+letter["id"].(string)+"/retry", nil).Status)
	ada.waitUntil(t, path, "status", "delivered")
	require.Len(t, bob.hook.all(), 1)
}

func TestAReplayAfterTheMembershipHasEndedIsRefused(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	_, token := ada.invite(t, "grace@example.com", "editor")
	op := operation(uuid.NewString())
	grace := p.accept(t, token, password, op)
	require.Equal(t, http.StatusOK, grace.Status, grace)
	require.Equal(t, http.StatusOK, ada.delete(t, "/v1/members/"+grace.text("user_id")).Status)
	requireCode(t, p.accept(t, token, password, op), http.StatusForbidden, "MEMBERSHIP_ENDED")
	requireCode(t, p.accept(t, token, "another password", op), http.StatusUnauthorized, "INVALID_CREDENTIALS")
	requireCode(t, p.accept(t, token, password), http.StatusConflict, "INVITATION_USED")
	alone := p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": "grace@example.com", "password": password})
	require.Nil(t, alone.Body["workspace_id"], alone)

	body := map[string]any{"email": "hal@example.com", "password": password, "workspace_name": "Acme"}
	hal := &caller{program: p}
	hal.take(hal.post(t, "/v1/auth/register", body, op))
	p.join(t, hal, "owner")
	require.Equal(t, http.StatusNoContent, hal.post(t, "/v1/workspaces/"+hal.workspace+"/leave", nil).Status)
	alone = p.anonymous().post(t, "/v1/auth/register", body, op)
	require.Equal(t, http.StatusCreated, alone.Status, alone)
	require.Nil(t, alone.Body["workspace_id"], alone)
}

// A key has never more than the member who is responsible for it, whatever has become of that membership.
func TestAKeyIsHeldToTheRoleOfTheMemberWhoIsResponsibleForIt(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	ada := p.register(t)
	super := pg.Superuser(t, p.database)
	bob := p.join(t, ada, "admin")
	writes, reads := bob.key(t, "editor"), bob.key(t, "viewer")
	role := func(role string) {
		_, err := super.Exec(t.Context(), `UPDATE workspace_members SET role = $1 WHERE user_id = $2 AND workspace_id = $3`, role, bob.user, ada.workspace)
		require.NoError(t, err)
	}
	role("viewer")
	requireCode(t, writes.get(t, "/v1/bots"), http.StatusUnauthorized, "API_KEY_SUSPENDED")
	require.Equal(t, http.StatusOK, reads.get(t, "/v1/bots").Status)
	role("editor")
	require.Equal(t, http.StatusOK, writes.get(t, "/v1/bots").Status)
	_, token := ada.invite(t, "grace@example.com", "editor")
	_, err := super.Exec(t.Context(), `UPDATE invitations SET invited_by = $1`, bob.user)
	require.NoError(t, err)
	requireCode(t, p.accept(t, token, password), http.StatusNotFound, "INVITATION_NOT_FOUND")
	_, err = super.Exec(t.Context(), `DELETE FROM workspace_members WHERE user_id = $1`, bob.user)
	require.NoError(t, err)
	requireCode(t, reads.get(t, "/v1/bots"), http.StatusUnauthorized, "API_KEY_SUSPENDED")
}
