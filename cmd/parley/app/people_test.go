package app

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/api"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/usage"
)

// join makes a user who is signed in to another's workspace with a role.
func (p *program) join(t *testing.T, host *caller, role string) *caller {
	t.Helper()
	guest := p.register(t)
	guest.workspace = host.workspace
	p.rejoin(t, guest, role)
	return guest
}

// rejoin makes a user a member of its workspace, as which it logs in.
func (p *program) rejoin(t *testing.T, c *caller, role string) {
	t.Helper()
	_, err := pg.Superuser(t, p.database).Exec(t.Context(), `INSERT INTO workspace_members VALUES ($1, $2, $3, now())`, c.workspace, c.user, role)
	require.NoError(t, err)
	in := p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": c.email, "password": password, "workspace_id": c.workspace})
	require.Equal(t, http.StatusOK, in.Status, in)
	c.take(in)
}
func (c *caller) delete(t *testing.T, path string, headers ...header) answer {
	t.Helper()
	return c.call(t, http.MethodDelete, path, nil, headers...)
}

// everyOperation gives every call of the document that needs a token, with its permission, and ids of nothing in its path.
func everyOperation(t *testing.T, workspace string, visit func(id, permission, method, path string)) {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(api.YAML)
	require.NoError(t, err)
	for template, item := range document.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Security != nil && len(*op.Security) == 0 {
				continue
			}
			path := strings.ReplaceAll(template, "{workspace_id}", workspace)
			path = strings.NewReplacer("{version}", "1", "{a}", "1", "{b}", "1", "{provider}", "openai").Replace(path)
			for strings.Contains(path, "{") {
				start, end := strings.Index(path, "{"), strings.Index(path, "}")
				path = path[:start] + uuid.NewString() + path[end+1:]
			}
			permission, _ := op.Extensions["x-permission"].(string)
			visit(op.OperationID, permission, method, path)
		}
	}
}

// walks makes a call of the walk; one of them takes a file.
func (c *caller) walks(t *testing.T, id, method, path string, body any) answer {
	t.Helper()
	if id == "createFile" {
		return c.upload(t, "x.txt", "x")
	}
	return c.call(t, method, path, body)
}

// bodiesOf are right bodies for the calls on nothing with an id; a new call of the document needs one here.
func bodiesOf(bot string) map[string]any {
	return map[string]any{
		"createBot": map[string]any{"name": "x"}, "createThread": map[string]any{"bot_id": bot}, "retryDeadLetters": map[string]any{"kind": "x"},
		"createWebhookEndpoint": map[string]any{"name": "x", "bot_id": bot}, "createWorkspace": map[string]any{"name": "x"},
		"createWebhookSubscription": map[string]any{"url": "https://example.com", "events": []string{"turn.completed"}},
		"createInvitation":          map[string]any{"email": uuid.NewString() + "@example.com", "role": "viewer"},
		"putModelSettings":          map[string]any{"default_model": "echo"},
		"putModelKey":               map[string]any{"api_key": "sk-12345678"},
		"createApiKey":              map[string]any{"name": "x", "role": "viewer"},
		"changePassword":            map[string]any{"current_password": "wrong one", "new_password": "another good one"},
	}
}

