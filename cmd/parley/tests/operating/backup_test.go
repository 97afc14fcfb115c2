package operating

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

// saved is what is looked for after a restore.
type saved struct {
	ada            *harness.Caller
	bot            harness.Answer
	operation      string
	file, contents string
}

// makeSaved makes what a backup is to hold: an account, an operation, a file and sealed rows.
func makeSaved(t *testing.T, p *harness.Program) saved {
	t.Helper()
	s := saved{ada: p.Register(t), operation: uuid.NewString(), contents: harness.SavedText}
	s.bot = s.ada.Post(t, "/v1/bots", map[string]any{"name": "Shop"}, harness.Operation(s.operation))
	require.Equal(t, http.StatusCreated, s.bot.Status, s.bot)
	made := s.ada.Upload(t, "a.txt", s.contents)
	require.Equal(t, http.StatusCreated, made.Status, made)
	s.file = made.Header.Get("Location")
	require.Equal(t, true, s.ada.Verified(t).At("intact"))
	return s
}

// requireIn wants all of it in another program.
func (s saved) requireIn(t *testing.T, p *harness.Program) {
	t.Helper()
	back := &harness.Caller{Program: p, Token: s.ada.Token}
	require.Equal(t, http.StatusOK, back.Get(t, "/v1/auth/me").Status, "the session from before is good")
	a := p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": s.ada.Email, "password": harness.Password})
	require.Equal(t, http.StatusOK, a.Status, a)
	back.Take(a)
	again := back.Post(t, "/v1/bots", map[string]any{"name": "Shop"}, harness.Operation(s.operation))
	require.Equal(t, s.bot.Body, again.Body, "the operation is replayed")
	require.Len(t, back.Get(t, "/v1/bots").Items(), 1)
	require.Equal(t, s.contents, string(back.Get(t, s.file+"/content").Raw))
	v := back.Verified(t)
	require.Equal(t, true, v.At("intact"), v)
}

// startAlone runs parley serve with nothing but the settings that are given: it makes its secrets itself.
func startAlone(t *testing.T, environ []string) *harness.Program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log, code := harness.NewLogBuffer(), make(chan int, 1)
	go func() { code <- app.Run(ctx, "test", []string{"parley"}, environ, io.Discard, log) }()
	stop := sync.OnceValue(func() int {
		cancel()
		return <-code
	})
	t.Cleanup(func() { stop() })
	p := &harness.Program{Log: log, Client: &http.Client{Timeout: harness.Timeout}, Settings: environ, Stop: stop}
	select {
	case p.URL = <-log.Serving:
	case <-time.After(harness.Timeout):
		t.Fatalf("parley does not serve:\n%s", log)
	}
	return p
}

