package accounts

import (
	"cmp"
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
	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/ops/usage"
)

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

// bodiesOf are right bodies for the calls on nothing with an id; a new call of the document needs one here.
func bodiesOf(bot string) map[string]any {
	return map[string]any{
		"createBot": map[string]any{"name": "x"}, "createThread": map[string]any{"bot_id": bot}, "retryDeadLetters": map[string]any{"kind": "x"},
		"createWebhookEndpoint": map[string]any{"name": "x", "bot_id": bot}, "createWorkspace": map[string]any{"name": "x"},
		"createWebhookSubscription": map[string]any{"url": "https://example.com", "events": []string{"turn.completed"}},
		"createInvitation":          map[string]any{"email": uuid.NewString() + "@example.com", "role": "viewer"},
		"putModelSettings":          map[string]any{"default_model": "echo"},
		"putModelKey":               map[string]any{"api_key": "sk-12345678"},
		"putEmbeddingKey":           map[string]any{"api_key": "sk-12345678", "model": "m"},
		"createTool":                harness.ToolBody("x"),
		"importTools":               map[string]any{"document": "openapi: 3.1.0\nservers: [{url: https://example.com}]"},
		"importMcpTools":            map[string]any{"url": "http://mcp.example.com"},
		"createKnowledgeBase":       map[string]any{"name": "x"},
		"searchKnowledge":           map[string]any{"query": "x", "knowledge_base_ids": []string{uuid.NewString()}},
		"createEmbeddings":          map[string]any{"model": "none", "input": "x"},
		"createApiKey":              map[string]any{"name": "x", "role": "viewer"},
		"createEndUserToken":        map[string]any{"bot_id": bot},
		"mergeEndUser":              map[string]any{"external_id": "known"},
		"changePassword":            map[string]any{"current_password": "wrong one", "new_password": "another good one"},
		"changeEmail":               map[string]any{"email": uuid.NewString() + "@example.com", "password": "wrong one"},
		"verifyEmail":               map[string]any{"code": "123456"},
		"deleteMe":                  map[string]any{"password": "wrong one"},
		"reauthenticate":            map[string]any{"password": "wrong one"},
		"confirmTotp":               map[string]any{"code": "123456"},
	}
}

// TestEveryCallIsHeldToItsRoleAndPermission walks the whole matrix of role and call. Bodies are right where a call has one:
// who is let in gets an answer of the call itself, who is not gets 403 with what was lacking.
func TestEveryCallIsHeldToItsRoleAndPermission(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0", "EMAIL_VERIFICATION=off", "WEBHOOK_ALLOW_PRIVATE=true")
	host := p.Register(t)
	bodies := bodiesOf(uuid.NewString())
	bodies["importMcpTools"] = map[string]any{"url": harness.NewMCPServer(t).URL}
	maps.Copy(bodies, samples)
	rules := map[string]domain.Rule{}
	for _, rule := range domain.Rules() {
		rules[string(rule.Permission)] = rule
	}
	unused := map[string]bool{}
	for name := range rules {
		unused[name] = true
	}
	super := harness.Postgres.Superuser(t, p.Database)
	for _, role := range []domain.Role{domain.Owner, domain.Admin, domain.Editor, domain.Viewer} {
		walked, guest := 0, p.Join(t, host, string(role))
		everyOperation(t, host.Workspace, func(id, permission, method, path string) {
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
			refusals := harness.Count(t, super, `SELECT count(*) FROM audit_log WHERE action = 'access.refuse' AND workspace_id = $1`, host.Workspace)
			a := guest.Walks(t, id, method, path, body)
			name := fmt.Sprintf("%s: %s (%s)", role, id, permission)
			if permission == "none" || slices.Contains(rules[permission].Roles(), role) {
				require.NotEqual(t, http.StatusForbidden, a.Status, "%s: %s", name, a)
				if a.Body["code"] != "WRONG_CODE" { // an answer of the call itself
					require.NotEqual(t, http.StatusUnprocessableEntity, a.Status, "%s: the body of this test is wrong: %s", name, a)
				}
				return
			}
			harness.RequireCode(t, a, http.StatusForbidden, "FORBIDDEN")
			if a.Body["error"] == nil { // OpenAI's form has no details
				require.Equal(t, map[string]any{"role": string(role), "permission": permission}, a.Body["details"], name)
			}
			if method != http.MethodGet {
				refusals++
			}
			require.Equal(t, refusals, harness.Count(t, super, `SELECT count(*) FROM audit_log WHERE action = 'access.refuse' AND workspace_id = $1`, host.Workspace), "%s: audited where it was refused", name)
		})
		require.Greater(t, walked, 40, "the walk has missed calls")
	}
	require.Empty(t, unused, "permissions that no call needs")
}

