package command_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/operations"
	"github.com/parley/parley/platform/testing/pgtest"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

const (
	timeout = time.Minute
	tick    = time.Millisecond
)

// bundle is a pipeline and what it leaves in its database.
type bundle struct {
	db        *postgres.DB
	url       string
	su        *pgx.Conn // the superuser, whom row-level security does not bind
	p         *command.Pipeline
	workspace uuid.UUID
	user      uuid.UUID
}

func setup(t *testing.T) *bundle {
	t.Helper()
	s := &bundle{url: pg.URL(t), workspace: uuid.New(), user: uuid.New()}
	s.su = pg.Superuser(t, s.url)
	s.db, s.p = s.pipeline(t)
	_, err := s.su.Exec(t.Context(), "INSERT INTO workspaces VALUES ($1, 'Acme', now())", s.workspace)
	require.NoError(t, err)
	return s
}

// pipeline makes one of its own pool, as another process has it. Its two connections are few enough to run out.
func (s *bundle) pipeline(t *testing.T) (*postgres.DB, *command.Pipeline) {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Options{URL: s.url, MaxConns: 2})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return db, command.NewPipeline(command.Options{
		DB: db, Operations: operations.NewStore(db, secret.NewBox(secret.Keys{{Bytes: make([]byte, 32)}})), Cache: noCache{}, Audit: audit.NewLog(db),
	})
}

// noCache has nothing, so that it is Postgres that decides.
type noCache struct{}

func (noCache) Get(context.Context, string) (operations.Cached, bool) {
	return operations.Cached{}, false
}
func (noCache) Put(context.Context, string, operations.Cached) {}

// call is a call under a new operation id, request the thing that its fingerprint is of.
func (s *bundle) call(t *testing.T, request string) context.Context {
	t.Helper()
	return s.callAs(t, uuid.New(), request)
}

func (s *bundle) callAs(t *testing.T, operation uuid.UUID, request string) context.Context {
	t.Helper()
	fingerprint := sha256.Sum256([]byte(request))
	return callctx.With(t.Context(), &callctx.Call{
		TraceID:   "trace-1",
		Principal: callctx.Principal{WorkspaceID: s.workspace, UserID: s.user},
		Operation: callctx.Operation{ID: operation, Fingerprint: fingerprint[:]},
		IP:        netip.MustParseAddr("2001:db8::1"),
		UserAgent: "test",
	})
}

// effect is what the tests' steps do: it stores a thread.
func (s *bundle) effect(ctx context.Context) error {
	_, err := s.db.In(ctx).Exec(ctx, `INSERT INTO threads (workspace_id, id, status, created_by, created_at)
		VALUES ($1, $2, 'active', $1, now())`, s.workspace, uuid.New())
	return err
}

func (s *bundle) step(ctx context.Context) (command.Outcome, error) {
	return command.Outcome{Answer: says(http.StatusCreated, "done"), Audit: entry()}, s.effect(ctx)
}

func entry() audit.Entry {
	return audit.Entry{Action: "thread.create", Resource: "thread", ResourceID: uuid.New(), Changes: map[string]any{"n": 1}}
}

func says(status int, word string) command.Encoder {
	return func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Location", "/things/1")
		w.Header().Set("ETag", `"1"`)
		w.WriteHeader(status)
		return json.NewEncoder(w).Encode(map[string]string{"say": word})
	}
}

// left is what there is in the database.
type left struct{ effects, audits, claims, answers int }

func (s *bundle) left(t *testing.T) (l left) {
	t.Helper()
	require.NoError(t, s.su.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM threads), (SELECT count(*) FROM audit_log),
		(SELECT count(*) FROM operations), (SELECT count(*) FROM operations WHERE finished_at IS NOT NULL)`,
	).Scan(&l.effects, &l.audits, &l.claims, &l.answers))
	return l
}