func TestABackupOfARunningEmbeddedInstallationIsRestoredElsewhere(t *testing.T) {
	t.Parallel()
	data, elsewhere, dir := filepath.Join(harness.OpenFolder(t), "data"), filepath.Join(harness.OpenFolder(t), "data"), filepath.Join(t.TempDir(), "backup")
	settings := func(folder string) []string {
		return []string{"DATA_DIR=" + folder, "UPKEEP_INTERVAL=100ms", "HTTP_ADDR=127.0.0.1:0"}
	}
	p := startAlone(t, settings(data))
	s := makeSaved(t, p)
	code, stdout, stderr := harness.Tool(t, settings(data), "backup", dir)
	require.Equal(t, app.ExitOK, code, stderr)
	require.Contains(t, stdout, dir+" holds a backup")
	code, _, stderr = harness.Tool(t, settings(data), "backup", dir)
	require.Equal(t, app.ExitFailed, code)
	require.Contains(t, stderr, "is not empty")
	code, _, stderr = harness.Tool(t, settings(data), "restore", dir, "--yes")
	require.Equal(t, app.ExitFailed, code, "it is served")
	require.Contains(t, stderr, "another parley already uses")
	for _, name := range []string{"jwt-secret", "secret-key"} {
		kept, err := os.ReadFile(filepath.Join(data, name))
		require.NoError(t, err)
		require.NotContains(t, stdout+stderr, string(kept))
		info, err := os.Stat(filepath.Join(dir, "secrets", name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
	}

	code, stdout, stderr = harness.Tool(t, settings(elsewhere), "restore", dir)
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	info, err := os.Stat(filepath.Join(elsewhere, "secret-key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	code, stdout, stderr = harness.Tool(t, settings(elsewhere), "check")
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	code, _, stderr = harness.Tool(t, settings(elsewhere), "restore", dir)
	require.Equal(t, app.ExitUsage, code)
	require.Contains(t, stderr, "--yes: should be given, as this would be replaced: the database, the store of files")
	restored := startAlone(t, settings(elsewhere))
	s.requireIn(t, restored)
	require.Equal(t, app.ExitOK, restored.Stop())
	code, stdout, stderr = harness.Tool(t, settings(elsewhere), "restore", dir, "--yes")
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	back := startAlone(t, settings(elsewhere))
	a := back.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": s.ada.Email, "password": harness.Password})
	require.Equal(t, http.StatusOK, a.Status, a)
}

func TestABackupGoesFromDiskToS3AndBack(t *testing.T) {
	t.Parallel()
	bucket := harness.InS3(t)
	dir, second, third := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "backup"), t.TempDir()
	p := harness.Start(t, "UPKEEP_INTERVAL=100ms")
	s := makeSaved(t, p)
	_, err := harness.Postgres.Superuser(t, p.Database).Exec(t.Context(), `CREATE TABLE "my Notes" (a int GENERATED BY DEFAULT AS IDENTITY); INSERT INTO "my Notes" DEFAULT VALUES`)
	require.NoError(t, err)
	backUp(t, p.Settings, dir)
	inBucket := append([]string{"DATABASE_URL=" + harness.Postgres.EmptyURL(t), "DATA_DIR=" + t.TempDir(), "SECRET_KEY=" + harness.SecretKey}, bucket...)
	code, stdout, stderr := harness.Tool(t, inBucket, "restore", dir)
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	require.Contains(t, stdout, "left out: my Notes is no table of parley; its rows are in database/public.x6d79204e6f746573.copy.gz of the backup")
	backUp(t, inBucket, second)
	last := []string{"DATABASE_URL=" + harness.Postgres.EmptyURL(t), "DATA_DIR=" + third, "SECRET_KEY=" + harness.SecretKey}
	code, stdout, stderr = harness.Tool(t, last, "restore", second)
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	s.requireIn(t, harness.StartOn(t, last[0][len("DATABASE_URL="):], "DATA_DIR="+third, "UPKEEP_INTERVAL=100ms"))
}

func backUp(t *testing.T, settings []string, dir string) {
	t.Helper()
	code, stdout, stderr := harness.Tool(t, settings, "backup", dir)
	require.Equal(t, app.ExitOK, code, stdout+stderr)
}

func TestABackupThatIsDamagedOrOfAnotherKeyChangesNothing(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)
	require.Equal(t, http.StatusCreated, ada.Upload(t, "a.txt", harness.SavedText).Status)
	dir := filepath.Join(t.TempDir(), "backup")
	backUp(t, p.Settings, dir)
	data := filepath.Join(t.TempDir(), "data")
	target := []string{"DATABASE_URL=" + harness.Postgres.EmptyURL(t), "DATA_DIR=" + data}
	refused := func(exit int, key, says string) {
		t.Helper()
		code, stdout, stderr := harness.Tool(t, append(target, "SECRET_KEY="+key), "restore", dir)
		require.Equal(t, exit, code, stdout+stderr)
		require.Contains(t, stderr, says)
		require.NotContains(t, stderr, key)
		require.NoFileExists(t, filepath.Join(data, "jwt-secret"))
		require.NoDirExists(t, filepath.Join(data, "files"))
	}
	refused(app.ExitUsage, "another secret of more than 32 bytes ", "SECRET_KEY: should be that of the backup")
	for _, pattern := range []string{"files/*/*", "database/public.users.copy.gz", "secrets/jwt-secret", "parts.jsonl"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, found, pattern)
		whole, err := os.ReadFile(found[0])
		require.NoError(t, err)
		damaged := append([]byte{}, whole...)
		damaged[len(damaged)/2] ^= 1
		require.NoError(t, os.WriteFile(found[0], damaged, 0o600))
		refused(app.ExitFailed, harness.SecretKey, "is damaged")
		require.NoError(t, os.WriteFile(found[0], whole, 0o600))
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "manifest.json")))
	refused(app.ExitFailed, harness.SecretKey, "holds no whole backup")
	var tables int
	require.NoError(t, harness.Postgres.Superuser(t, target[0][len("DATABASE_URL="):]).QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables))
	require.Zero(t, tables)
}

