package app

import (
	"context"
	"io"
	"log/slog"
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

	"github.com/parley/parley/platform/backup"
	"github.com/parley/parley/platform/blob"
	"github.com/parley/parley/platform/config"
)

// saved is what is looked for after a restore.
type saved struct {
	ada            *caller
	bot            answer
	operation      string
	file, contents string
}

const savedText = "The parcel comes on Tuesday.\n"

// makeSaved makes what a backup is to hold: an account, an operation, a file and sealed rows.
func makeSaved(t *testing.T, p *program) saved {
	t.Helper()
	s := saved{ada: p.register(t), operation: uuid.NewString(), contents: savedText}
	s.bot = s.ada.post(t, "/v1/bots", map[string]any{"name": "Shop"}, operation(s.operation))
	require.Equal(t, http.StatusCreated, s.bot.Status, s.bot)
	made := s.ada.upload(t, "a.txt", s.contents)
	require.Equal(t, http.StatusCreated, made.Status, made)
	s.file = made.Header.Get("Location")
	require.Equal(t, true, s.ada.verified(t).at("intact"))
	return s
}

// requireIn wants all of it in another program.
func (s saved) requireIn(t *testing.T, p *program) {
	t.Helper()
	back := &caller{program: p, token: s.ada.token}
	require.Equal(t, http.StatusOK, back.get(t, "/v1/auth/me").Status, "the session from before is good")
	a := p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": s.ada.email, "password": password})
	require.Equal(t, http.StatusOK, a.Status, a)
	back.take(a)
	again := back.post(t, "/v1/bots", map[string]any{"name": "Shop"}, operation(s.operation))
	require.Equal(t, s.bot.Body, again.Body, "the operation is replayed")
	require.Len(t, back.get(t, "/v1/bots").items(), 1)
	require.Equal(t, s.contents, string(back.get(t, s.file+"/content").Raw))
	v := back.verified(t)
	require.Equal(t, true, v.at("intact"), v)
}

// startAlone runs parley serve with nothing but the settings that are given: it makes its secrets itself.
func startAlone(t *testing.T, environ []string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log, code := newLogBuffer(), make(chan int, 1)
	go func() { code <- Run(ctx, "test", []string{"parley"}, environ, io.Discard, log) }()
	stop := sync.OnceValue(func() int {
		cancel()
		return <-code
	})
	t.Cleanup(func() { stop() })
	p := &program{log: log, client: &http.Client{Timeout: patience}, settings: environ, stop: stop}
	select {
	case p.url = <-log.serving:
	case <-time.After(patience):
		t.Fatalf("parley does not serve:\n%s", log)
	}
	return p
}

