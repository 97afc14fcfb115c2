package activity

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// exported starts an export of the caller's workspace and returns it once it is completed.
func exported(t *testing.T, c *harness.Caller) harness.Answer {
	t.Helper()
	a := c.Post(t, "/v1/workspaces/"+c.Workspace+"/export", nil)
	require.Equal(t, http.StatusAccepted, a.Status, a)
	return c.WaitUntil(t, a.Header.Get("Location"), "status", "completed")
}

// entries reads all entries of an archive.
func entries(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	require.NoError(t, err)
	all := map[string][]byte{}
	for _, f := range z.File {
		require.NotContains(t, all, f.Name)
		content, err := f.Open()
		require.NoError(t, err)
		all[f.Name], err = io.ReadAll(content)
		require.NoError(t, err)
		require.NoError(t, content.Close())
	}
	return all
}

// lines reads the rows of a kind.
func lines(t *testing.T, all map[string][]byte, kind string) (rows []map[string]any) {
	t.Helper()
	require.Contains(t, all, kind+".ndjson")
	for line := range bytes.Lines(all[kind+".ndjson"]) {
		var row map[string]any
		require.NoError(t, json.Unmarshal(line, &row), "%s: %s", kind, line)
		rows = append(rows, row)
	}
	return rows
}

func sum(content []byte) string {
	s := sha256.Sum256(content)
	return hex.EncodeToString(s[:])
}

// requireManifest checks that the manifest describes every entry.
func requireManifest(t *testing.T, all map[string][]byte) map[string]any {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal(all["manifest.json"], &m))
	require.Equal(t, []any{"parley.workspace", 1.0}, []any{m["format"], m["version"]})
	described := map[string]bool{"manifest.json": true}
	for _, r := range m["rows"].([]any) {
		r := r.(map[string]any)
		name := r["kind"].(string) + ".ndjson"
		require.Contains(t, all, name)
		require.Equal(t, []any{float64(bytes.Count(all[name], []byte("\n"))), float64(len(all[name])), sum(all[name])}, []any{r["count"], r["bytes"], r["sha256"]}, name)
		described[name] = true
	}
	files := 0
	for _, f := range lines(t, all, "files") {
		name := "files/" + f["id"].(string)
		require.Equal(t, f["sha256"], sum(all[name]), name)
		described[name], files = true, files+1
	}
	require.EqualValues(t, files, m["files"].(map[string]any)["count"])
	for name := range all {
		require.True(t, described[name], "%s is not described", name)
	}
	return m
}

