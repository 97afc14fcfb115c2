package db_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// botData says what a table has of bots, and so what its policy key_bots must say: what an API key that is limited to some
// bots sees of it. The zero value is for tables without data of a bot, which need no such policy.
type botData struct{ condition, check string }

// byBot is for rows that name their bot: app.keep_to_bots.
func byBot(column string) botData {
	return botData{fmt.Sprintf("COALESCE((%s = ANY ((current_setting('app.bots'::text, true))::uuid[])), false)", column), fmt.Sprintf("app.refuse_bot(%s)", column)}
}

// byParent is for rows whose bot is known by another row: app.keep_key_to.
func byParent(condition string) botData { return botData{condition, ""} }

// closed is for tables in which rows of all bots are mixed: app.close_to_limited_keys. Of some a key sees its own rows.
func closed(own string) botData { return botData{own, "true"} }

// byBase is for rows of knowledge bases, which such a key reads where its bots name the base, and never writes: app.let_key_read.
func byBase(column string) botData {
	return botData{fmt.Sprintf("COALESCE((%s = ANY (( SELECT app.known_bases() AS known_bases)::uuid[])), false)", column), "app.refuse_key()"}
}

// byTool is for rows of tools, which such a key reads where its bots name the tool, and never writes.
func byTool(column string) botData {
	return botData{fmt.Sprintf("COALESCE((%s = ANY (( SELECT app.known_tools() AS known_tools)::uuid[])), false)", column), "app.refuse_key()"}
}

// keyBots classifies every table. A new one needs a line here: does a row of it say anything of a bot, of its
// conversations or of what it knows?
var keyBots = map[string]botData{
	"account_events":     {}, // of an account, which no key has
	"account_sessions":   {},
	"account_devices":    {},
	"account_emails":     {},
	"account_links":      {},
	"account_totp":       {},
	"account_tickets":    {},
	"account_identities": {},
	"sign_ins":           {},
	"analytics_daily":    byBot("bot_id"),
	"analytics_latency":  byBot("bot_id"),
	"analytics_outbox":   byBot("bot_id"),
	"analytics_quarters": byBot("bot_id"),

	"account_recovery_codes":     {},
	"analytics_latency_quarters": byBot("bot_id"),
	"api_keys":                   {},
	"audit_cuts":                 {}, // numbers and times
	"audit_log":                  closed("false"),
	"audit_seal_heads":           {},
	"audit_seal_progress":        {},
	"audit_seals":                {}, // ids of rows of the audit log
	"bot_pointer_moves":          byBot("bot_id"),
	"bot_versions":               byBot("bot_id"),
	"bots":                       byBot("id"),
	"caller_counts":              {}, // numbers of requests, turns and tokens, and costs
	"dead_letter_queue":          closed("false"),
	"event_bodies":               closed("false"),
	"tools":                      byTool("id"),
	"tool_versions":              byTool("tool_id"),
	"tool_credentials":           byTool("tool_id"),
	"tool_reviews":               byTool("tool_id"),
	"knowledge_bases":            byBase("id"),
	"documents":                  byBase("base_id"),
	"document_texts":             {"app.sees_document(document_id)", "app.refuse_key()"},
	"chunks":                     byBase("base_id"),
	"document_files":             closed("false"),
	"document_vectors":           {}, // ids, and names of models
	"embedding_cache":            closed("false"),
	"end_users":                  {},              // whom, and not with which bot
	"end_user_bots":              byBot("bot_id"), // those with which bots
	"embedding_keys":             {},              // a search reads it
	"lexicon":                    closed("false"), // words of documents
	"files":                      closed("(created_by = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid)"),
	"installation":               {},
	"invitations":                {},
	"job_queue":                  closed("(created_at = now())"),
	"job_targets":                {}, // hosts, and numbers of answers
	"llm_turns":                  byBot("bot_id"),
	"login_attempts":             {},
	"login_networks":             {},
	"mail_counts":                {},
	"account_failures":           {},
	"message_feedback":           byParent("app.sees_thread(thread_id)"),
	"messages":                   byParent("app.sees_thread(thread_id)"),
	"model_keys":                 {},
	"model_settings":             {}, // defaults for all bots: a turn reads them
	"operations":                 byParent("(actor_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid)"),
	"periodic_tasks":             {},
	"applied_migrations":         {},
	"schema_migrations":          {},
	"retrievals":                 byParent("app.sees_turn(turn_id)"),
	"retrieved_documents":        byParent("app.sees_turn(turn_id)"),
	"sessions":                   {},
	"threads":                    byBot("bot_id"),
	"tool_calls":                 byParent("app.sees_turn(turn_id)"),
	"message_attachments":        byParent("app.sees_turn(turn_id)"),
	"turn_events":                byParent("app.sees_turn(turn_id)"),
	"turn_processes":             {},
	"upkeep":                     {},
	"usage_counters":             {}, // sums of the whole workspace: a turn counts there
	"usage_warnings":             {},
	"users":                      {},
	"vectors":                    {}, // ids and directions; what they belong to is another table
	"webhook_attempts":           closed("false"),
	"webhook_deliveries":         closed("(created_at = now())"),
	"webhook_endpoints":          byBot("bot_id"),
	"webhook_events":             byParent("app.sees_endpoint(endpoint_id)"),
	"webhook_subscriptions":      byParent("((endpoint_id IS NULL) OR app.sees_endpoint(endpoint_id))"),
	"workspace_exports":          closed("false"), // of the whole workspace
	"workspace_limits":           {},
	"workspace_retention":        {}, // a setting of the whole workspace
	"workspace_members":          {},
	"workspace_purges":           {},
	"retired_keys":               {},
	"workspaces":                 {},
}

