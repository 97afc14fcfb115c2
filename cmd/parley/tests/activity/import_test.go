package activity

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

// stored writes an archive into a file and returns its path.
func stored(t *testing.T, archive []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "workspace.zip")
	require.NoError(t, os.WriteFile(path, archive, 0o600))
	return path
}

// archiveOf exports a workspace and downloads its archive.
func archiveOf(t *testing.T, c *harness.Caller) []byte {
	t.Helper()
	a := c.Anonymous().Get(t, exported(t, c).Text("download.url"))
	require.Equal(t, http.StatusOK, a.Status, a)
	return a.Raw
}

func TestAWorkspaceMovesToAnotherInstallation(t *testing.T) {
	t.Parallel()
	from := harness.Start(t, "ENCRYPTION_KEY="+strings.Repeat("one key ", 5))
	to := harness.Start(t, "ENCRYPTION_KEY="+strings.Repeat("another ", 5))
	ada, _ := furnished(t, from, "umbra")
	path := stored(t, archiveOf(t, ada))
	bob := to.Register(t)
	code, out, errs := to.Parley(t, "import", "--json", "--owner", bob.Email, "--workspace", "Moved", path)
	require.Equal(t, app.ExitOK, code, errs)
	var line struct {
		WorkspaceID string           `json:"workspace_id"`
		Imported    map[string]int64 `json:"imported"`
		LeftOut     map[string]int64 `json:"left_out"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &line), out)
	require.Equal(t, []int64{1, 2, 1, 2, 1}, []int64{line.Imported["bots"], line.Imported["bot_versions"], line.Imported["turns"], line.Imported["messages"], line.LeftOut["model_keys"]})
	there := harness.Header{Name: "X-Workspace-Id", Value: line.WorkspaceID}
	require.Equal(t, "Moved", bob.Get(t, "/v1/workspaces/"+line.WorkspaceID).Text("name"))
	same := func(path string, but ...string) {
		t.Helper()
		want, got := ada.Get(t, path), bob.Get(t, path, there)
		require.Equal(t, http.StatusOK, want.Status, want)
		require.Equal(t, without(want.Body, append(but, "workspace_id")...), without(got.Body, append(but, "workspace_id")...), path)
	}
	bot, thread := ada.Get(t, "/v1/bots").Items()[0]["id"].(string), ada.Get(t, "/v1/conversations/threads").Items()
	same("/v1/bots/" + bot)
	same("/v1/bots/"+bot+"/versions", "next_cursor")
	same("/v1/bots/"+bot+"/history", "next_cursor")
	for _, one := range thread {
		same("/v1/conversations/threads/" + one["id"].(string))
		same("/v1/conversations/threads/"+one["id"].(string)+"/messages", "feedback")
		same("/v1/conversations/threads/" + one["id"].(string) + "/turns")
	}
	file := ada.Get(t, "/v1/files").Items()[0]["id"].(string)
	same("/v1/files/" + file)
	require.Equal(t, ada.Get(t, "/v1/files/"+file+"/content").Raw, bob.Get(t, "/v1/files/"+file+"/content", there).Raw)

	to.SQL(t, `UPDATE documents SET updated_at = updated_at - interval '1 hour'`) // as if the archive were not of just now
	base := ada.Get(t, "/v1/knowledge-bases").Items()[0]["id"].(string)
	require.Eventually(t, func() bool {
		ready := 0
		for _, d := range bob.Get(t, "/v1/knowledge-bases/"+base+"/documents", there).Items() {
			if d["status"] == "ready" {
				ready++
			}
		}
		return ready == 2
	}, time.Minute, 100*time.Millisecond, "documents are indexed anew")
	found := bob.Post(t, "/v1/knowledge-bases/"+base+"/search", map[string]any{"query": "umbra lamp"}, there)
	require.Contains(t, found.String(), "17 euros")
	turn := bob.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}, there)
	require.Equal(t, http.StatusCreated, turn.Status, turn)
	answer := bob.Post(t, "/v1/conversations/threads/"+turn.Text("id")+"/turn", map[string]any{"content": "What does the umbra kettle cost?"}, there)
	require.Equal(t, http.StatusOK, answer.Status, answer)
	require.NotEmpty(t, answer.At("assistant_message.citations"), answer)
	require.Empty(t, bob.Get(t, "/v1/model-keys", there).Items())
	require.Empty(t, bob.Get(t, "/v1/webhook-endpoints", there).Items())
	require.Len(t, bob.Get(t, "/v1/members", there).Items(), 1)
	require.Equal(t, 1, to.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'workspace.import' AND workspace_id = $1`, line.WorkspaceID))

	require.Equal(t, http.StatusNoContent, bob.Delete(t, "/v1/files/"+file, there).Status)
	code, _, errs = to.Parley(t, "import", "--owner", bob.Email, path)
	require.Equal(t, app.ExitOK, code, "a second time, as another workspace: %s", errs)
}