func TestABackupOfARunningEmbeddedInstallationIsRestoredElsewhere(t *testing.T) {
	t.Parallel()
	data, elsewhere, dir := filepath.Join(openFolder(t), "data"), filepath.Join(openFolder(t), "data"), filepath.Join(t.TempDir(), "backup")
	settings := func(folder string) []string {
		return []string{"DATA_DIR=" + folder, "UPKEEP_INTERVAL=100ms", "HTTP_ADDR=127.0.0.1:0"}
	}
	p := startAlone(t, settings(data))
	s := makeSaved(t, p)
	code, stdout, stderr := tool(t, settings(data), "backup", dir)
	require.Equal(t, ExitOK, code, stderr)
	require.Contains(t, stdout, dir+" holds a backup")
	code, _, stderr = tool(t, settings(data), "backup", dir)
	require.Equal(t, ExitFailed, code)
	require.Contains(t, stderr, "is not empty")
	code, _, stderr = tool(t, settings(data), "restore", dir, "--yes")
	require.Equal(t, ExitFailed, code, "it is served")
	require.Contains(t, stderr, "another parley already uses")
	for _, name := range []string{"jwt-secret", "secret-key"} {
		kept, err := os.ReadFile(filepath.Join(data, name))
		require.NoError(t, err)
		require.NotContains(t, stdout+stderr, string(kept))
		info, err := os.Stat(filepath.Join(dir, "secrets", name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
	}

	code, stdout, stderr = tool(t, settings(elsewhere), "restore", dir)
	require.Equal(t, ExitOK, code, stdout+stderr)
	info, err := os.Stat(filepath.Join(elsewhere, "secret-key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	code, stdout, stderr = tool(t, settings(elsewhere), "check")
	require.Equal(t, ExitOK, code, stdout+stderr)
	code, _, stderr = tool(t, settings(elsewhere), "restore", dir)
	require.Equal(t, ExitUsage, code)
	require.Contains(t, stderr, "--yes: should be given, as this would be replaced: the database, the store of files")
	restored := startAlone(t, settings(elsewhere))
	s.requireIn(t, restored)
	require.Equal(t, ExitOK, restored.stop())
	code, stdout, stderr = tool(t, settings(elsewhere), "restore", dir, "--yes")
	require.Equal(t, ExitOK, code, stdout+stderr)
	back := startAlone(t, settings(elsewhere))
	a := back.anonymous().post(t, "/v1/auth/login", map[string]any{"email": s.ada.email, "password": password})
	require.Equal(t, http.StatusOK, a.Status, a)
}

func TestABackupGoesFromDiskToS3AndBack(t *testing.T) {
	t.Parallel()
	bucket := inS3(t)
	dir, second, third := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "backup"), t.TempDir()
	p := start(t, "UPKEEP_INTERVAL=100ms")
	s := makeSaved(t, p)
	_, err := pg.Superuser(t, p.database).Exec(t.Context(), `CREATE TABLE "my Notes" (a int GENERATED BY DEFAULT AS IDENTITY); INSERT INTO "my Notes" DEFAULT VALUES`)
	require.NoError(t, err)
	backUp(t, p.settings, dir)
	inBucket := append([]string{"DATABASE_URL=" + pg.EmptyURL(t), "DATA_DIR=" + t.TempDir(), "SECRET_KEY=" + secretKey}, bucket...)
	code, stdout, stderr := tool(t, inBucket, "restore", dir)
	require.Equal(t, ExitOK, code, stdout+stderr)
	require.Contains(t, stdout, "left out: my Notes is no table of parley; its rows are in database/public.x6d79204e6f746573.copy.gz of the backup")
	backUp(t, inBucket, second)
	last := []string{"DATABASE_URL=" + pg.EmptyURL(t), "DATA_DIR=" + third, "SECRET_KEY=" + secretKey}
	code, stdout, stderr = tool(t, last, "restore", second)
	require.Equal(t, ExitOK, code, stdout+stderr)
	s.requireIn(t, startOn(t, last[0][len("DATABASE_URL="):], "DATA_DIR="+third, "UPKEEP_INTERVAL=100ms"))
}

func backUp(t *testing.T, settings []string, dir string) {
	t.Helper()
	code, stdout, stderr := tool(t, settings, "backup", dir)
	require.Equal(t, ExitOK, code, stdout+stderr)
}

func TestABackupThatIsDamagedOrOfAnotherKeyChangesNothing(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	require.Equal(t, http.StatusCreated, ada.upload(t, "a.txt", savedText).Status)
	dir := filepath.Join(t.TempDir(), "backup")
	backUp(t, p.settings, dir)
	data := filepath.Join(t.TempDir(), "data")
	target := []string{"DATABASE_URL=" + pg.EmptyURL(t), "DATA_DIR=" + data}
	refused := func(exit int, key, says string) {
		t.Helper()
		code, stdout, stderr := tool(t, append(target, "SECRET_KEY="+key), "restore", dir)
		require.Equal(t, exit, code, stdout+stderr)
		require.Contains(t, stderr, says)
		require.NotContains(t, stderr, key)
		require.NoFileExists(t, filepath.Join(data, "jwt-secret"))
		require.NoDirExists(t, filepath.Join(data, "files"))
	}
	refused(ExitUsage, "another secret of more than 32 bytes ", "SECRET_KEY: should be that of the backup")
	for _, pattern := range []string{"files/*/*", "database/public.users.copy.gz", "secrets/jwt-secret", "parts.jsonl"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, found, pattern)
		whole, err := os.ReadFile(found[0])
		require.NoError(t, err)
		damaged := append([]byte{}, whole...)
		damaged[len(damaged)/2] ^= 1
		require.NoError(t, os.WriteFile(found[0], damaged, 0o600))
		refused(ExitFailed, secretKey, "is damaged")
		require.NoError(t, os.WriteFile(found[0], whole, 0o600))
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "manifest.json")))
	refused(ExitFailed, secretKey, "holds no whole backup")
	var tables int
	require.NoError(t, pg.Superuser(t, target[0][len("DATABASE_URL="):]).QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables))
	require.Zero(t, tables)
}

