package accounts

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestGroupsOfAProviderGiveRoles(t *testing.T) {
	t.Parallel()
	corp := startProvider(t, "corp", map[string]person{
		"bob": {"email": "bob@example.com", "email_verified": true, "groups": []string{"staff", "others"}},
	})
	first, second, missing := uuid.NewString(), uuid.NewString(), uuid.NewString()
	p := startWithProviders(t, setting(t, map[string]any{
		"scopes": []string{"email", "groups"}, "groups_claim": "groups", "roles": []map[string]any{
			{"group": "staff", "workspace": first, "role": "viewer"}, {"group": "admins", "workspace": first, "role": "admin"},
			{"group": "owners", "workspace": second, "role": "owner"}, {"group": "*", "workspace": second, "role": "viewer"},
			{"group": "*", "workspace": missing, "role": "owner"},
		},
	}, corp), "LIMIT_MEMBERS=2")
	ada := p.Register(t)
	for _, id := range []string{first, second} {
		p.SQL(t, `INSERT INTO workspaces (id, name, created_at) VALUES ($1, 'Labs', now())`, id)
		p.SQL(t, `INSERT INTO workspace_members VALUES ($1, $2, 'owner', now())`, id, ada.User)
	}
	roles := func(c *harness.Caller) map[string]string {
		found := map[string]string{}
		for _, m := range c.Get(t, "/v1/auth/me").Body["memberships"].([]any) {
			found[m.(map[string]any)["workspace_id"].(string)] = m.(map[string]any)["role"].(string)
		}
		return found
	}
	sign := func(groups any) (*harness.Caller, harness.Answer) {
		claims := person{"email": "bob@example.com", "email_verified": true}
		if groups != nil {
			claims["groups"] = groups
		}
		corp.change(t, "bob", claims)
		return signIn(t, p, corp, "bob")
	}
	bob, a := sign([]string{"staff", "others"})
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Contains(t, []string{first, second}, a.Text("workspace_id"), "the session is in one of them")
	require.Equal(t, map[string]string{first: "viewer", second: "viewer"}, roles(bob))
	require.Equal(t, 2, p.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'member.add' AND user_id = $1 AND resource_id = $1 AND changes @> '{"provider": "corp", "role": {"from": "", "to": "viewer"}}'`, bob.User))
	require.Contains(t, p.Log.String(), missing, "a workspace that is not there is logged")

	bob, _ = sign([]string{"staff", "admins"})
	require.Equal(t, map[string]string{first: "admin", second: "viewer"}, roles(bob))
	key := bob.Post(t, "/v1/api-keys", map[string]any{"name": "x", "role": "editor"}, harness.Header{Name: "X-Workspace-Id", Value: first})
	require.Equal(t, http.StatusCreated, key.Status, key)
	bob, _ = sign([]string{"staff"})
	require.Equal(t, map[string]string{first: "viewer", second: "viewer"}, roles(bob), "what a group no longer gives is taken")
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'member.change_role' AND workspace_id = $1 AND changes @> '{"role": {"from": "admin", "to": "viewer"}, "ended": {"api_keys": 1}}'`, first))
	changes := p.Number(t, `SELECT count(*) FROM audit_log WHERE action LIKE 'member.%'`)
	_, _ = sign([]string{"staff"})
	require.Equal(t, changes, p.Number(t, `SELECT count(*) FROM audit_log WHERE action LIKE 'member.%'`), "nothing changes")

	_, _ = sign([]string{"staff", "admins"})
	bob, _ = sign([]string{})
	require.Equal(t, map[string]string{first: "admin", second: "viewer"}, roles(bob), "no membership is ended, and no group has a role in the first")
	bob, _ = sign([]string{"owners"})
	require.Equal(t, "owner", roles(bob)[second])
	bob, _ = sign(nil)
	require.Equal(t, "owner", roles(bob)[second], "where the provider says nothing of groups nothing changes")
	p.SQL(t, `DELETE FROM workspace_members WHERE workspace_id = $1 AND user_id = $2`, second, ada.User)
	bob, a = sign([]string{"staff"})
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "owner", roles(bob)[second], "the last owner stays one")
	p.SQL(t, `INSERT INTO workspace_members VALUES ($1, $2, 'owner', now())`, second, ada.User)

	// a workspace that may have no more members, and one that is deleted
	corp.change(t, "eve", person{"email": "eve@example.com", "email_verified": true, "groups": []string{"staff"}})
	eve, a := signIn(t, p, corp, "eve")
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Empty(t, roles(eve), "both have as many members as they may")
	p.SQL(t, `DELETE FROM api_keys WHERE workspace_id = $1`, first)
	p.SQL(t, `DELETE FROM workspace_members WHERE user_id = $1`, bob.User)
	p.SQL(t, `UPDATE workspaces SET deleted_at = now() WHERE id = $1`, second)
	eve, _ = signIn(t, p, corp, "eve")
	require.Equal(t, map[string]string{first: "viewer"}, roles(eve))
}