// TestEveryCallIsHeldToItsRoleAndPermission walks the whole matrix of role and call. Bodies are right where a call has one:
// who is let in gets an answer of the call itself, who is not gets 403 with what was lacking.
func TestEveryCallIsHeldToItsRoleAndPermission(t *testing.T) {
	t.Parallel()
	p := start(t, "WORKERS=0")
	host := p.register(t)
	bodies := bodiesOf(uuid.NewString())
	maps.Copy(bodies, samples)
	rules := map[string]domain.Rule{}
	for _, rule := range domain.Rules() {
		rules[string(rule.Permission)] = rule
	}
	unused := map[string]bool{}
	for name := range rules {
		unused[name] = true
	}
	super := pg.Superuser(t, p.database)
	for _, role := range []domain.Role{domain.Owner, domain.Admin, domain.Editor, domain.Viewer} {
		walked, guest := 0, p.join(t, host, string(role))
		everyOperation(t, host.workspace, func(id, permission, method, path string) {
			walked++
			delete(unused, permission)
			if id == "deleteWorkspace" && role == domain.Owner {
				return // it would end the walk too
			}
			if id == "logout" || id == "leaveWorkspace" || id == "logoutAll" {
				require.Equal(t, "none", permission, id)
				return // it would end the walk
			}
			var body any
			if method != http.MethodGet && method != http.MethodDelete {
				body = bodies[id]
			}
			refusals := count(t, super, `SELECT count(*) FROM audit_log WHERE action = 'access.refuse' AND workspace_id = $1`, host.workspace)
			a := guest.walks(t, id, method, path, body)
			name := fmt.Sprintf("%s: %s (%s)", role, id, permission)
			if permission == "none" || slices.Contains(rules[permission].Roles(), role) {
				require.NotEqual(t, http.StatusForbidden, a.Status, "%s: %s", name, a)
				require.NotEqual(t, http.StatusUnprocessableEntity, a.Status, "%s: the body of this test is wrong: %s", name, a)
				return
			}
			requireCode(t, a, http.StatusForbidden, "FORBIDDEN")
			require.Equal(t, map[string]any{"role": string(role), "permission": permission}, a.Body["details"], name)
			if method != http.MethodGet {
				refusals++
			}
			require.Equal(t, refusals, count(t, super, `SELECT count(*) FROM audit_log WHERE action = 'access.refuse' AND workspace_id = $1`, host.workspace), "%s: audited where it was refused", name)
		})
		require.Greater(t, walked, 40, "the walk has missed calls")
	}
	require.Empty(t, unused, "permissions that no call needs")
}

func TestTheGuideHasTheTableOfPermissionsThatTheProgramGoesBy(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../api/guides/people.md")
	require.NoError(t, err)
	mark := map[bool]string{true: "x", false: "-"}
	keys := map[domain.KeyUse]string{domain.NoKey: "no", domain.WholeKey: "not if limited to bots", domain.AnyKey: "yes"}
	var lines []string
	for _, r := range domain.Rules() {
		lines = append(lines, fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |\n", r.Permission, mark[r.Owner], mark[r.Admin], mark[r.Editor], mark[r.Viewer], keys[r.Keys]))
	}
	require.Contains(t, string(guide), "| --- | --- | --- | --- | --- | --- |\n"+strings.Join(lines, ""))
}

func TestAUserWorksInTheWorkspaceThatItPicks(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	op := operation(uuid.NewString())
	made := ada.post(t, "/v1/workspaces", map[string]any{"name": "Labs"}, op)
	require.Equal(t, http.StatusCreated, made.Status, made)
	require.Equal(t, "owner", made.text("role"))
	labs := made.text("id")
	again := ada.post(t, "/v1/workspaces", map[string]any{"name": "Labs"}, op)
	require.Equal(t, made.Raw, again.Raw)
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))
	requireCode(t, ada.post(t, "/v1/workspaces", map[string]any{"name": "Other"}, op), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")

	list := ada.get(t, "/v1/workspaces").items()
	require.Len(t, list, 2)
	require.Equal(t, []any{"Acme", "Labs"}, []any{list[0]["name"], list[1]["name"]})
	first := ada.get(t, "/v1/workspaces?limit=1")
	require.Equal(t, labs, ada.get(t, "/v1/workspaces?limit=1&cursor="+first.text("next_cursor")).items()[0]["id"])
	me := ada.get(t, "/v1/auth/me")
	require.Equal(t, []any{
		map[string]any{"workspace_id": ada.workspace, "name": "Acme", "role": "owner", "deleted_at": nil},
		map[string]any{"workspace_id": labs, "name": "Labs", "role": "owner", "deleted_at": nil},
	}, me.Body["memberships"])

	there := header{"X-Workspace-Id", labs}
	require.Equal(t, "Labs", ada.get(t, "/v1/auth/me", there).text("workspace_name"))
	require.Equal(t, http.StatusCreated, ada.post(t, "/v1/bots", map[string]any{"name": "b"}, there).Status)
	require.Empty(t, ada.get(t, "/v1/bots").items())
	login := func(workspace string) answer {
		return p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": ada.email, "password": password, "workspace_id": workspace})
	}
	require.Equal(t, labs, login(labs).text("workspace_id"))
	requireCode(t, login(p.register(t).workspace), http.StatusForbidden, "FORBIDDEN")
	requireWrong(t, login("mine"), "workspace_id")

	renamed := ada.patch(t, "/v1/workspaces/"+labs, map[string]any{"name": "Lab"})
	require.Equal(t, "Lab", renamed.text("name"), renamed)
	require.Equal(t, labs, renamed.Header.Get("X-Workspace-Id"))
	require.Equal(t, "Lab", ada.get(t, "/v1/workspaces/"+labs, there).text("name"))
	requireCode(t, ada.get(t, "/v1/workspaces/"+labs, header{"X-Workspace-Id", ada.workspace}), http.StatusForbidden, "FORBIDDEN")
	requireWrong(t, ada.get(t, "/v1/workspaces/mine"), "workspace_id")
	requireWrong(t, ada.patch(t, "/v1/workspaces/"+labs, map[string]any{"name": " "}), "name")
}