func TestTheGuideHasTheTableOfPermissionsThatTheProgramGoesBy(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../../../api/guides/people.md")
	require.NoError(t, err)
	others := map[domain.Role]string{domain.Chat: "`chat` keys", domain.Embed: "`embed` keys", domain.EndUserRole: "end users"}
	mark := map[bool]string{true: "x", false: "-"}
	keys := map[domain.KeyUse]string{domain.NoKey: "no", domain.WholeKey: "not if limited to bots", domain.AnyKey: "yes"}
	var lines []string
	for _, r := range domain.Rules() {
		only := []string{}
		for _, role := range r.Only {
			only = append(only, others[role])
		}
		may := keys[r.Keys]
		if !r.Viewer && !r.Owner {
			may = "no"
		}
		lines = append(lines, fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s | %s |\n", r.Permission, mark[r.Owner], mark[r.Admin], mark[r.Editor], mark[r.Viewer], may, cmp.Or(strings.Join(only, ", "), "-")))
	}
	require.Contains(t, string(guide), "| --- | --- | --- | --- | --- | --- | --- |\n"+strings.Join(lines, ""))
}

func TestAUserWorksInTheWorkspaceThatItPicks(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	op := harness.Operation(uuid.NewString())
	made := ada.Post(t, "/v1/workspaces", map[string]any{"name": "Labs"}, op)
	require.Equal(t, http.StatusCreated, made.Status, made)
	require.Equal(t, "owner", made.Text("role"))
	labs := made.Text("id")
	again := ada.Post(t, "/v1/workspaces", map[string]any{"name": "Labs"}, op)
	require.Equal(t, made.Raw, again.Raw)
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))
	harness.RequireCode(t, ada.Post(t, "/v1/workspaces", map[string]any{"name": "Other"}, op), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")

	list := ada.Get(t, "/v1/workspaces").Items()
	require.Len(t, list, 2)
	require.Equal(t, []any{"Acme", "Labs"}, []any{list[0]["name"], list[1]["name"]})
	first := ada.Get(t, "/v1/workspaces?limit=1")
	require.Equal(t, labs, ada.Get(t, "/v1/workspaces?limit=1&cursor="+first.Text("next_cursor")).Items()[0]["id"])
	me := ada.Get(t, "/v1/auth/me")
	require.Equal(t, []any{
		map[string]any{"workspace_id": ada.Workspace, "name": "Acme", "role": "owner", "deleted_at": nil},
		map[string]any{"workspace_id": labs, "name": "Labs", "role": "owner", "deleted_at": nil},
	}, me.Body["memberships"])

	there := harness.Header{Name: "X-Workspace-Id", Value: labs}
	require.Equal(t, "Labs", ada.Get(t, "/v1/auth/me", there).Text("workspace_name"))
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/bots", map[string]any{"name": "b"}, there).Status)
	require.Empty(t, ada.Get(t, "/v1/bots").Items())
	login := func(workspace string) harness.Answer {
		return p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": ada.Email, "password": harness.Password, "workspace_id": workspace})
	}
	require.Equal(t, labs, login(labs).Text("workspace_id"))
	harness.RequireCode(t, login(p.Register(t).Workspace), http.StatusForbidden, "FORBIDDEN")
	harness.RequireWrong(t, login("mine"), "workspace_id")

	renamed := ada.Patch(t, "/v1/workspaces/"+labs, map[string]any{"name": "Lab"})
	require.Equal(t, "Lab", renamed.Text("name"), renamed)
	require.Equal(t, labs, renamed.Header.Get("X-Workspace-Id"))
	require.Equal(t, "Lab", ada.Get(t, "/v1/workspaces/"+labs, there).Text("name"))
	harness.RequireCode(t, ada.Get(t, "/v1/workspaces/"+labs, harness.Header{Name: "X-Workspace-Id", Value: ada.Workspace}), http.StatusForbidden, "FORBIDDEN")
	harness.RequireWrong(t, ada.Get(t, "/v1/workspaces/mine"), "workspace_id")
	harness.RequireWrong(t, ada.Patch(t, "/v1/workspaces/"+labs, map[string]any{"name": " "}), "name")
}