// furnished makes a workspace with something of every kind, which has the words in all its texts.
func furnished(t *testing.T, p *harness.Program, words string) (c *harness.Caller, secrets []string) {
	t.Helper()
	c = p.Register(t)
	base := c.NewBase(t)
	c.Indexed(t, base, words+" kettle", "The "+words+" kettle costs 42 euros.")
	file := c.Upload(t, "prices.txt", "The "+words+" lamp costs 17 euros.")
	require.Equal(t, http.StatusCreated, file.Status, file)
	added := c.Post(t, base+"/documents", map[string]any{"file_id": file.Text("id")})
	require.Equal(t, http.StatusAccepted, added.Status, added)
	c.WaitUntil(t, added.Header.Get("Location"), "status", "ready")
	made := c.Post(t, "/v1/bots", map[string]any{"name": words + " bot", "instruction": "Be " + words + ".", "settings": map[string]any{
		"model": "echo", "knowledge": []map[string]any{{"id": strings.TrimPrefix(base, "/v1/knowledge-bases/")}},
	}})
	require.Equal(t, http.StatusCreated, made.Status, made)
	bot := made.Text("id")
	require.Equal(t, http.StatusOK, c.Patch(t, "/v1/bots/"+bot, map[string]any{"status": "active"}).Status)
	changed := c.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be very " + words + "."})
	require.Equal(t, http.StatusOK, changed.Status, changed)
	turn := c.Say(t, c.Thread(t, bot), "What does the "+words+" kettle cost?")
	require.Equal(t, http.StatusOK, turn.Status, turn)
	require.Equal(t, http.StatusOK, c.Put(t, "/v1/conversations/messages/"+turn.Text("assistant_message.id")+"/feedback", map[string]any{"rating": "good", "comment": words}).Status)
	key := "sk-" + strings.ReplaceAll(uuid.NewString(), "-", "")
	require.Equal(t, http.StatusOK, c.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": key}).Status)
	endpoint := c.NewEndpoint(t, bot)
	sub := c.Subscribe(t, "https://example.com/"+words, "turn.completed")
	_, token := c.Invite(t, words+"@example.com", "viewer")
	return c, []string{key, endpoint.Secret, sub.Secret, token, c.Token, c.Refresh, c.Key(t, "viewer").Token, harness.Password}
}

func TestAnExportHasTheWholeWorkspaceAndNothingElse(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, secrets := furnished(t, p, "umbra")
	eve, _ := furnished(t, p, "sienna")
	done := exported(t, ada)
	link := done.Text("download.url")
	require.True(t, strings.HasPrefix(link, "/v1/workspaces/"+ada.Workspace+"/exports/"+done.Text("id")+"/archive?token="), link)
	a := p.Anonymous().Get(t, link)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, []any{float64(len(a.Raw)), sum(a.Raw)}, []any{done.At("size"), done.At("sha256")})
	require.Equal(t, "application/zip", a.Header.Get("Content-Type"))
	all := entries(t, a.Raw)
	m := requireManifest(t, all)
	require.Equal(t, []any{ada.Workspace, done.Text("id")}, []any{m["workspace_id"], m["export_id"]})
	for kind, count := range map[string]int{
		"workspace": 1, "members": 1, "invitations": 1, "model_keys": 1, "knowledge_bases": 1, "files": 1, "documents": 2, "bots": 1, "bot_versions": 2,
		"webhook_endpoints": 1, "webhook_subscriptions": 1, "threads": 1, "turns": 1, "messages": 2, "feedback": 1,
	} {
		require.Len(t, lines(t, all, kind), count, kind)
	}
	require.Equal(t, ada.Email, lines(t, all, "members")[0]["email"])
	require.Equal(t, "What does the umbra kettle cost?", lines(t, all, "messages")[0]["content"])
	require.NotEmpty(t, lines(t, all, "messages")[1]["citations"], "the answer quotes the document")
	require.Equal(t, "completed", lines(t, all, "turns")[0]["status"])
	require.NotEmpty(t, lines(t, all, "audit_log"))
	require.GreaterOrEqual(t, len(lines(t, all, "document_texts")), 2)
	whole := string(bytes.Join(bytesOf(all), []byte("\n")))
	for n, secret := range append(secrets, eve.Workspace, eve.Email, eve.User, "sienna") {
		require.NotContains(t, whole, secret, "secret %d", n)
	}
	for _, hash := range p.Texts(t, `SELECT password_hash FROM users UNION ALL SELECT encode(hash, 'hex') FROM api_keys UNION ALL SELECT encode(sealed, 'hex') FROM model_keys
		UNION ALL SELECT encode(token_hash, 'hex') FROM invitations`) {
		require.NotContains(t, whole, hash)
	}
	require.Contains(t, ada.Actions(t), "workspace.export_download")
}

func bytesOf(all map[string][]byte) (list [][]byte) {
	for name, content := range all {
		list = append(list, []byte(name), content)
	}
	return list
}