func TestAChangeOfRoleHoldsForTheNextCall(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	bob := p.join(t, ada, "viewer")
	members := ada.get(t, "/v1/members").items()
	require.Len(t, members, 2)
	require.Equal(t, bob.email, members[1]["email"])
	requireCode(t, bob.post(t, "/v1/bots", map[string]any{"name": "x"}), http.StatusForbidden, "FORBIDDEN")
	op := operation(uuid.NewString())
	changed := ada.patch(t, "/v1/members/"+bob.user, map[string]any{"role": "editor"}, op)
	require.Equal(t, http.StatusOK, changed.Status, changed)
	require.Equal(t, "editor", changed.text("role"))
	kept := operation(uuid.NewString())
	require.Equal(t, http.StatusCreated, bob.post(t, "/v1/bots", map[string]any{"name": "x"}, kept).Status)
	rows := auditRows(t, pg.Superuser(t, p.database), op.value)
	require.Len(t, rows, 1)
	require.Equal(t, "member.change_role", rows[0].Action)
	require.JSONEq(t, `{"role": {"from": "viewer", "to": "editor"}}`, rows[0].Changes)

	requireWrong(t, ada.patch(t, "/v1/members/"+bob.user, map[string]any{"role": "king"}), "role")
	requireCode(t, bob.patch(t, "/v1/members/"+bob.user, map[string]any{"role": "admin"}), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, http.StatusOK, ada.patch(t, "/v1/members/"+bob.user, map[string]any{"role": "admin"}).Status)
	requireCode(t, bob.patch(t, "/v1/members/"+bob.user, map[string]any{"role": "owner"}), http.StatusForbidden, "OWN_ROLE")
	requireCode(t, bob.patch(t, "/v1/members/"+ada.user, map[string]any{"role": "viewer"}), http.StatusForbidden, "ROLE_TOO_HIGH")
	requireCode(t, bob.delete(t, "/v1/members/"+ada.user), http.StatusForbidden, "ROLE_TOO_HIGH")
	requireCode(t, ada.delete(t, "/v1/members/"+p.register(t).user), http.StatusNotFound, "MEMBER_NOT_FOUND")

	require.Equal(t, http.StatusOK, ada.patch(t, "/v1/members/"+bob.user, map[string]any{"role": "viewer"}).Status)
	requireCode(t, bob.post(t, "/v1/bots", map[string]any{"name": "x"}, kept), http.StatusForbidden, "FORBIDDEN") // not replayed either
}

func TestARemovedMemberIsOutAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	bob := p.join(t, ada, "admin")
	home := p.anonymous()
	home.take(home.post(t, "/v1/auth/login", map[string]any{"email": bob.email, "password": password}))
	require.NotEqual(t, ada.workspace, home.workspace)
	there := header{"X-Workspace-Id", ada.workspace}
	require.Equal(t, http.StatusOK, home.get(t, "/v1/bots", there).Status)

	op := operation(uuid.NewString())
	require.Equal(t, http.StatusOK, ada.delete(t, "/v1/members/"+bob.user, op).Status)
	require.Equal(t, http.StatusOK, ada.delete(t, "/v1/members/"+bob.user, op).Status, "the same call again")
	requireCode(t, bob.get(t, "/v1/bots"), http.StatusUnauthorized, "UNAUTHORIZED")
	requireCode(t, bob.post(t, "/v1/auth/refresh", map[string]any{"refresh_token": bob.refresh}), http.StatusUnauthorized, "UNAUTHORIZED")
	requireCode(t, home.get(t, "/v1/bots", there), http.StatusForbidden, "FORBIDDEN")
	requireCode(t, home.get(t, "/v1/workspaces/"+ada.workspace), http.StatusNotFound, "WORKSPACE_NOT_FOUND")
	require.Equal(t, http.StatusOK, home.get(t, "/v1/bots").Status)
}

func TestOfTwoOwnersWhoGoAtOnceOneStays(t *testing.T) {
	t.Parallel()
	p := start(t)
	for name, goes := range map[string]func(c, other *caller) (method, path string, body any){
		"leave": func(c, _ *caller) (string, string, any) {
			return http.MethodPost, "/v1/workspaces/" + c.workspace + "/leave", nil
		},
		"step down": func(c, _ *caller) (string, string, any) {
			return http.MethodPatch, "/v1/members/" + c.user, map[string]any{"role": "viewer"}
		},
		"each other": func(_, other *caller) (string, string, any) {
			return http.MethodDelete, "/v1/members/" + other.user, nil
		},
		"lower other": func(_, other *caller) (string, string, any) {
			return http.MethodPatch, "/v1/members/" + other.user, map[string]any{"role": "admin"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			super := pg.Superuser(t, p.database)
			for range 5 {
				ada := p.register(t)
				bob := p.join(t, ada, "owner")
				turn := make(chan *caller, 2)
				turn <- ada
				turn <- bob
				both := atOnce(2, func() answer {
					c, other := <-turn, bob
					if c == bob {
						other = ada
					}
					method, path, body := goes(c, other)
					return c.call(t, method, path, body)
				})
				went := 0
				for _, a := range both {
					if a.Status < 300 {
						went++
					}
				}
				require.Equal(t, 1, went, both)
				require.Equal(t, 1, count(t, super, `SELECT count(*) FROM workspace_members WHERE workspace_id = $1 AND role = 'owner'`, ada.workspace))
			}
		})
	}
	alone := p.register(t)
	requireCode(t, alone.post(t, "/v1/workspaces/"+alone.workspace+"/leave", nil), http.StatusConflict, "LAST_OWNER")
	requireCode(t, alone.patch(t, "/v1/members/"+alone.user, map[string]any{"role": "admin"}), http.StatusConflict, "LAST_OWNER")
	requireCode(t, alone.delete(t, "/v1/members/"+alone.user), http.StatusConflict, "LAST_OWNER")
}