func TestAChangeOfRoleHoldsForTheNextCall(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bob := p.Join(t, ada, "viewer")
	members := ada.Get(t, "/v1/members").Items()
	require.Len(t, members, 2)
	require.Equal(t, bob.Email, members[1]["email"])
	harness.RequireCode(t, bob.Post(t, "/v1/bots", map[string]any{"name": "x"}), http.StatusForbidden, "FORBIDDEN")
	op := harness.Operation(uuid.NewString())
	changed := ada.Patch(t, "/v1/members/"+bob.User, map[string]any{"role": "editor"}, op)
	require.Equal(t, http.StatusOK, changed.Status, changed)
	require.Equal(t, "editor", changed.Text("role"))
	kept := harness.Operation(uuid.NewString())
	require.Equal(t, http.StatusCreated, bob.Post(t, "/v1/bots", map[string]any{"name": "x"}, kept).Status)
	rows := harness.AuditRows(t, harness.Postgres.Superuser(t, p.Database), op.Value)
	require.Len(t, rows, 1)
	require.Equal(t, "member.change_role", rows[0].Action)
	require.JSONEq(t, `{"role": {"from": "viewer", "to": "editor"}}`, rows[0].Changes)

	harness.RequireWrong(t, ada.Patch(t, "/v1/members/"+bob.User, map[string]any{"role": "king"}), "role")
	harness.RequireCode(t, bob.Patch(t, "/v1/members/"+bob.User, map[string]any{"role": "admin"}), http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, http.StatusOK, ada.Patch(t, "/v1/members/"+bob.User, map[string]any{"role": "admin"}).Status)
	harness.RequireCode(t, bob.Patch(t, "/v1/members/"+bob.User, map[string]any{"role": "owner"}), http.StatusForbidden, "OWN_ROLE")
	harness.RequireCode(t, bob.Patch(t, "/v1/members/"+ada.User, map[string]any{"role": "viewer"}), http.StatusForbidden, "ROLE_TOO_HIGH")
	harness.RequireCode(t, bob.Delete(t, "/v1/members/"+ada.User), http.StatusForbidden, "ROLE_TOO_HIGH")
	harness.RequireCode(t, ada.Delete(t, "/v1/members/"+p.Register(t).User), http.StatusNotFound, "MEMBER_NOT_FOUND")

	require.Equal(t, http.StatusOK, ada.Patch(t, "/v1/members/"+bob.User, map[string]any{"role": "viewer"}).Status)
	harness.RequireCode(t, bob.Post(t, "/v1/bots", map[string]any{"name": "x"}, kept), http.StatusForbidden, "FORBIDDEN") // not replayed either
}

func TestARemovedMemberIsOutAtOnce(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	bob := p.Join(t, ada, "admin")
	home := p.Anonymous()
	home.Take(home.Post(t, "/v1/auth/login", map[string]any{"email": bob.Email, "password": harness.Password}))
	require.NotEqual(t, ada.Workspace, home.Workspace)
	there := harness.Header{Name: "X-Workspace-Id", Value: ada.Workspace}
	require.Equal(t, http.StatusOK, home.Get(t, "/v1/bots", there).Status)

	op := harness.Operation(uuid.NewString())
	require.Equal(t, http.StatusOK, ada.Delete(t, "/v1/members/"+bob.User, op).Status)
	require.Equal(t, http.StatusOK, ada.Delete(t, "/v1/members/"+bob.User, op).Status, "the same call again")
	harness.RequireCode(t, bob.Get(t, "/v1/bots"), http.StatusUnauthorized, "UNAUTHORIZED")
	harness.RequireCode(t, bob.Post(t, "/v1/auth/refresh", map[string]any{"refresh_token": bob.Refresh}), http.StatusUnauthorized, "UNAUTHORIZED")
	harness.RequireCode(t, home.Get(t, "/v1/bots", there), http.StatusForbidden, "FORBIDDEN")
	harness.RequireCode(t, home.Get(t, "/v1/workspaces/"+ada.Workspace), http.StatusNotFound, "WORKSPACE_NOT_FOUND")
	require.Equal(t, http.StatusOK, home.Get(t, "/v1/bots").Status)
}