func TestALinkToAnArchiveIsForThatArchive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := harness.Start(t, "PUBLIC_URL=https://bots.example.com", "DATA_DIR="+dir)
	ada, eve := p.Register(t), p.Register(t)
	mine, hers := exported(t, ada), exported(t, eve)
	path := func(a harness.Answer) string {
		link, ok := strings.CutPrefix(a.Text("download.url"), "https://bots.example.com")
		require.True(t, ok, a)
		return link
	}
	good := path(mine)
	anybody := p.Anonymous()
	whole := anybody.Get(t, good)
	require.Equal(t, http.StatusOK, whole.Status, whole)
	require.Equal(t, whole.Raw, anybody.Get(t, good).Raw, "until it is too old")
	address, token, _ := strings.Cut(good, "token=")
	_, foreign, _ := strings.Cut(path(hers), "token=")
	for name, bad := range map[string]string{
		"none": strings.TrimSuffix(address, "?"), "cut": good[:len(good)-1], "changed": address + "token=B" + token[1:], "of another archive": address + "token=" + foreign,
		"longer": good + "A", "no base64": address + "token=%20", "for another export": strings.Replace(good, mine.Text("id"), hers.Text("id"), 1),
		"for another workspace": strings.Replace(good, ada.Workspace, eve.Workspace, 1),
	} {
		harness.RequireCode(t, anybody.Get(t, bad), http.StatusForbidden, "EXPORT_LINK_INVALID")
		t.Log(name)
	}
	part := anybody.Get(t, good, harness.Header{Name: "Range", Value: "bytes=10-19"})
	require.Equal(t, http.StatusPartialContent, part.Status)
	require.Equal(t, whole.Raw[10:20], part.Raw)
	require.Equal(t, fmt.Sprintf("bytes 10-19/%d", len(whole.Raw)), part.Header.Get("Content-Range"))
	harness.RequireCode(t, anybody.Get(t, good, harness.Header{Name: "Range", Value: "bytes=99999999-"}), http.StatusRequestedRangeNotSatisfiable, "RANGE_NOT_SATISFIABLE")

	p.SQL(t, `UPDATE workspace_exports SET expires_at = now() - interval '1 second' WHERE id = $1`, mine.Text("id"))
	gone := ada.WaitUntil(t, "/v1/workspaces/"+ada.Workspace+"/exports/"+mine.Text("id"), "status", "expired")
	require.Nil(t, gone.At("download"))
	harness.RequireCode(t, anybody.Get(t, good), http.StatusNotFound, "EXPORT_NOT_FOUND")
	require.Equal(t, []string{eve.Workspace + "/exports/" + hers.Text("id") + "-1.zip"}, harness.Stored(t, dir))

	require.Equal(t, http.StatusNoContent, eve.Delete(t, "/v1/workspaces/"+eve.Workspace).Status)
	harness.RequireCode(t, anybody.Get(t, path(hers)), http.StatusNotFound, "EXPORT_NOT_FOUND")
	require.Eventually(t, func() bool { return len(harness.Stored(t, dir)) == 0 }, 30*time.Second, 50*time.Millisecond, "the archive of a deleted workspace is removed")
}

func TestAnArchiveIsRemovedOnceSomethingIsErased(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	kept, erased := ada.Upload(t, "kept.txt", "kept").Text("id"), ada.Upload(t, "erased.txt", "erased").Text("id")
	before := exported(t, ada)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/files/"+erased).Status)
	ada.WaitUntil(t, "/v1/workspaces/"+ada.Workspace+"/exports/"+before.Text("id"), "status", "expired")
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/files/"+kept).Status)
	after := p.Anonymous().Get(t, exported(t, ada).Text("download.url"))
	require.Equal(t, http.StatusOK, after.Status, after)
	require.Len(t, lines(t, entries(t, after.Raw), "files"), 1)
}

func TestAWorkspaceHasOneExportAtATimeAndFiveADay(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WORKERS=0")
	ada := p.Register(t)
	start := func() harness.Answer { return ada.Post(t, "/v1/workspaces/"+ada.Workspace+"/export", nil) }
	for n := range 5 {
		made := 0
		for _, a := range harness.AtOnce(3, start) {
			if a.Status == http.StatusAccepted {
				made++
				continue
			}
			harness.RequireCode(t, a, http.StatusConflict, "EXPORT_RUNNING")
		}
		require.Equal(t, 1, made, n)
		p.SQL(t, `UPDATE workspace_exports SET status = 'failed', finished_at = now() WHERE status = 'queued'`)
	}
	full := start()
	harness.RequireCode(t, full, http.StatusTooManyRequests, "TOO_MANY_EXPORTS")
	require.NotEmpty(t, full.Header.Get("Retry-After"))
	require.Len(t, ada.Leaf(t, "/v1/workspaces/"+ada.Workspace+"/exports", url.Values{}), 5)
	for _, role := range []string{"editor", "viewer"} {
		harness.RequireCode(t, p.Join(t, ada, role).Post(t, "/v1/workspaces/"+ada.Workspace+"/export", nil), http.StatusForbidden, "FORBIDDEN")
	}
}