func TestAWorkspaceHasNoMoreBotsThanItsLimitAllows(t *testing.T) {
	t.Parallel()
	p := start(t, "LIMIT_BOTS=2")
	ada, eve := p.register(t), p.register(t)
	made, refused := 0, 0
	for _, a := range atOnce(8, func() answer { return ada.post(t, "/v1/bots", map[string]any{"name": "b"}) }) {
		if a.Status == http.StatusCreated {
			made++
			continue
		}
		requireCode(t, a, http.StatusForbidden, "LIMIT_REACHED")
		require.Equal(t, map[string]any{"metric": "bots", "limit": 2.0, "used": 2.0, "resets_at": nil}, a.Body["details"])
		refused++
	}
	require.Equal(t, []int{2, 6}, []int{made, refused})
	require.Equal(t, http.StatusCreated, eve.post(t, "/v1/bots", map[string]any{"name": "b"}).Status)
	require.Equal(t, map[string]any{"metric": "bots", "used": 2.0, "limit": 2.0, "remaining": 0.0, "resets_at": nil}, ada.used(t, usage.Bots))
	ada.limit(t, usage.Bots, 3)
	require.Equal(t, http.StatusCreated, ada.post(t, "/v1/bots", map[string]any{"name": "b"}).Status)
	requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": "b"}), http.StatusForbidden, "LIMIT_REACHED")
}

func TestArchivedBotsDoNotCountAndComeBackOnlyWhereThereIsRoom(t *testing.T) {
	t.Parallel()
	p := start(t, "LIMIT_BOTS=2")
	ada := p.register(t)
	first, second := ada.newBot(t), ada.newBot(t)
	limited := ada.key(t, "editor", map[string]any{"bot_ids": []string{first}})
	requireCode(t, ada.post(t, "/v1/bots", map[string]any{"name": "b"}), http.StatusForbidden, "LIMIT_REACHED")
	status := func(c *caller, bot, to string) answer {
		return c.patch(t, "/v1/bots/"+bot, map[string]any{"status": to})
	}
	require.Equal(t, http.StatusOK, status(ada, first, "archived").Status)
	require.Equal(t, map[string]any{"metric": "bots", "used": 1.0, "limit": 2.0, "remaining": 1.0, "resets_at": nil}, ada.used(t, usage.Bots))
	third := ada.newBot(t)

	for name, c := range map[string]*caller{"a person": ada, "a key that sees no other bot": limited} {
		full := status(c, first, "active")
		requireCode(t, full, http.StatusForbidden, "LIMIT_REACHED")
		require.Equal(t, map[string]any{"metric": "bots", "limit": 2.0, "used": 2.0, "resets_at": nil}, full.Body["details"], name)
	}
	require.Equal(t, "archived", ada.get(t, "/v1/bots/"+first).text("status"))
	require.Equal(t, http.StatusOK, status(ada, second, "active").Status, "a draft counts already")
	require.Equal(t, http.StatusOK, status(ada, first, "archived").Status, "archived as it is")

	require.Equal(t, http.StatusOK, status(ada, second, "archived").Status)
	bots := make(chan string, 2)
	bots <- first
	bots <- second
	back := 0
	for _, a := range atOnce(2, func() answer { return status(ada, <-bots, "active") }) {
		if a.Status == http.StatusOK {
			back++
			continue
		}
		requireCode(t, a, http.StatusForbidden, "LIMIT_REACHED")
	}
	require.Equal(t, 1, back, "of two that come back at once")
	require.Equal(t, http.StatusOK, status(ada, third, "archived").Status)
	require.Equal(t, http.StatusOK, status(limited, first, "active").Status)
}

func TestWhoIsInNoWorkspaceLogsInWithTheRightPasswordOnly(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	_, err := pg.Superuser(t, p.database).Exec(t.Context(), `DELETE FROM workspace_members WHERE user_id = $1`, ada.user)
	require.NoError(t, err)
	login := func(word string) answer {
		return p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": ada.email, "password": word})
	}
	require.Equal(t, http.StatusOK, login(password).Status)
	requireCode(t, login("wrong"), http.StatusUnauthorized, "INVALID_CREDENTIALS")
}
