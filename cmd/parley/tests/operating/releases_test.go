package operating

import (
	"archive/tar"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/data/postgres"
)

// released is what .tools/snapshot has packed of a released version.
type released struct {
	Version  string
	Settings map[string]string

	Email, Password, Workspace           string
	Access                               string `json:"access_token"`
	Refresh                              string `json:"refresh_token"`
	Key                                  string `json:"api_key"`
	Thread, File, Endpoint, Conversation string
	Content                              string `json:"file_content"`
	Secret                               string `json:"endpoint_secret"`

	Answers map[string]map[string]any
	Rows    map[string]int

	dump, data string // the database as SQL; DATA_DIR
}

// unpack reads an archive; the files go into a DATA_DIR of the test's own.
func unpack(t *testing.T, path string) (r released) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	packed, err := gzip.NewReader(file)
	require.NoError(t, err)
	r.data = t.TempDir()
	for archive := tar.NewReader(packed); ; {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return r
		}
		require.NoError(t, err)
		content, err := io.ReadAll(archive)
		require.NoError(t, err)
		switch head.Name {
		case "manifest.json":
			require.NoError(t, json.Unmarshal(content, &r))
		case "database.sql":
			r.dump = string(content)
		default:
			name := filepath.Join(r.data, filepath.FromSlash(head.Name))
			require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
			require.NoError(t, os.WriteFile(name, content, 0o600))
		}
	}
}

// restore puts the dump into a new database and gives its URL.
func (r released) restore(t *testing.T) string {
	t.Helper()
	database := harness.Postgres.EmptyURL(t)
	_, err := harness.Postgres.Superuser(t, database).PgConn().Exec(t.Context(), r.dump).ReadAll()
	require.NoError(t, err)
	return database
}

func (r released) environ() (list []string) {
	for name, value := range r.Settings {
		list = append(list, name+"="+value)
	}
	return append(list, "DATA_DIR="+r.data, "UPKEEP_INTERVAL=100ms")
}

// rows counts those of the tables that had any.
func (r released) rows(t *testing.T, conn *pgx.Conn) map[string]int {
	t.Helper()
	rows := map[string]int{}
	for table := range r.Rows {
		if table == "schema_migrations" || table == "applied_migrations" {
			continue
		}
		var n int
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM "+pgx.Identifier{table}.Sanitize()).Scan(&n))
		rows[table] = n
	}
	return rows
}

// prolong gives a token that the release signed the times that it would have today: a long life alone makes one invalid.
func (r released) prolong(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(raw, &claims))
	claims["iat"], claims["exp"] = time.Now().Unix(), time.Now().Add(time.Hour).Unix()
	raw, err = json.Marshal(claims)
	require.NoError(t, err)
	signed := parts[0] + "." + base64.RawURLEncoding.EncodeToString(raw)
	mac := hmac.New(sha256.New, []byte(r.Settings["JWT_SECRET"]))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// requireHeld wants everything of an earlier value in a later one, which may have more: further fields, and further items.
func requireHeld(t *testing.T, where string, before, now any) {
	t.Helper()
	switch b := before.(type) {
	case map[string]any:
		n, ok := now.(map[string]any)
		require.True(t, ok, "%s: %v", where, now)
		for name, value := range b {
			switch name {
			case "has_more", "next_cursor", "last_used_at", "failing_since", "consecutive_failures": // these change with use
				continue
			}
			requireHeld(t, where+"."+name, value, n[name])
		}
	case []any:
		n, ok := now.([]any)
		require.True(t, ok, "%s: %v", where, now)
		for i, value := range b {
			requireHeld(t, where, value, sameItem(value, i, n))
		}
	default:
		require.Equal(t, before, now, where)
	}
}