// botProblems gives the tables that show a key which is limited to some bots what it may not see, a line each.
func botProblems(ctx context.Context, conn *pgx.Conn) (problems []string, err error) {
	rows, err := conn.Query(ctx, `SELECT c.relname::text,
		       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'bot_id' AND NOT a.attisdropped),
		       coalesce(pg_get_expr(p.polqual, c.oid), ''), coalesce(pg_get_expr(p.polwithcheck, c.oid), ''),
		       coalesce(NOT p.polpermissive AND p.polcmd = '*' AND p.polroles = ARRAY['parley_app'::regrole]::oid[], false)
		  FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = 'key_bots'
		 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'f') ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	seen := map[string]bool{}
	for rows.Next() {
		var table, condition, check string
		var hasBot, sound bool
		if err := rows.Scan(&table, &hasBot, &condition, &check, &sound); err != nil {
			return nil, err
		}
		seen[table] = true
		want, known := keyBots[table]
		switch limited := "CASE WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true ELSE %s END"; {
		case !known:
			problems = append(problems, table+" is not classified: say in keyBots (key_bots_test.go) what it has of bots")
		case hasBot && want == botData{}:
			problems = append(problems, table+" has a bot_id, and is classified as if it had nothing of bots")
		case want == botData{} && condition != "":
			problems = append(problems, table+" has a policy key_bots, and is classified as if it had nothing of bots")
		case want != botData{} && (!sound || oneLine(condition) != fmt.Sprintf(limited, want.condition)):
			problems = append(problems, table+" does not keep a key that is limited to some bots to their rows: its policy key_bots says "+oneLine(condition))
		case want.check != "" && want.check != "true" && oneLine(check) != fmt.Sprintf(limited, want.check),
			want.check == "true" && check != "true", want.check == "" && check != "":
			problems = append(problems, table+" does not keep a key that is limited to some bots from making rows of others: its policy key_bots checks "+oneLine(check))
		}
	}
	for table := range keyBots {
		if !seen[table] {
			problems = append(problems, table+" is classified, and is not there")
		}
	}
	return problems, rows.Err()
}

func oneLine(expression string) string { return strings.Join(strings.Fields(expression), " ") }

// Two bots of a workspace have a row in every table. A key that is limited to the first sees its row alone, and none where
// the rows of all bots are mixed; a whole key sees both.
func TestAKeyLimitedToABotSeesTheRowsOfThatBotOnly(t *testing.T) {
	t.Parallel()
	conn := pg.Superuser(t, pg.URL(t))
	exec := func(sql string, args ...any) {
		_, err := conn.Exec(t.Context(), sql, args...)
		require.NoError(t, err, sql)
	}
	exec(`SET session_replication_role = replica; -- without foreign keys
		DO $$ DECLARE c record; BEGIN
			FOR c IN SELECT conrelid::regclass AS tab, conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace LOOP
				EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.tab, c.conname);
			END LOOP;
		END $$`)
	workspace, limited, whole := uuid.New(), uuid.New(), uuid.New()
	first := fillTables(t, conn, workspace, limited)
	fillTables(t, conn, workspace, whole)
	exec(`INSERT INTO workspaces (id, name, created_at) VALUES ($1, 'Acme', now())`, workspace)
	for key, bots := range map[uuid.UUID][]uuid.UUID{limited: {first}, whole: nil} {
		exec(`INSERT INTO api_keys (workspace_id, id, name, hash, hint, role, bot_ids, created_by, created_at)
			VALUES ($1, $2, 'x', $4, 'x', 'editor', $3, $2, now())`, workspace, key, bots, key[:])
		exec(`INSERT INTO workspace_members (workspace_id, user_id, role, created_at) VALUES ($1, $2, 'owner', now())`, workspace, key) // its maker
	}
	for _, table := range slices.Sorted(maps.Keys(keyBots)) {
		class := keyBots[table]
		if class == (botData{}) {
			continue
		}
		sees := func(key uuid.UUID) (n int) {
			require.NoError(t, pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), `SELECT set_config('role', 'parley_app', true), app.enter_key($1, $2, '{}', 'any')`, key, workspace)
				require.NoError(t, err)
				return tx.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n)
			}), table)
			return n
		}
		want := 1
		if class.check == "true" {
			want = 0
		}
		require.Equal(t, 2, sees(whole), table)
		require.Equal(t, want, sees(limited), table)
	}
	for _, table := range []string{"knowledge_bases", "documents", "document_texts", "chunks", "tools", "tool_credentials", "tool_reviews"} {
		for _, change := range []string{"DELETE FROM " + table, "INSERT INTO " + table + " SELECT * FROM " + table, "UPDATE documents SET title = 'x'"} {
			err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), `SELECT set_config('role', 'parley_app', true), app.enter_key($1, $2, '{}', 'any')`, limited, workspace)
				require.NoError(t, err)
				_, err = tx.Exec(t.Context(), change)
				return err
			})
			var refused *pgconn.PgError
			require.ErrorAs(t, err, &refused, change)
			require.Equal(t, "PYKEY", refused.Code, change)
		}
	}
}

// fillTables makes a bot with one row in every table of a workspace, whatever its columns, and gives the bot's id.
func fillTables(t *testing.T, conn *pgx.Conn, workspace, actor uuid.UUID) (bot uuid.UUID) {
	t.Helper()
	bot = uuid.New()
	ids := map[string]uuid.UUID{
		"workspace_id": workspace, "actor_id": actor, "bot_id": bot, "bots.id": bot, "thread_id": uuid.New(), "turn_id": uuid.New(), "endpoint_id": uuid.New(),
		"base_id": uuid.New(), "document_id": uuid.New(),
	}
	ids["threads.id"], ids["llm_turns.id"], ids["webhook_endpoints.id"] = ids["thread_id"], ids["turn_id"], ids["endpoint_id"]
	ids["tool_id"] = uuid.New()
	ids["tools.id"] = ids["tool_id"]
	ids["knowledge_bases.id"], ids["documents.id"] = ids["base_id"], ids["document_id"]
	rows, err := conn.Query(t.Context(), `SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL)
		  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = ''
		   AND EXISTS (SELECT FROM pg_attribute w WHERE w.attrelid = c.oid AND w.attname = 'workspace_id') AND c.relname <> 'api_keys'`)
	require.NoError(t, err)
	columns, values := map[string][]string{}, map[string][]string{}
	var table, column, kind string
	_, err = pgx.ForEachRow(rows, []any{&table, &column, &kind}, func() error {
		value := map[string]string{
			"text": bot.String(), "jsonb": "{}", "boolean": "false", "bytea": uuid.NewString(), "inet": "127.0.0.1", "date": "2020-01-01", "int8multirange": "{}", "timestamp with time zone": "2020-01-01",
		}[kind]
		id, linked := ids[column]
		if own, is := ids[table+"."+column]; is {
			id, linked = own, true
		}
		switch {
		case linked:
			value = id.String()
		case table == "bot_versions" && column == "settings":
			value = fmt.Sprintf(`{"knowledge": [{"id": "%s"}], "tools": [{"id": "%s"}]}`, ids["base_id"], ids["tool_id"])
		case kind == "uuid":
			value = uuid.NewString()
		case strings.HasSuffix(kind, "[]"):
			value = "{}"
		case value == "":
			value = "1"
		}
		columns[table], values[table] = append(columns[table], column), append(values[table], "'"+value+"'")
		return nil
	})
	require.NoError(t, err)
	for table := range columns {
		_, err := conn.Exec(t.Context(), fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT DO NOTHING", table, strings.Join(columns[table], ", "), strings.Join(values[table], ", ")))
		require.NoError(t, err, table)
	}
	return bot
}
