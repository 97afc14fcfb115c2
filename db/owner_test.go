package db_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// owned says how the rows of a table are known to be of their owner: what the policy owner says for whoever sees only what it owns,
// such as an end user.
//
// end_users shows an end user itself; of webhook_events the threads are those of channels, which have no owner.
var owned = map[string]string{
	"threads":             "(owner_id = (current_setting('app.owner'::text))::uuid)",
	"messages":            "app.owns_thread(thread_id)",
	"llm_turns":           "app.owns_thread(thread_id)",
	"message_feedback":    "app.owns_thread(thread_id)",
	"turn_events":         "app.owns_turn(turn_id)",
	"retrievals":          "app.owns_turn(turn_id)",
	"retrieved_documents": "app.owns_turn(turn_id)",
	"tool_calls":          "app.owns_turn(turn_id)",
	"message_attachments": "app.owns_turn(turn_id)",
	"files":               "(owner_id = (current_setting('app.owner'::text))::uuid)",
	"operations":          "(actor_id = (current_setting('app.owner'::text))::uuid)",
}

// ownerProblems gives the tables with rows of threads that are not kept to their owner, a line each.
func ownerProblems(ctx context.Context, conn *pgx.Conn) (problems []string, err error) {
	rows, err := conn.Query(ctx, `SELECT c.relname::text, coalesce(pg_get_expr(p.polqual, c.oid), ''),
		       coalesce(NOT p.polpermissive AND p.polcmd = '*' AND p.polroles = ARRAY['parley_app'::regrole]::oid[] AND p.polwithcheck IS NULL, false),
		       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ('thread_id', 'turn_id', 'owner_id') AND NOT a.attisdropped)
		  FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = 'owner'
		 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'f') AND c.relname NOT IN ('end_users', 'webhook_events') ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	var table, condition string
	var sound, ofThread bool
	seen := []string{}
	_, err = pgx.ForEachRow(rows, []any{&table, &condition, &sound, &ofThread}, func() error {
		want, known := owned[table]
		seen = append(seen, table)
		switch {
		case !known && ofThread:
			problems = append(problems, table+" has rows of threads, and is not kept to their owner: app.keep_to_owner, and a line in owned")
		case known && (!sound || oneLine(condition) != fmt.Sprintf("CASE WHEN (COALESCE(current_setting('app.owner'::text, true), ''::text) = ''::text) THEN true ELSE COALESCE(%s, false) END", want)):
			problems = append(problems, table+" is not kept to its owner: its policy says "+strings.TrimSpace(oneLine(condition)))
		}
		return nil
	})
	for table := range owned {
		if !slices.Contains(seen, table) {
			problems = append(problems, table+" is listed in owned, and is not there")
		}
	}
	return problems, err
}

func TestWhoeverSeesOnlyWhatItOwnsIsKeptToItInEveryTableOfThreads(t *testing.T) {
	t.Parallel()
	conn := pg.Superuser(t, pg.URL(t))
	problems, err := ownerProblems(t.Context(), conn)
	require.NoError(t, err)
	require.Empty(t, problems)

	for name, sql := range map[string]string{
		"a new table without the policy": `CREATE TABLE notes (workspace_id uuid, thread_id uuid)`,
		"a policy that is gone":          `DROP POLICY owner ON messages`,
		"one that lets all through":      `ALTER POLICY owner ON llm_turns USING (true)`,
		"one that only adds":             `DROP POLICY owner ON turn_events; CREATE POLICY owner ON turn_events TO parley_app USING (true)`,
	} {
		tx, err := conn.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), sql)
		require.NoError(t, err, name)
		problems, err := ownerProblems(t.Context(), tx.Conn())
		require.NoError(t, err)
		require.Len(t, problems, 1, name)
		require.NoError(t, tx.Rollback(t.Context()))
	}
}