// sameItem finds the item of a list with the id of another one, or where items have none the one at its place.
func sameItem(item any, at int, list []any) any {
	wanted, _ := item.(map[string]any)
	for i, v := range list {
		candidate, _ := v.(map[string]any)
		if wanted["id"] == nil && i == at || wanted["id"] != nil && candidate["id"] == wanted["id"] {
			return v
		}
	}
	return nil
}

// Each released version, and each baseline from before there were releases, is upgraded with the data that its own program made.
func TestEachReleasedVersionIsUpgradedWithItsData(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob("../../../../db/testdata/releases/*.tar.gz")
	require.NoError(t, err)
	require.NotEmpty(t, archives)
	for _, archive := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".tar.gz"), func(t *testing.T) {
			t.Parallel()
			r := unpack(t, archive)
			database := r.restore(t)
			super := harness.Postgres.Superuser(t, database)
			before := r.rows(t, super)
			settings := append(r.environ(), "DATABASE_URL="+database)
			code, stdout, stderr := harness.Tool(t, settings, "migrate", "up")
			require.Equal(t, app.ExitOK, code, stdout+stderr)
			require.Equal(t, before, r.rows(t, super), "a migration has lost or made rows")
			different, err := postgres.NewMigrator(database, nil).Differences(t.Context())
			require.NoError(t, err)
			require.Empty(t, different, "the schema after the upgrade is not that of a new database")
			code, stdout, stderr = harness.Tool(t, settings, "check")
			require.Equal(t, app.ExitOK, code, stdout+stderr)
			// Before the program starts, which removes sessions that have long ended.
			_, err = super.Exec(t.Context(), `UPDATE sessions SET expires_at = now() + interval '1 day', idle_expires_at = now() + interval '1 day' WHERE revoked_at IS NULL`)
			require.NoError(t, err)
			r.requireServed(t, harness.StartOn(t, database, r.environ()...))
		})
	}
}

// requireServed wants the program of today to serve all of it, and to go on with it.
func (r released) requireServed(t *testing.T, p *harness.Program) {
	t.Helper()
	ada := &harness.Caller{Program: p, Email: r.Email, Workspace: r.Workspace, Token: r.prolong(t, r.Access)}
	me := ada.Get(t, "/v1/auth/me")
	require.Equal(t, r.Workspace, me.Text("workspace_id"), "the access token: %s", me)
	for path, before := range r.Answers {
		a := ada.Get(t, path)
		require.Equal(t, http.StatusOK, a.Status, "%s: %s", path, a)
		requireHeld(t, path, before, a.Body)
	}
	require.Equal(t, r.Content, string(ada.Get(t, r.File+"/content").Raw))
	for _, path := range []string{"/v1/auth/sessions", "/v1/invitations", "/v1/jobs", "/v1/dead-letters", "/v1/usage", "/v1/webhook-events", "/v1/webhook-deliveries", "/v1/analytics/usage"} {
		require.Equal(t, http.StatusOK, ada.Get(t, path).Status, path)
	}
	renewed := p.Anonymous().Post(t, "/v1/auth/refresh", map[string]any{"refresh_token": r.prolong(t, r.Refresh)})
	require.Equal(t, http.StatusOK, renewed.Status, renewed)
	in := p.LogIn(t, r.Email, r.Password)
	require.Equal(t, http.StatusOK, in.Status, in)
	ada.Take(in)
	key := &harness.Caller{Program: p, Token: r.Key}
	turn := key.Post(t, "/v1/conversations/threads/"+r.Thread+"/turn", map[string]any{"content": "And now?"})
	require.Equal(t, http.StatusOK, turn.Status, turn)
	require.Equal(t, http.StatusCreated, ada.Upload(t, "new.txt", "new").Status)
	event := harness.Endpoint{Program: p, ID: r.Endpoint, Secret: r.Secret}.Says(t, r.Conversation, "And my parcel?")
	require.Equal(t, http.StatusOK, event.Status, event)
	require.Equal(t, true, ada.Verified(t).At("intact"), "the seals of the release, and those of today")
}
