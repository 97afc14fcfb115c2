package db_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// big are the tables that grow with every call; no statement may read one of them as a whole.
var big = []string{"messages", "llm_turns", "operations", "audit_log", "threads", "webhook_events", "job_queue", "bots", "bot_versions"}

// growing are the big tables, and more that grow with time.
func growing() []string {
	return slices.Concat(big, []string{"webhook_deliveries", "dead_letter_queue"})
}

// filled are rows enough that the planner would rather take an index, in two workspaces of which one has nearly all:
// what is quick only because a workspace is small would be seen.
const filled = `SET session_replication_role = replica;
CREATE TEMP TABLE ids AS SELECT md5('workspace ' || w)::uuid AS workspace, w FROM generate_series(1, 2) w;
INSERT INTO threads (workspace_id, id, status, last_seq, created_by, created_at)
    SELECT workspace, md5('thread ' || n)::uuid, 'active', 50, workspace, now() - n * interval '1 minute' FROM ids, generate_series(1, 400) n WHERE w = 1 OR n < 4;
INSERT INTO llm_turns (workspace_id, id, thread_id, actor_id, operation_id, provider, model, status, user_seq, lease_until, created_at, finished_at)
    SELECT workspace, md5('turn ' || n)::uuid, md5('thread ' || n / 25 + 1)::uuid, workspace, gen_random_uuid(), 'p', 'm', 'completed', 2 * (n % 25) + 1, now(), now(), now()
      FROM ids, generate_series(0, 9999) n WHERE w = 1 OR n < 75;
INSERT INTO messages (workspace_id, id, thread_id, turn_id, seq, role, content, created_at)
    SELECT t.workspace_id, gen_random_uuid(), t.thread_id, t.id, t.user_seq + r, CASE r WHEN 0 THEN 'user' ELSE 'assistant' END, repeat('word ', 20), now()
      FROM llm_turns t, generate_series(0, 1) r;
INSERT INTO operations (workspace_id, actor_id, id, fingerprint, created_at, finished_at, status, body)
    SELECT workspace, workspace, gen_random_uuid(), sha256('x'), now() - n * interval '10 minutes', now() - n * interval '10 minutes', 200, '{}' FROM ids, generate_series(1, 10000) n WHERE w = 1;
INSERT INTO audit_log (workspace_id, id, trace_id, action, resource_type, changes, user_agent, created_at)
    SELECT workspace, gen_random_uuid(), 't', 'turn.create', 'thread', '{}', '', now() - n * interval '1 minute' FROM ids, generate_series(1, 10000) n WHERE w = 1;
INSERT INTO bots (workspace_id, id, name, status, current_version, published_version, created_by, created_at, updated_at)
    SELECT workspace, md5('bot ' || n)::uuid, 'b', 'active', 1, 1, workspace, now(), now() FROM ids, generate_series(1, 3000) n WHERE w = 1;
INSERT INTO bot_versions (workspace_id, bot_id, version, instruction, settings, created_by, created_at)
    SELECT b.workspace_id, b.id, v, repeat('word ', 20), '{}', b.created_by, now() FROM bots b, generate_series(1, 3) v;
INSERT INTO webhook_events (workspace_id, id, endpoint_id, webhook_id, kind, payload, operation_id, conversation_id)
    SELECT workspace, gen_random_uuid(), workspace, n::text, 'note', '{}', gen_random_uuid(), (n / 5)::text FROM ids, generate_series(1, 20000) n WHERE w = 1;
INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts)
    SELECT workspace, gen_random_uuid(), 'k', n::text, '{}', '', 5 FROM ids, generate_series(1, 20000) n WHERE w = 1;
UPDATE job_queue SET status = 'done', kind = CASE WHEN key::integer % 50 = 0 THEN 'rare' ELSE kind END;
INSERT INTO dead_letter_queue (workspace_id, id, job_id, kind, key, payload, trace_id, attempts, failures, priority, max_attempts, errors)
    SELECT workspace, gen_random_uuid(), gen_random_uuid(), CASE WHEN n % 50 = 0 THEN 'rare' ELSE 'k' END, n::text, '{}', '', 5, 5, 0, 5, '[]' FROM ids, generate_series(1, 5000) n WHERE w = 1;
INSERT INTO webhook_deliveries (workspace_id, id, subscription_id, event_id, event_type, body, status, finished_at)
    SELECT workspace, gen_random_uuid(), workspace, gen_random_uuid(), 'note', '{}', 'delivered', now() FROM ids, generate_series(1, 10000) n WHERE w = 1;
INSERT INTO sessions (workspace_id, id, user_id, generation, rotated_at, kid, idle_expires_at, expires_at, revoked_at, created_at, user_agent)
    SELECT workspace, gen_random_uuid(), md5('user ' || n % 3)::uuid, 1, now(), 'k', now(), now(), now(), now(), '' FROM ids, generate_series(1, 5000) n WHERE w = 1;
INSERT INTO message_feedback (workspace_id, thread_id, seq, user_id, rating, comment, created_at, updated_at)
    SELECT workspace_id, thread_id, seq, workspace_id, 'good', '', now(), now() FROM messages WHERE role = 'assistant';
RESET session_replication_role;
ANALYZE`