func TestARestoreWaitsForNobodyWhoUsesTheDatabase(t *testing.T) {
	t.Parallel()
	p := start(t)
	dir := filepath.Join(t.TempDir(), "backup")
	backUp(t, p.settings, dir)
	code, _, stderr := tool(t, p.settings, "restore", dir, "--yes")
	require.Equal(t, ExitFailed, code)
	require.Regexp(t, `parley: \d+ others are connected to the database: stop every parley first`, stderr)
}

// visited is a store whose first list of files is followed by something.
type visited struct {
	blob.Store
	visit func()
}

func (v visited) List(ctx context.Context, prefix, after string, most int) ([]blob.Object, error) {
	list, err := v.Store.List(ctx, prefix, after, most)
	v.visit()
	return list, err
}

// What is uploaded, and removed, while a backup is made leaves no row in it whose bytes are missing.
func TestABackupHasTheBytesOfEachRowWhateverHappensMeanwhile(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)
	early := ada.upload(t, "early.txt", savedText)
	require.Equal(t, http.StatusCreated, early.Status)
	cfg, err := config.Load(p.settings)
	require.NoError(t, err)
	stores, err := storesOf(t.Context(), cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, stores.close()) }()
	stores.blobs = visited{stores.blobs, sync.OnceFunc(func() {
		require.Equal(t, http.StatusCreated, ada.upload(t, "late.txt", savedText).Status)
	})}
	dir, m := filepath.Join(t.TempDir(), "backup"), backup.Manifest{}
	w, err := backup.Create(dir)
	require.NoError(t, err)
	require.NoError(t, backupDataAndFiles(t.Context(), cfg, &database{direct: p.database}, stores, w, &m))
	_, err = w.Finish(m)
	require.NoError(t, err)
	require.NoError(t, w.Close())

	target, data := pg.EmptyURL(t), t.TempDir()
	code, stdout, stderr := tool(t, []string{"DATABASE_URL=" + target, "DATA_DIR=" + data, "SECRET_KEY=" + secretKey}, "restore", dir)
	require.Equal(t, ExitOK, code, stdout+stderr)
	back := startOn(t, target, "DATA_DIR="+data).anonymous()
	a := back.post(t, "/v1/auth/login", map[string]any{"email": ada.email, "password": password})
	require.Equal(t, http.StatusOK, a.Status, a)
	back.take(a)
	files := back.get(t, "/v1/files").items()
	require.Len(t, files, 2)
	for _, f := range files {
		require.Equal(t, http.StatusOK, back.get(t, "/v1/files/"+f["id"].(string)+"/content").Status)
	}
}

// The owner of a database who is no superuser may restore it, but not back it up: row-level security holds it back.
func TestAnOwnerWhoIsNoSuperuserRestores(t *testing.T) {
	t.Parallel()
	p := start(t, "UPKEEP_INTERVAL=100ms")
	s := makeSaved(t, p)
	dir := filepath.Join(t.TempDir(), "backup")
	backUp(t, p.settings, dir)
	u, err := url.Parse(pg.EmptyURL(t))
	require.NoError(t, err)
	superuser := u.String()
	admin, role := pg.Superuser(t, superuser), "owner_"+u.Path[1:]
	_, err = admin.Exec(t.Context(), "CREATE ROLE "+role+" LOGIN NOSUPERUSER; GRANT parley_app, parley_door TO "+role+"; ALTER DATABASE "+u.Path[1:]+" OWNER TO "+role)
	require.NoError(t, err)
	t.Cleanup(func() {
		admin, err := pgx.Connect(context.Background(), superuser)
		require.NoError(t, err)
		defer admin.Close(context.Background())
		_, _ = admin.Exec(context.Background(), "REASSIGN OWNED BY "+role+" TO postgres; DROP OWNED BY "+role+"; DROP ROLE "+role)
	})
	u.User = url.User(role)
	target := []string{"DATABASE_URL=" + u.String(), "DATA_DIR=" + t.TempDir(), "SECRET_KEY=" + secretKey}
	require.NoError(t, admin.Close(t.Context())) // nobody else may be connected
	code, stdout, stderr := tool(t, target, "restore", dir)
	require.Equal(t, ExitOK, code, stdout+stderr)
	code, stdout, stderr = tool(t, target, "check")
	require.Equal(t, ExitOK, code, stdout+stderr)
	code, _, stderr = tool(t, target, "backup", filepath.Join(t.TempDir(), "backup"))
	require.Equal(t, ExitFailed, code)
	require.Contains(t, stderr, "is held back by row-level security: name a superuser, or one with BYPASSRLS")
	s.requireIn(t, startOn(t, u.String(), target[1], "UPKEEP_INTERVAL=100ms"))
}
