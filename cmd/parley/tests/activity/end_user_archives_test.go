package activity

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

// visited is a workspace with end users.
type visited struct {
	*harness.Caller
	bot, other            string
	grace, linus, revoked *harness.Caller // a known end user of both bots, an anonymous one of the first, and one that is revoked
	hers, theirs, keys    string          // threads of grace, of linus, and of a chat key
	plain                 string          // a thread of nobody
	chat                  *harness.Caller
}

func visitedBy(t *testing.T, p *harness.Program) (v visited) {
	t.Helper()
	v.Caller = p.Register(t)
	bot := func() string {
		a := v.Post(t, "/v1/bots", map[string]any{"name": "Support", "instruction": "Be kind.", "settings": map[string]any{"model": "echo"}})
		require.Equal(t, http.StatusCreated, a.Status, a)
		return a.Text("id")
	}
	v.bot, v.other = bot(), bot()
	embed := v.Key(t, "embed")
	v.chat = v.Key(t, "chat")
	known := map[string]any{"external_id": "customer-1", "name": "Grace", "metadata": map[string]any{"plan": "pro"}}
	v.grace, v.linus = embed.EndUser(t, v.bot, known), embed.EndUser(t, v.bot)
	require.Equal(t, v.grace.User, embed.EndUser(t, v.other, known).User)
	v.revoked = embed.EndUser(t, v.bot, map[string]any{"external_id": "customer-2"})
	require.Equal(t, http.StatusOK, v.Post(t, "/v1/end-users/"+v.revoked.User+"/revoke", map[string]any{}).Status)
	v.hers, v.theirs, v.keys, v.plain = v.grace.Thread(t, v.bot), v.linus.Thread(t, v.bot), v.chat.Thread(t, v.bot), v.Thread(t, v.bot)
	require.Equal(t, http.StatusOK, v.grace.Hi(t, v.hers).Status)
	require.Equal(t, http.StatusOK, v.chat.Hi(t, v.keys).Status)
	return v
}