// node is a part of a plan, as EXPLAIN (FORMAT JSON) tells it.
type node struct {
	Type     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Index    string `json:"Index Name"`
	Plans    []node
}

func (n node) walk(visit func(node)) {
	visit(n)
	for _, p := range n.Plans {
		p.walk(visit)
	}
}

var constant = regexp.MustCompile("(?s)const \\w+ = `-- name: (\\w+) :\\w+\n(.*?)`")

// statements are those of the program, by their names, as sqlc has made them.
func statements(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*db/*.sql.go")
	require.NoError(t, err)
	all := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range constant.FindAllStringSubmatch(string(text), -1) {
			all[found[1]] = found[2]
		}
	}
	require.Greater(t, len(all), 100)
	return all
}

// explain gives the plan of a connection for a statement. Parameters are NULL but for those that are given, as pairs of
// number and expression.
func explain(ctx context.Context, conn *pgx.Conn, name, sql string, parameters ...string) (plan node, err error) {
	if _, err := conn.Exec(ctx, fmt.Sprintf("PREPARE %q AS %s", name, sql)); err != nil {
		return plan, err
	}
	var count int
	if err := conn.QueryRow(ctx, "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = $1", name).Scan(&count); err != nil {
		return plan, err
	}
	call := fmt.Sprintf("EXPLAIN (FORMAT JSON) EXECUTE %q", name)
	if count > 0 {
		values := slices.Repeat([]string{"NULL"}, count)
		for i := 0; i < len(parameters); i += 2 {
			n, err := strconv.Atoi(parameters[i])
			if err != nil {
				return plan, err
			}
			values[n-1] = parameters[i+1]
		}
		call += "(" + strings.Join(values, ", ") + ")"
	}
	var text []byte
	if err := conn.QueryRow(ctx, call, pgx.QueryExecModeSimpleProtocol).Scan(&text); err != nil {
		return plan, err
	}
	var plans []struct{ Plan node }
	if err := json.Unmarshal(text, &plans); err != nil {
		return plan, err
	}
	return plans[0].Plan, nil
}

// planned is a connection as the program's are, to a database that is not empty.
func planned(t *testing.T) *pgx.Conn {
	t.Helper()
	conn := pg.Superuser(t, pg.URL(t))
	_, err := conn.Exec(t.Context(), filled)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "SET ROLE parley_app; SET plan_cache_mode = force_generic_plan")
	require.NoError(t, err)
	return conn
}

// whole are the statements that may, as their plan for all parameters tells it.
var whole = map[string]string{
	"CheckUnsealed":           "compares every entry of a workspace with its seals",
	"CountThreadsBehind":      "compares every thread of a workspace that was imported",
	"ListBotsOfTool":          "as ListBotsOfKnowledgeBase",
	"ListBotsOfKnowledgeBase": "reads the bots of a workspace when a knowledge base is deleted, and here one workspace has them all",
	"ListAudit":               "has filters that are mostly not given: it is planned for those that are, as the test below shows",
}

func TestNoStatementReadsABigTableAsAWhole(t *testing.T) {
	t.Parallel()
	conn := planned(t)
	var problems []string
	for name, sql := range statements(t) {
		if strings.HasPrefix(name, "Snapshot") {
			continue // an export reads all rows of a workspace, and here one workspace has them all
		}
		if whole[name] != "" || strings.HasPrefix(sql, "SET ") || strings.HasPrefix(sql, "NOTIFY ") || strings.HasPrefix(sql, "LISTEN ") {
			continue
		}
		if strings.Contains(sql, "schema_migrations") || strings.Contains(sql, "applied_migrations") {
			continue // the migrator's, who is not parley_app
		}
		plan, err := explain(t.Context(), conn, name, sql)
		require.NoError(t, err, name)
		plan.walk(func(n node) {
			if n.Type == "Seq Scan" && slices.Contains(growing(), n.Relation) {
				problems = append(problems, name+" reads all of "+n.Relation)
			}
		})
	}
	require.Empty(t, problems)
}

// The indexes that the three hot calls go by: those that find one thread, one turn, one operation, whatever else there is.
func TestTheHotCallsGoByTheirIndexes(t *testing.T) {
	t.Parallel()
	conn, all := planned(t), statements(t)
	for name, indexes := range map[string][]string{
		"GetBot":                {"bots_pkey", "bot_versions_pkey"},
		"ListMessages":          {"messages_seq_key", "message_feedback_pkey", "threads_pkey", "llm_turns_pkey"}, // the last where a branch is named
		"ListMessagesBackwards": {"messages_seq_key", "message_feedback_pkey", "threads_pkey", "llm_turns_pkey"},
		// The second of the versions where one is named, the turn where a parent is; the message of the parent; and model_settings, a row a workspace.
		"StartTurn":       {"threads_pkey", "bots_pkey", "bot_versions_pkey", "bot_versions_pkey", "llm_turns_pkey", "messages_seq_key"},
		"FinishTurn":      {"llm_turns_pkey"},
		"FinishOperation": {"operations_pkey"},
		"FindOperation":   {"operations_pkey"},
	} {
		plan, err := explain(t.Context(), conn, name, all[name])
		require.NoError(t, err, name)
		var used []string
		plan.walk(func(n node) {
			if n.Index != "" {
				used = append(used, n.Index)
			}
		})
		slices.Sort(used)
		slices.Sort(indexes)
		require.Equal(t, indexes, used, name)
	}
}

func TestAListWithoutFiltersReadsOnePage(t *testing.T) {
	t.Parallel()
	conn, all := planned(t), statements(t)
	_, err := conn.Exec(t.Context(), "SET plan_cache_mode = force_custom_plan; SELECT set_config('app.workspace_id', md5('workspace 1'), false)")
	require.NoError(t, err)
	workspace := regexp.MustCompile(`workspace_id = \$(\d+)`)
	for name, reads := range map[string][]string{
		"ListAudit":   {"Index Scan audit_log audit_log_newest"},
		"ListThreads": {"Index Scan threads threads_newest", "Index Scan messages messages_seq_key", "Index Scan messages messages_seq_key"}, // the newest message and the current turn
	} {
		place := workspace.FindStringSubmatch(all[name])
		require.NotNil(t, place, name)
		plan, err := explain(t.Context(), conn, name, all[name], place[1], "md5('workspace 1')::uuid", limit(t, all[name]), "50")
		require.NoError(t, err, name)
		var scans []string
		plan.walk(func(n node) {
			if strings.Contains(n.Type, "Scan") {
				scans = append(scans, n.Type+" "+n.Relation+" "+n.Index)
			}
		})
		require.ElementsMatch(t, reads, scans, name)
	}
}

// A page of a thread is read along the index, from its first message to its last, and not as the whole thread that is then sorted;
// also where there are few threads, as a planner that expects one message of the branch would rather sort.
func TestAPageOfAThreadIsNotSorted(t *testing.T) {
	t.Parallel()
	conn, all := planned(t), statements(t)
	_, err := conn.Exec(t.Context(), `RESET ROLE; SET session_replication_role = replica;
		DELETE FROM messages WHERE thread_id NOT IN (SELECT id FROM threads ORDER BY id LIMIT 3); ANALYZE messages; SET ROLE parley_app`)
	require.NoError(t, err)
	for _, name := range []string{"ListMessages", "ListMessagesBackwards", "ListTurns", "RecallThread"} {
		plan, err := explain(t.Context(), conn, name, all[name])
		require.NoError(t, err, name)
		pages := 0
		plan.walk(func(n node) {
			if n.Type != "Limit" {
				return
			}
			var scans []string
			n.walk(func(below node) {
				if below.Relation == "messages" || below.Type == "Sort" {
					scans = append(scans, below.Type+" "+below.Index)
				}
			})
			if len(scans) > 0 {
				pages++
				require.Equal(t, "Index Scan messages_seq_key", scans[0], name)
			}
		})
		require.Equal(t, 1, pages, name)
	}
}

// A statement with a filter is planned for the filter that is given (postgres.DB.InList). Each goes by the index that is made
// for it, also where little of a workspace fits it.
func TestEachFilterOfAListGoesByItsIndex(t *testing.T) {
	t.Parallel()
	conn, all := planned(t), statements(t)
	_, err := conn.Exec(t.Context(), "SET plan_cache_mode = force_custom_plan; SELECT set_config('app.workspace_id', md5('workspace 1'), false)")
	require.NoError(t, err)
	const id, early = "md5('nobody')::uuid", "now() - interval '6 days'"
	for name, filters := range map[string]map[string][]string{ // of a statement, by index: conditions up to their parameters, and values
		"ListAudit": {
			"audit_log_by_user": {"user_id =", id}, "audit_log_by_key": {"api_key_id =", id}, "audit_log_by_action": {"action =", "'bot.create'"},
			"audit_log_by_type": {"resource_type =", "'bot'"}, "audit_log_by_resource": {"resource_id =", id},
			"audit_log_by_operation": {"operation_id =", id}, "audit_log_newest": {"created_at <", early},
		},
		"ListJobs":        {"job_queue_by_kind": {"kind =", "'rare'"}, "job_queue_running": {"status =", "'running'"}},
		"ListDeadLetters": {"dead_letter_queue_by_kind": {"kind =", "'rare'"}},
		"ListDeliveries": {
			"webhook_deliveries_by_subscription": {"subscription_id =", id}, "webhook_deliveries_by_status": {"status =", "'failed'"},
		},
		"ListEvents": {
			"webhook_events_by_endpoint": {"e.endpoint_id =", id}, "webhook_events_by_status": {"OR e.status = CASE", "'ignored'"},
		},
		"ListThreads":           {"threads_by_status": {"t.status =", "'archived'"}},
		"ListThreadsOfBot":      {"threads_of_bot": {"t.bot_id =", id}},
		"ListThreadsOfEndpoint": {"threads_of_endpoint": {"t.endpoint_id =", id}},
		"ListRatedThreads":      {"message_feedback_by_rating": {"f.rating =", "'bad'", "t.trial =", "false"}},
	} {
		for index, filter := range filters {
			parameters := []string{parameter(t, all[name], "workspace_id ="), "md5('workspace 1')::uuid", limit(t, all[name]), "21"}
			for i := 0; i < len(filter); i += 2 {
				parameters = append(parameters, parameter(t, all[name], filter[i]), filter[i+1])
			}
			plan, err := explain(t.Context(), conn, name+" by "+index, all[name], parameters...)
			require.NoError(t, err, name)
			var used []string
			plan.walk(func(n node) {
				if n.Index != "" {
					used = append(used, n.Index)
				}
			})
			require.Contains(t, used, index, name)
		}
	}
}

// parameter is the number of the first parameter behind a piece of a statement.
func parameter(t *testing.T, sql, before string) string {
	t.Helper()
	found := regexp.MustCompile(regexp.QuoteMeta(before) + ` \$(\d+)`).FindStringSubmatch(sql)
	require.NotNil(t, found, "%s in %s", before, sql)
	return found[1]
}

// limit is the number of the parameter that says how many rows are wanted.
func limit(t *testing.T, sql string) string {
	t.Helper()
	found := regexp.MustCompile(`LIMIT \$(\d+)`).FindStringSubmatch(sql)
	require.NotNil(t, found, sql)
	return found[1]
}

// Statements are planned on the first connections, when a table may be new and nothing known of it: every index that begins with
// the workspace then looks as good as the primary key, and the plan stays when the table has grown.
func TestTheEndOfATurnIsFoundByItsKeyWhenNothingIsKnownOfTheTable(t *testing.T) {
	t.Parallel()
	conn := pg.Superuser(t, pg.URL(t))
	_, err := conn.Exec(t.Context(), "SET ROLE parley_app; SET plan_cache_mode = force_generic_plan")
	require.NoError(t, err)
	plan, err := explain(t.Context(), conn, "FinishTurn", statements(t)["FinishTurn"])
	require.NoError(t, err)
	var indexes []string
	plan.walk(func(n node) {
		if n.Relation == "llm_turns" && n.Index != "" {
			indexes = append(indexes, n.Index)
		}
	})
	require.Equal(t, []string{"llm_turns_pkey"}, indexes)
}