// without returns a value in which fields are left out, however deep.
func without(value any, names ...string) any {
	switch v := value.(type) {
	case map[string]any:
		rest := map[string]any{}
		for name, one := range v {
			if !slices.Contains(names, name) {
				rest[name] = without(one, names...)
			}
		}
		return rest
	case []any:
		rest := make([]any, len(v))
		for i, one := range v {
			rest[i] = without(one, names...)
		}
		return rest
	}
	return value
}

// packed writes an archive of entries; fix brings its manifest up to date.
func packed(t *testing.T, all map[string][]byte, fix bool) []byte {
	t.Helper()
	if fix {
		var m map[string]any
		require.NoError(t, json.Unmarshal(all["manifest.json"], &m))
		for _, r := range m["rows"].([]any) {
			r := r.(map[string]any)
			content := all[r["kind"].(string)+".ndjson"]
			r["count"], r["bytes"], r["sha256"] = bytes.Count(content, []byte("\n")), len(content), sum(content)
		}
		raw, err := json.Marshal(m)
		require.NoError(t, err)
		all["manifest.json"] = raw
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, content := range all {
		w, err := z.Create(name)
		require.NoError(t, err)
		_, err = w.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return out.Bytes()
}

func TestAHostileArchiveLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := harness.Start(t, "DATA_DIR="+dir, "LIMIT_BOTS=5")
	ada, _ := furnished(t, p, "umbra")
	archive := archiveOf(t, ada)
	file := ada.Get(t, "/v1/files").Items()[0]["id"].(string)
	before, workspaces := harness.Stored(t, dir), p.Number(t, `SELECT count(*) FROM workspaces`)
	replace := func(name, from, to string) func(map[string][]byte) {
		return func(all map[string][]byte) {
			changed := strings.Replace(string(all[name]), from, to, 1)
			require.NotEqual(t, string(all[name]), changed, "%s: %s", name, from)
			all[name] = []byte(changed)
		}
	}
	add := func(name, content string) func(map[string][]byte) {
		return func(all map[string][]byte) { all[name] = []byte(content) }
	}
	for name, test := range map[string]struct {
		change func(map[string][]byte)
		fix    bool
		want   string
	}{
		"a path out of the folder":        {add("../../evil", "x"), true, "which is of no archive"},
		"a path of a file":                {add("files/../../evil", "x"), true, "which is of no archive"},
		"an absolute path":                {add("/etc/passwd", "x"), true, "which is of no archive"},
		"bytes of no file":                {add("files/"+uuid.NewString(), "x"), true, "of no file"},
		"no manifest":                     {func(all map[string][]byte) { delete(all, "manifest.json") }, false, `it lacks "manifest.json"`},
		"a manifest that is no JSON":      {add("manifest.json", "{"), false, "manifest is no JSON"},
		"another format":                  {replace("manifest.json", "parley.workspace", "zip"), false, "its format is"},
		"a version of the future":         {replace("manifest.json", `"version": 1`, `"version": 2`), false, "version 2 of the format"},
		"a kind too few":                  {func(all map[string][]byte) { delete(all, "bots.ndjson") }, false, `it lacks "bots.ndjson"`},
		"a wrong count":                   {replace("manifest.json", `"count": 2`, `"count": 3`), false, "not what the manifest says"},
		"a changed row":                   {replace("messages.ndjson", "umbra", "umbrA"), false, "messages.ndjson is not what the manifest says"},
		"a bomb by its manifest":          {replace("manifest.json", `"bytes": `, `"bytes": 999999`), false, "too much for an archive"},
		"a line that is cut":              {func(all map[string][]byte) { all["bots.ndjson"] = bytes.TrimSuffix(all["bots.ndjson"], []byte("\n")) }, true, "it has no line feed"},
		"a row that is no object":         {add("bots.ndjson", "[]\n"), true, "no JSON object"},
		"a row of another workspace":      {replace("bots.ndjson", `{"id"`, `{"workspace_id" : "`+ada.Workspace+`", "id"`), true, `"workspace_id" is unknown`},
		"a field too few":                 {replace("bots.ndjson", `"status" : "active", `, ""), true, `"status" is missing`},
		"a name that is too long":         {replace("bots.ndjson", "umbra bot", strings.Repeat("x", 201)), true, `the field "name"`},
		"a name with U+0000":              {replace("bots.ndjson", "umbra bot", `umbra\u0000`), true, `the field "name"`},
		"an id that is none":              {replace("threads.ndjson", `"id" : "`, `"id" : "x`), true, `the field "id"`},
		"a time of the future":            {replace("messages.ndjson", `"created_at" : "20`, `"created_at" : "30`), true, `the field "created_at"`},
		"a message of no thread":          {replace("messages.ndjson", `"thread_id" : "`+threadOf(t, ada), `"thread_id" : "`+uuid.NewString()), true, "rows break the rule"},
		"a version that is not there":     {replace("bots.ndjson", `"current_version" : 2`, `"current_version" : 7`), true, "rows break the rule"},
		"a thread behind its messages":    {replace("threads.ndjson", `"last_seq" : 2`, `"last_seq" : 1`), true, "higher numbers"},
		"rows that are there twice":       {func(all map[string][]byte) { all["bots.ndjson"] = bytes.Repeat(all["bots.ndjson"], 2) }, true, "rows break the rule"},
		"other bytes of a file":           {replace("files/"+file, "umbra", "umbrA"), true, "are not those of its row"},
		"fewer bytes of a file":           {replace("files/"+file, "umbra", ""), true, "not as many as its row says"},
		"two workspaces":                  {func(all map[string][]byte) { all["workspace.ndjson"] = bytes.Repeat(all["workspace.ndjson"], 2) }, true, "it has 2 workspaces"},
		"more bots than the limit allows": {manyBots, true, "LIMIT_REACHED"},
	} {
		t.Run(name, func(t *testing.T) {
			all := entries(t, archive)
			test.change(all)
			code, out, errs := p.Parley(t, "import", stored(t, packed(t, all, test.fix)))
			require.Equal(t, app.ExitFailed, code, out)
			require.Contains(t, errs, test.want)
			require.Equal(t, workspaces, p.Number(t, `SELECT count(*) FROM workspaces`))
			require.Equal(t, before, harness.Stored(t, dir))
		})
	}
	for name, bad := range map[string][]byte{"nothing": nil, "no zip": []byte("hello"), "half of one": archive[:len(archive)/2]} {
		code, _, errs := p.Parley(t, "import", stored(t, bad))
		require.Equal(t, app.ExitFailed, code, name)
		require.Contains(t, errs, "no zip archive", name)
	}
	code, _, errs := p.Parley(t, "import", "--owner", "nobody@example.com", stored(t, archive))
	require.Equal(t, app.ExitUsage, code)
	require.Contains(t, errs, "has no account here")
	require.Equal(t, workspaces, p.Number(t, `SELECT count(*) FROM workspaces`))
}

func threadOf(t *testing.T, c *harness.Caller) string {
	t.Helper()
	return c.Get(t, "/v1/conversations/threads").Items()[0]["id"].(string)
}

// manyBots makes six bots of one.
func manyBots(all map[string][]byte) {
	var one map[string]any
	_ = json.Unmarshal(all["bots.ndjson"], &one)
	for range 5 {
		bot := uuid.NewString()
		row := strings.ReplaceAll(string(all["bots.ndjson"][:bytes.IndexByte(all["bots.ndjson"], '\n')+1]), one["id"].(string), bot)
		all["bots.ndjson"] = append(all["bots.ndjson"], row...)
		for line := range bytes.Lines(slices.Clone(all["bot_versions.ndjson"])) {
			if bytes.Contains(line, []byte(one["id"].(string))) {
				all["bot_versions.ndjson"] = append(all["bot_versions.ndjson"], bytes.ReplaceAll(line, []byte(one["id"].(string)), []byte(bot))...)
			}
		}
	}
}