func TestOfTwoOwnersWhoGoAtOnceOneStays(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	for name, goes := range map[string]func(c, other *harness.Caller) (method, path string, body any){
		"leave": func(c, _ *harness.Caller) (string, string, any) {
			return http.MethodPost, "/v1/workspaces/" + c.Workspace + "/leave", nil
		},
		"step down": func(c, _ *harness.Caller) (string, string, any) {
			return http.MethodPatch, "/v1/members/" + c.User, map[string]any{"role": "viewer"}
		},
		"each other": func(_, other *harness.Caller) (string, string, any) {
			return http.MethodDelete, "/v1/members/" + other.User, nil
		},
		"lower other": func(_, other *harness.Caller) (string, string, any) {
			return http.MethodPatch, "/v1/members/" + other.User, map[string]any{"role": "admin"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			super := harness.Postgres.Superuser(t, p.Database)
			for range 5 {
				ada := p.Register(t)
				bob := p.Join(t, ada, "owner")
				turn := make(chan *harness.Caller, 2)
				turn <- ada
				turn <- bob
				both := harness.AtOnce(2, func() harness.Answer {
					c, other := <-turn, bob
					if c == bob {
						other = ada
					}
					method, path, body := goes(c, other)
					return c.Call(t, method, path, body)
				})
				went := 0
				for _, a := range both {
					if a.Status < 300 {
						went++
					}
				}
				require.Equal(t, 1, went, both)
				require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM workspace_members WHERE workspace_id = $1 AND role = 'owner'`, ada.Workspace))
			}
		})
	}
	alone := p.Register(t)
	harness.RequireCode(t, alone.Post(t, "/v1/workspaces/"+alone.Workspace+"/leave", nil), http.StatusConflict, "LAST_OWNER")
	harness.RequireCode(t, alone.Patch(t, "/v1/members/"+alone.User, map[string]any{"role": "admin"}), http.StatusConflict, "LAST_OWNER")
	harness.RequireCode(t, alone.Delete(t, "/v1/members/"+alone.User), http.StatusConflict, "LAST_OWNER")
}

func TestAWorkspaceHasNoMoreBotsThanItsLimitAllows(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "LIMIT_BOTS=2")
	ada, eve := p.Register(t), p.Register(t)
	made, refused := 0, 0
	for _, a := range harness.AtOnce(8, func() harness.Answer { return ada.Post(t, "/v1/bots", map[string]any{"name": "b"}) }) {
		if a.Status == http.StatusCreated {
			made++
			continue
		}
		harness.RequireCode(t, a, http.StatusForbidden, "LIMIT_REACHED")
		require.Equal(t, map[string]any{"metric": "bots", "limit": 2.0, "used": 2.0, "resets_at": nil}, a.Body["details"])
		refused++
	}
	require.Equal(t, []int{2, 6}, []int{made, refused})
	require.Equal(t, http.StatusCreated, eve.Post(t, "/v1/bots", map[string]any{"name": "b"}).Status)
	require.Equal(t, map[string]any{"metric": "bots", "used": 2.0, "limit": 2.0, "remaining": 0.0, "resets_at": nil}, ada.Used(t, usage.Bots))
	ada.Limit(t, usage.Bots, 3)
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/bots", map[string]any{"name": "b"}).Status)
	harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "b"}), http.StatusForbidden, "LIMIT_REACHED")
}

func TestArchivedBotsDoNotCountAndComeBackOnlyWhereThereIsRoom(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "LIMIT_BOTS=2")
	ada := p.Register(t)
	first, second := ada.NewBot(t), ada.NewBot(t)
	limited := ada.Key(t, "editor", map[string]any{"bot_ids": []string{first}})
	harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "b"}), http.StatusForbidden, "LIMIT_REACHED")
	status := func(c *harness.Caller, bot, to string) harness.Answer {
		return c.Patch(t, "/v1/bots/"+bot, map[string]any{"status": to})
	}
	require.Equal(t, http.StatusOK, status(ada, first, "archived").Status)
	require.Equal(t, map[string]any{"metric": "bots", "used": 1.0, "limit": 2.0, "remaining": 1.0, "resets_at": nil}, ada.Used(t, usage.Bots))
	third := ada.NewBot(t)

	for name, c := range map[string]*harness.Caller{"a person": ada, "a key that sees no other bot": limited} {
		full := status(c, first, "active")
		harness.RequireCode(t, full, http.StatusForbidden, "LIMIT_REACHED")
		require.Equal(t, map[string]any{"metric": "bots", "limit": 2.0, "used": 2.0, "resets_at": nil}, full.Body["details"], name)
	}
	require.Equal(t, "archived", ada.Get(t, "/v1/bots/"+first).Text("status"))
	require.Equal(t, http.StatusOK, status(ada, second, "active").Status, "a draft counts already")
	require.Equal(t, http.StatusOK, status(ada, first, "archived").Status, "archived as it is")

	require.Equal(t, http.StatusOK, status(ada, second, "archived").Status)
	bots := make(chan string, 2)
	bots <- first
	bots <- second
	back := 0
	for _, a := range harness.AtOnce(2, func() harness.Answer { return status(ada, <-bots, "active") }) {
		if a.Status == http.StatusOK {
			back++
			continue
		}
		harness.RequireCode(t, a, http.StatusForbidden, "LIMIT_REACHED")
	}
	require.Equal(t, 1, back, "of two that come back at once")
	require.Equal(t, http.StatusOK, status(ada, third, "archived").Status)
	require.Equal(t, http.StatusOK, status(limited, first, "active").Status)
}

func TestWhoIsInNoWorkspaceLogsInWithTheRightPasswordOnly(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	_, err := harness.Postgres.Superuser(t, p.Database).Exec(t.Context(), `DELETE FROM workspace_members WHERE user_id = $1`, ada.User)
	require.NoError(t, err)
	login := func(word string) harness.Answer {
		return p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": ada.Email, "password": word})
	}
	require.Equal(t, http.StatusOK, login(harness.Password).Status)
	harness.RequireCode(t, login("wrong"), http.StatusUnauthorized, "INVALID_CREDENTIALS")
}
