package operating

import (
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/data/postgres/embedded"
)

// newCluster starts a Postgres of its own, with none of our roles and databases, and gives the URL of its superuser.
func newCluster(t *testing.T) *url.URL {
	t.Helper()
	server, err := embedded.Start(t.Context(), embedded.Options{Dir: harness.OpenFolder(t), Log: slog.New(slog.DiscardHandler), Unsafe: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop(t.Context()) })
	u, err := url.Parse(server.URL("postgres"))
	require.NoError(t, err)
	execute(t, u, "DROP DATABASE parley") // which belongs to the superuser
	return u
}

func execute(t *testing.T, database *url.URL, statements ...string) {
	t.Helper()
	conn := harness.Postgres.Superuser(t, database.String())
	for _, sql := range statements {
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
}

// createOwner runs db/create-owner.sh as superuser.
func createOwner(t *testing.T, super *url.URL) {
	t.Helper()
	if _, err := exec.LookPath("psql"); err != nil {
		t.Skip("owner: psql is not on this machine")
	}
	query := super.Query()
	cmd := exec.CommandContext(t.Context(), "sh", "../../../../db/create-owner.sh")
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "PARLEY_PASSWORD=it's \"odd\" $(x)",
		"PGHOST=" + query.Get("host"), "PGPORT=" + query.Get("port"), "PGUSER=" + super.User.Username(),
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Empty(t, string(out))
}

func TestParleyRunsAsAnOwnerWithoutASuperusersRights(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, super *url.URL){
		"whose roles a superuser has made": func(t *testing.T, super *url.URL) {
			t.Helper()
			for range 2 { // as when the script is run again on a database that is there
				createOwner(t, super)
			}
		},
		"who makes the roles": func(t *testing.T, super *url.URL) {
			t.Helper()
			execute(t, super, "CREATE ROLE parley LOGIN NOSUPERUSER CREATEROLE", "CREATE DATABASE parley OWNER parley")
		},
		"who was interrupted when it made the roles": func(t *testing.T, super *url.URL) { // from PostgreSQL 16 on it may grant them but not work as them
			t.Helper()
			execute(t, super, "CREATE ROLE parley LOGIN NOSUPERUSER CREATEROLE", "CREATE DATABASE parley OWNER parley",
				"SET SESSION AUTHORIZATION parley", "CREATE ROLE parley_app NOLOGIN NOINHERIT", "CREATE ROLE parley_door NOLOGIN NOINHERIT")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			super := newCluster(t)
			prepare(t, super)
			owner := *super
			owner.User, owner.Path = url.User("parley"), "/parley"
			for range 2 {
				code, stdout, stderr := harness.Tool(t, []string{"DATABASE_URL=" + owner.String()}, "init")
				require.Equal(t, app.ExitOK, code, stdout+stderr)
			}
			code, stdout, stderr := harness.Tool(t, []string{"DATABASE_URL=" + owner.String()}, "check")
			require.Equal(t, app.ExitOK, code, stdout+stderr)
			p := harness.StartOn(t, owner.String())
			ada := p.Register(t)
			require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/bots", map[string]any{"name": "Support"}).Status)

			conn := harness.Postgres.Superuser(t, owner.String())
			var rights, rows int
			require.NoError(t, conn.QueryRow(t.Context(),
				`SELECT count(*) FROM pg_roles WHERE rolname IN ('parley', 'parley_app', 'parley_door') AND (rolsuper OR rolcreatedb OR rolreplication OR rolbypassrls)`).Scan(&rights))
			require.Zero(t, rights, "a role has more rights than it needs")
			require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM bots`).Scan(&rows))
			require.Zero(t, rows, "the owner sees rows of a workspace")

			require.Equal(t, app.ExitOK, p.Stop())
			code, stdout, stderr = harness.Tool(t, []string{"DATABASE_URL=" + owner.String()}, "migrate", "down", "--steps", "0", "--yes")
			require.Equal(t, app.ExitOK, code, stdout+stderr)
		})
	}
}
