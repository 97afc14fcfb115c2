package operations_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/operations"
)

// Old operations of every age, many of one moment, more than go in one go.
const aged = `INSERT INTO operations (workspace_id, actor_id, id, fingerprint, created_at, finished_at, status, content_type, body)
	SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), sha256('x'), at, at + finished, 200, 'application/json', '{}'
	  FROM (SELECT now() - interval '98 days' - n * interval '1 minute' AS at, interval '1 s' AS finished FROM generate_series(1, 50) n
	        UNION ALL SELECT now() - interval '8 days', interval '1 s' FROM generate_series(1, 1500)
	        UNION ALL SELECT now() - interval '9 days' - n * interval '1 minute', interval '1 s' FROM generate_series(1, 1200) n
	        UNION ALL SELECT now() - interval '6 days' - n * interval '1 minute', interval '1 s' FROM generate_series(1, 100) n) old`

// watched is a store, and a way to look at its table and to make it older.
func watched(t *testing.T) (*postgres.DB, *pgx.Conn, *operations.Store) {
	t.Helper()
	url := pg.URL(t)
	db := pg.Open(t, url)
	return db, pg.Superuser(t, url), operations.NewStore(db, secret.NewBox(secret.Keys{{Bytes: make([]byte, 32)}}))
}

func TestExpiryComesToItsEndAndLeavesWhatIsYoung(t *testing.T) {
	t.Parallel()
	_, conn, store := watched(t)
	_, err := conn.Exec(t.Context(), aged)
	require.NoError(t, err)
	count := func(where string) (n int) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM operations WHERE "+where).Scan(&n))
		return n
	}
	expire := func() {
		for more, steps := true, 0; more; steps++ {
			require.Less(t, steps, 10, "it does not go round in circles")
			more, err = store.Expire(t.Context())
			require.NoError(t, err)
		}
	}
	expire()
	require.Equal(t, 2700, count("body IS NULL"), "of what is older than a week no answer is left")
	require.Equal(t, 100, count("body IS NOT NULL AND created_at > now() - interval '7 days'"))
	require.Zero(t, count("created_at < now() - interval '97 days'"))

	_, err = conn.Exec(t.Context(), "UPDATE operations SET created_at = created_at - interval '26 hours', finished_at = finished_at - interval '26 hours' WHERE created_at > now() - interval '7 days'")
	require.NoError(t, err)
	expire()
	require.Equal(t, 2800, count("body IS NULL"), "it goes on where it has come to")
}

func TestTwoDoNotExpireAtOnce(t *testing.T) {
	t.Parallel()
	_, conn, store := watched(t)
	_, err := conn.Exec(t.Context(), aged)
	require.NoError(t, err)
	other, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = other.Exec(t.Context(), "SELECT FROM upkeep FOR UPDATE")
	require.NoError(t, err)
	more, err := store.Expire(t.Context())
	require.NoError(t, err)
	require.False(t, more, "the other goes on")
	var answers int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM operations WHERE created_at < now() - interval '8 days' AND body IS NOT NULL").Scan(&answers))
	require.Equal(t, 2700, answers)
}

func TestAMarkThatIsWrongIsMendedOrTold(t *testing.T) {
	t.Parallel()
	_, conn, store := watched(t)
	_, err := conn.Exec(t.Context(), "UPDATE upkeep SET answers_emptied_to = now() + interval '10 days'")
	require.NoError(t, err)
	_, err = store.Expire(t.Context())
	require.NoError(t, err)
	var behind bool
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT answers_emptied_to < now() - interval '7 days' FROM upkeep").Scan(&behind))
	require.True(t, behind, "what is claimed from now on will not lie behind it")

	_, err = conn.Exec(t.Context(), "DELETE FROM upkeep")
	require.NoError(t, err)
	_, err = store.Expire(t.Context())
	require.Error(t, err, "nobody would notice that nothing expires any more")
}

func TestAnAnswerThatCameLateIsKeptForItsSevenDays(t *testing.T) {
	t.Parallel()
	db, conn, store := watched(t)
	ctx := under(t, callctx.Principal{WorkspaceID: uuid.New(), UserID: uuid.New()}, uuid.New(), 1)
	require.NoError(t, db.Write(ctx, store.Claim))
	_, err := conn.Exec(t.Context(), "UPDATE operations SET created_at = now() - interval '30 days'")
	require.NoError(t, err)
	_, err = store.Expire(t.Context())
	require.NoError(t, err, "the mark passes it")
	require.NoError(t, db.Write(ctx, func(ctx context.Context) error {
		return store.Finish(ctx, operations.Answer{Status: 200, Body: []byte("{}")})
	}))
	_, err = store.Expire(t.Context())
	require.NoError(t, err)
	record, err := store.Find(ctx)
	require.NoError(t, err)
	require.NotNil(t, record.Answer)

	_, err = conn.Exec(t.Context(), "UPDATE operations SET created_at = created_at - interval '8 days', finished_at = finished_at - interval '8 days'")
	require.NoError(t, err)
	_, err = store.Expire(t.Context())
	require.NoError(t, err)
	var bare bool
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT body IS NULL FROM operations").Scan(&bare))
	require.True(t, bare, "and no longer")
}

// Each call that changes something finishes an operation: it would write three indexes.
func TestFinishingAnOperationWritesNoIndex(t *testing.T) {
	t.Parallel()
	db := pg.DB(t)
	store := operations.NewStore(db, secret.NewBox(secret.Keys{{Bytes: make([]byte, 32)}}))
	ctx := under(t, callctx.Principal{WorkspaceID: uuid.New(), UserID: uuid.New()}, uuid.New(), 1)
	var heapOnly int
	require.NoError(t, db.Write(ctx, func(ctx context.Context) error {
		if err := store.Claim(ctx); err != nil {
			return err
		}
		if err := store.Finish(ctx, operations.Answer{Status: 201, ContentType: "application/json", Location: "/x", Body: []byte("{}")}); err != nil {
			return err
		}
		return db.In(ctx).QueryRow(ctx, "SELECT pg_stat_get_xact_tuples_hot_updated('operations'::regclass)").Scan(&heapOnly)
	}))
	require.Equal(t, 1, heapOnly)
}