func TestARestoreWaitsForNobodyWhoUsesTheDatabase(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	dir := filepath.Join(t.TempDir(), "backup")
	backUp(t, p.Settings, dir)
	code, _, stderr := harness.Tool(t, p.Settings, "restore", dir, "--yes")
	require.Equal(t, app.ExitFailed, code)
	require.Regexp(t, `parley: \d+ others are connected to the database: stop every parley first`, stderr)
}

// The owner of a database who is no superuser may restore it, but not back it up: row-level security holds it back.
func TestAnOwnerWhoIsNoSuperuserRestores(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "UPKEEP_INTERVAL=100ms")
	s := makeSaved(t, p)
	dir := filepath.Join(t.TempDir(), "backup")
	backUp(t, p.Settings, dir)
	u, err := url.Parse(harness.Postgres.EmptyURL(t))
	require.NoError(t, err)
	superuser := u.String()
	admin, role := harness.Postgres.Superuser(t, superuser), "owner_"+u.Path[1:]
	_, err = admin.Exec(t.Context(), "CREATE ROLE "+role+" LOGIN NOSUPERUSER; GRANT parley_app, parley_door TO "+role+"; ALTER DATABASE "+u.Path[1:]+" OWNER TO "+role)
	require.NoError(t, err)
	t.Cleanup(func() {
		admin, err := pgx.Connect(context.Background(), superuser)
		require.NoError(t, err)
		defer admin.Close(context.Background())
		_, _ = admin.Exec(context.Background(), "REASSIGN OWNED BY "+role+" TO postgres; DROP OWNED BY "+role+"; DROP ROLE "+role)
	})
	u.User = url.User(role)
	target := []string{"DATABASE_URL=" + u.String(), "DATA_DIR=" + t.TempDir(), "SECRET_KEY=" + harness.SecretKey}
	require.NoError(t, admin.Close(t.Context())) // nobody else may be connected
	code, stdout, stderr := harness.Tool(t, target, "restore", dir)
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	code, stdout, stderr = harness.Tool(t, target, "check")
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	code, _, stderr = harness.Tool(t, target, "backup", filepath.Join(t.TempDir(), "backup"))
	require.Equal(t, app.ExitFailed, code)
	require.Contains(t, stderr, "is held back by row-level security: name a superuser, or one with BYPASSRLS")
	s.requireIn(t, harness.StartOn(t, u.String(), target[1], "UPKEEP_INTERVAL=100ms"))
}

func TestALogOfWhichOldRowsWereRemovedVerifiesAfterARestore(t *testing.T) {
	t.Parallel()
	dir, data := filepath.Join(t.TempDir(), "backup"), t.TempDir()
	p := harness.Start(t, "UPKEEP_INTERVAL=100ms")
	s := makeSaved(t, p)
	rows := s.ada.OldAudit(t)
	cut := s.ada.CutAudit(t)
	require.EqualValues(t, rows, cut.At("cut.rows"), cut)
	backUp(t, p.Settings, dir)
	target := []string{"DATABASE_URL=" + harness.Postgres.EmptyURL(t), "DATA_DIR=" + data, "SECRET_KEY=" + harness.SecretKey}
	code, stdout, stderr := harness.Tool(t, target, "restore", dir)
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	code, stdout, stderr = harness.Tool(t, target, "audit", "verify", "--all")
	require.Equal(t, app.ExitOK, code, stdout+stderr)
	back := harness.StartOn(t, target[0][len("DATABASE_URL="):], "DATA_DIR="+data, "UPKEEP_INTERVAL=100ms")
	ada := &harness.Caller{Program: back, Token: s.ada.Token, Email: s.ada.Email, User: s.ada.User, Workspace: s.ada.Workspace}
	v := ada.Get(t, "/v1/audit-log/verify")
	require.Equal(t, true, v.At("intact"), v)
	require.Equal(t, cut.At("cut"), v.At("cut"))
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/bots", map[string]any{"name": "After"}).Status)
	v = ada.Verified(t)
	require.Equal(t, true, v.At("intact"), "the log goes on")
	require.Equal(t, cut.At("cut"), v.At("cut"))
}