// imported imports an archive for an account and returns the id of the workspace.
func imported(t *testing.T, c *harness.Caller, archive []byte) string {
	t.Helper()
	code, out, errs := c.Parley(t, "import", "--json", "--owner", c.Email, stored(t, archive))
	require.Equal(t, app.ExitOK, code, errs)
	var line struct {
		WorkspaceID string           `json:"workspace_id"`
		Imported    map[string]int64 `json:"imported"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &line), out)
	require.Contains(t, line.Imported, "end_users")
	return line.WorkspaceID
}

func TestEndUsersMoveToAnotherInstallationWithTheirThreads(t *testing.T) {
	t.Parallel()
	from := harness.Start(t, "ENCRYPTION_KEY="+strings.Repeat("one key ", 5))
	to := harness.Start(t, "ENCRYPTION_KEY="+strings.Repeat("another ", 5))
	v := visitedBy(t, from)
	archive := archiveOf(t, v.Caller)
	all := entries(t, archive)
	users, threads := map[any]map[string]any{}, map[any]map[string]any{}
	for _, row := range lines(t, all, "end_users") {
		users[row["id"]] = row
	}
	for _, row := range lines(t, all, "threads") {
		threads[row["id"]] = row
	}
	require.Len(t, users, 3)
	grace := users[v.grace.User]
	require.Equal(t, []any{"customer-1", "Grace", map[string]any{"plan": "pro"}, nil}, []any{grace["external_id"], grace["name"], grace["metadata"], grace["revoked_at"]})
	require.ElementsMatch(t, []any{v.bot, v.other}, grace["bots"])
	require.Equal(t, []any{nil, []any{v.bot}}, []any{users[v.linus.User]["external_id"], users[v.linus.User]["bots"]})
	require.NotNil(t, users[v.revoked.User]["revoked_at"])
	for thread, want := range map[string][]any{v.hers: {v.grace.User, v.grace.User}, v.theirs: {v.linus.User, v.linus.User}, v.keys: {v.chat.User, nil}, v.plain: {nil, nil}} {
		require.Equal(t, want, []any{threads[thread]["owner_id"], threads[thread]["end_user_id"]})
	}

	bob := to.Register(t)
	there := harness.Header{Name: "X-Workspace-Id", Value: imported(t, bob, archive)}
	for _, path := range []string{
		"/v1/end-users/" + v.grace.User, "/v1/end-users/" + v.linus.User, "/v1/end-users/" + v.revoked.User, "/v1/end-users", "/v1/end-users?bot_id=" + v.other,
		"/v1/conversations/threads?end_user_id=" + v.grace.User, "/v1/conversations/threads/" + v.keys, "/v1/conversations/threads/" + v.hers + "/messages",
	} {
		want, got := v.Get(t, path), bob.Get(t, path, there)
		require.Equal(t, http.StatusOK, got.Status, got)
		require.Equal(t, without(want.Body, "workspace_id", "next_cursor"), without(got.Body, "workspace_id", "next_cursor"), path)
	}
	require.Len(t, bob.Get(t, "/v1/conversations/threads", there).Items(), 4)

	// Tokens and keys are made anew: an end user goes on by its external id, or by its id, and no key is the owner of what another made.
	key := func(role string) *harness.Caller {
		a := bob.Post(t, "/v1/api-keys", map[string]any{"name": "Shop", "role": role}, there)
		require.Equal(t, http.StatusCreated, a.Status, a)
		return &harness.Caller{Program: to, Token: a.Text("key"), User: a.Text("id"), Workspace: there.Value}
	}
	embed, chat := key("embed"), key("chat")
	again := embed.EndUser(t, v.bot, map[string]any{"external_id": "customer-1"})
	require.Equal(t, v.grace.User, again.User)
	own := again.Get(t, "/v1/conversations/threads").Items()
	require.Len(t, own, 1)
	require.Equal(t, v.hers, own[0]["id"])
	require.Equal(t, http.StatusOK, again.Hi(t, v.hers).Status)
	require.Len(t, embed.EndUser(t, v.bot, map[string]any{"end_user_id": v.linus.User}).Get(t, "/v1/conversations/threads").Items(), 1)
	harness.RequireCode(t, embed.Post(t, "/v1/end-user-tokens", map[string]any{"bot_id": v.bot, "external_id": "customer-2"}), http.StatusForbidden, "END_USER_REVOKED")
	require.Equal(t, http.StatusUnauthorized, (&harness.Caller{Program: to, Token: v.grace.Token}).Get(t, "/v1/conversations/threads").Status)
	require.Empty(t, chat.Get(t, "/v1/conversations/threads").Items())
	require.Equal(t, http.StatusOK, bob.Hi(t, v.keys, there).Status, "members go on with it")
	require.Equal(t, http.StatusNoContent, bob.Delete(t, "/v1/end-users/"+v.grace.User, there).Status)
	require.Equal(t, http.StatusNotFound, bob.Get(t, "/v1/conversations/threads/"+v.hers, there).Status)
}

// rewritten changes the rows of a kind.
func rewritten(t *testing.T, all map[string][]byte, kind string, change func(row map[string]any)) {
	t.Helper()
	var out bytes.Buffer
	for _, row := range lines(t, all, kind) {
		change(row)
		require.NoError(t, json.NewEncoder(&out).Encode(row))
	}
	all[kind+".ndjson"] = out.Bytes()
}

// forgetEndUsers makes an archive one of before it had end users.
func forgetEndUsers(t *testing.T, all map[string][]byte) {
	t.Helper()
	delete(all, "end_users.ndjson")
	var m map[string]any
	require.NoError(t, json.Unmarshal(all["manifest.json"], &m))
	m["rows"] = slices.DeleteFunc(m["rows"].([]any), func(r any) bool { return r.(map[string]any)["kind"] == "end_users" })
	raw, err := json.Marshal(m)
	require.NoError(t, err)
	all["manifest.json"] = raw
	rewritten(t, all, "threads", func(row map[string]any) {
		delete(row, "owner_id")
		delete(row, "end_user_id")
	})
}

func TestAnArchiveOfBeforeEndUsersIsImported(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	v := visitedBy(t, p)
	all := entries(t, archiveOf(t, v.Caller))
	forgetEndUsers(t, all)
	bob := harness.Start(t).Register(t)
	there := harness.Header{Name: "X-Workspace-Id", Value: imported(t, bob, packed(t, all, true))}
	require.Empty(t, bob.Get(t, "/v1/end-users", there).Items())
	require.Len(t, bob.Get(t, "/v1/conversations/threads", there).Items(), 4)
	require.Nil(t, bob.Get(t, "/v1/conversations/threads/"+v.hers, there).At("end_user_id"))
}

func TestHostileEndUsersLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	v := visitedBy(t, harness.Start(t))
	archive := archiveOf(t, v.Caller)
	p := harness.Start(t, "LIMIT_END_USERS=4")
	bob := p.Register(t)
	workspaces := p.Number(t, `SELECT count(*) FROM workspaces`)
	users := func(field string, value any) func(map[string][]byte) {
		return func(all map[string][]byte) {
			rewritten(t, all, "end_users", func(row map[string]any) { row[field] = value })
		}
	}
	owners := func(owner, user any) func(map[string][]byte) {
		return func(all map[string][]byte) {
			rewritten(t, all, "threads", func(row map[string]any) {
				row["owner_id"], row["end_user_id"] = owner, user
			})
		}
	}
	stranger := uuid.NewString()
	for name, test := range map[string]struct {
		change func(map[string][]byte)
		want   string
	}{
		"no object":                   {func(all map[string][]byte) { all["end_users.ndjson"] = []byte("[]\n") }, "end_users.ndjson, line 1: it is no JSON object"},
		"an id that is none":          {users("id", "x"), `end_users.ndjson, line 1: the field "id"`},
		"one id for all":              {users("id", stranger), "rows break the rule"},
		"an empty external id":        {users("external_id", ""), `the field "external_id"`},
		"a long external id":          {users("external_id", strings.Repeat("x", 201)), `the field "external_id"`},
		"an external id with U+0000":  {users("external_id", "a\x00"), `the field "external_id"`},
		"one external id for all":     {users("external_id", "customer-1"), "rows break the rule end_users_external_key"},
		"a long name":                 {users("name", strings.Repeat("x", 201)), `the field "name"`},
		"no name":                     {users("name", nil), `the field "name"`},
		"metadata that are no object": {users("metadata", []any{}), `the field "metadata"`},
		"large metadata":              {users("metadata", map[string]any{"a": strings.Repeat("x", 40<<10)}), `the field "metadata"`},
		"a time of the future":        {users("created_at", "2999-01-01T00:00:00Z"), `the field "created_at"`},
		"tokens in the future":        {users("last_token_at", "2999-01-01T00:00:00Z"), `the field "last_token_at"`},
		"revoked at no time":          {users("revoked_at", true), `the field "revoked_at"`},
		"bots that are no list":       {users("bots", map[string]any{}), `the field "bots"`},
		"bots that are null":          {users("bots", nil), `the field "bots"`},
		"bots that are no ids":        {users("bots", []any{"x"}), `the field "bots"`},
		"a bot that is not there":     {users("bots", []any{stranger}), "rows break the rule"},
		"a bot twice":                 {users("bots", []any{v.bot, v.bot}), "rows break the rule"},
		"a field that is unknown":     {users("token", "x"), `the field "token" is unknown`},
		"a field too few": {func(all map[string][]byte) {
			rewritten(t, all, "end_users", func(row map[string]any) { delete(row, "bots") })
		}, `the field "bots" is missing`},
		"a thread of no end user":    {owners(stranger, stranger), "threads name an end user that is not there"},
		"a thread of another's":      {owners(stranger, v.grace.User), "its owner_id is not its end_user_id"},
		"a thread without its owner": {owners(nil, v.grace.User), "its owner_id is not its end_user_id"},
		"an owner that is no id":     {owners("x", nil), `threads.ndjson, line 1: the field "owner_id"`},
		"a manifest without them": {func(all map[string][]byte) {
			rows := all["end_users.ndjson"]
			forgetEndUsers(t, all)
			all["end_users.ndjson"] = rows
		}, `"end_users.ndjson", which is of no archive`},
		"without them, and with threads": {func(all map[string][]byte) {
			threads := all["threads.ndjson"]
			forgetEndUsers(t, all)
			all["threads.ndjson"] = threads
		}, "threads name an end user that is not there"},
		"more than the limit allows": {func(all map[string][]byte) {
			line, _, _ := strings.Cut(string(all["end_users.ndjson"]), "\n")
			for range 2 {
				var row map[string]any
				require.NoError(t, json.Unmarshal([]byte(line), &row))
				row["id"], row["external_id"] = uuid.NewString(), nil
				more, err := json.Marshal(row)
				require.NoError(t, err)
				all["end_users.ndjson"] = append(all["end_users.ndjson"], append(more, '\n')...)
			}
		}, "LIMIT_REACHED"},
	} {
		t.Run(name, func(t *testing.T) {
			all := entries(t, archive)
			test.change(all)
			code, out, errs := p.Parley(t, "import", "--owner", bob.Email, stored(t, packed(t, all, true)))
			require.Equal(t, app.ExitFailed, code, out)
			require.Contains(t, errs, test.want)
			require.Equal(t, workspaces, p.Number(t, `SELECT count(*) FROM workspaces`))
			require.Zero(t, p.Number(t, `SELECT count(*) FROM end_users`))
		})
	}
}

func TestAnArchiveIsRemovedOnceAnEndUserIsErased(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	v := visitedBy(t, p)
	before := exported(t, v.Caller)
	require.Equal(t, http.StatusNoContent, v.Delete(t, "/v1/end-users/"+v.revoked.User).Status, "who has no threads")
	v.WaitUntil(t, "/v1/workspaces/"+v.Workspace+"/exports/"+before.Text("id"), "status", "expired")
	require.Len(t, lines(t, entries(t, archiveOf(t, v.Caller)), "end_users"), 2)
}
