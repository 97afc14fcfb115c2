package postgres

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/testing/pgtest"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// exported says of a table which kind its rows are, and which of its columns an export leaves out, with the reason of each.
type exported struct {
	kind string
	out  map[string]string
}

// exportedTables are the tables of workspaces that an export has. A new column is either in the statement of its kind in
// db/queries/activity/snapshot.sql, or named here with the reason why it is not.
var exportedTables = map[string]exported{
	"workspaces": {"workspace", map[string]string{
		"deleted_at": "a deleted workspace is not exported", "second_factor": "a rule for members, who are not imported",
	}},
	"workspace_members": {"members", nil},
	"invitations": {"invitations", map[string]string{
		"token_hash": "secret", "operation_id": "of a call", "announced": "of the limits of emails",
	}},
	"workspace_limits": {"limits", nil},
	"usage_counters":   {"usage", map[string]string{"slot": "summed up"}},
	"model_settings":   {"model_settings", nil},
	"model_keys":       {"model_keys", map[string]string{"sealed": "secret", "last_four": "part of a secret"}},
	"embedding_keys":   {"embedding_keys", map[string]string{"sealed": "secret", "last_four": "part of a secret"}},
	"knowledge_bases":  {"knowledge_bases", map[string]string{"deleted_at": "deleted ones are not exported"}},
	"files":            {"files", nil},
	"documents": {"documents", map[string]string{
		"stage": "of indexing", "generation": "of indexing", "building": "of indexing", "build_size": "of indexing", "build_overlap": "of indexing",
		"build_reuse": "of indexing", "chunks_done": "of indexing", "chunks_total": "of indexing", "text_bytes": "of indexing",
	}},
	"document_texts": {"document_texts", map[string]string{
		"outline": "of indexing", "page_starts": "of indexing", // generation is 'source'
	}},
	"tools":         {"tools", nil},
	"tool_versions": {"tool_versions", nil},
	"bots": {"bots", map[string]string{
		"deleted_at": "a deleted bot is exported as an archived one without texts, as its threads name it", "threads_deleted_at": "of the erasure of its threads",
	}},
	"bot_versions":      {"bot_versions", nil},
	"bot_pointer_moves": {"bot_history", nil},
	"webhook_endpoints": {"webhook_endpoints", map[string]string{"secrets": "secret"}},
	"webhook_subscriptions": {"webhook_subscriptions", map[string]string{
		"secrets": "secret", "failing_since": "of deliveries", "held_at": "of deliveries", "last_failed_at": "of deliveries", "failures": "of deliveries",
		"deleted_at": "deleted ones are not exported",
	}},
	"end_users":     {"end_users", map[string]string{"turn_limits": "of callers of this installation: a token sets them anew"}},
	"end_user_bots": {"end_users", nil},
	"threads": {"threads", map[string]string{
		"deleted_at": "deleted ones are not exported", "expires_at": "those that expire are not exported", "trial": "trials expire",
	}},
	"llm_turns": {"turns", map[string]string{
		"lease_until": "of the process that runs it", "process_id": "of the process that runs it", "read_until": "of a call", "cancel_attempt": "of a call", "cancel_operation": "of a call",
		"reserved_micros": "of limits", "error_details": "of an answer that was sent", "request": "of a turn that goes on",
		"waiting": "of a turn that goes on", "waits": "of a turn that goes on", "tools": "of a turn that goes on", "tool_steps": "counted by tool_calls", "spent": "of a turn that goes on",
		"trial": "those of trial threads are not exported",
	}},
	"tool_calls": {"tool_calls", nil},
	"messages":   {"messages", nil},
	"message_attachments": {"messages", map[string]string{
		"text": "extracted from the file", "cut": "as text", "place": "the order of the attachments", "stored_id": "deleted says whether it is there",
		"file_id": "by app.attachments_of", "name": "as file_id", "media_type": "as file_id", "size": "as file_id",
	}},
	"message_feedback": {"feedback", nil},
	"audit_log":        {"audit_log", nil},
}

// leftOut are the tables of workspaces that no export has, with the reason of each.
var leftOut = map[string]string{
	"tool_credentials":           "secrets: they are set anew",
	"tool_reviews":               "what servers have now: it is found anew",
	"api_keys":                   "secrets: keys are made anew",
	"sessions":                   "secrets",
	"caller_counts":              "of callers of this installation, within a day",
	"operations":                 "answers to calls, for those who send them again",
	"job_queue":                  "work in progress",
	"dead_letter_queue":          "work in progress",
	"job_targets":                "work in progress",
	"workspace_exports":          "exports themselves",
	"workspace_retention":        "a rule of this installation, which would delete what was just imported: set it anew",
	"chunks":                     "made of documents",
	"lexicon":                    "made of documents",
	"vectors":                    "made of documents",
	"document_vectors":           "made of documents",
	"document_files":             "of the erasure of files",
	"embedding_cache":            "made of documents",
	"retrievals":                 "how turns searched, by chunks that an import makes anew; what was cited is in messages",
	"retrieved_documents":        "as retrievals",
	"turn_events":                "streams, of which messages have the text",
	"webhook_events":             "what senders delivered, of which messages have the text",
	"webhook_deliveries":         "what was delivered to subscribers",
	"webhook_attempts":           "what was delivered to subscribers",
	"event_bodies":               "what was delivered to subscribers",
	"analytics_daily":            "counts of turns",
	"analytics_latency":          "counts of turns",
	"analytics_latency_quarters": "counts of turns",
	"analytics_quarters":         "counts of turns",
	"analytics_outbox":           "counts of turns",
	"usage_warnings":             "which emails and events about usage went out",
	"audit_seals":                "seals under the keys of this installation",
	"audit_seal_heads":           "seals under the keys of this installation",
	"audit_cuts":                 "seals under the keys of this installation",
}

// inOtherWords are columns that statements read, but not as alias.column.
var inOtherWords = map[string]string{
	"members.user_id": "m.user_id", "members.role": "m.role", "members.created_at": "m.joined_at", "document_texts.generation": "t.generation",
}

func TestEveryTableOfAWorkspaceIsExportedOrLeftOutForAReason(t *testing.T) {
	t.Parallel()
	conn := pg.Superuser(t, pg.URL(t))
	rows, err := conn.Query(t.Context(), `SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
		   AND (c.relname = 'workspaces' OR EXISTS (SELECT FROM pg_attribute w WHERE w.attrelid = c.oid AND w.attname = 'workspace_id' AND NOT w.attisdropped))`)
	require.NoError(t, err)
	columns := map[string][]string{}
	var table, column string
	_, err = pgx.ForEachRow(rows, []any{&table, &column}, func() error {
		columns[table] = append(columns[table], column)
		return nil
	})
	require.NoError(t, err)
	statements := map[string]string{}
	for _, k := range kinds() {
		statements[k.name] = k.statement
	}
	unread := maps.Clone(statements)
	for table, list := range columns {
		how, is := exportedTables[table]
		if !is {
			require.Contains(t, leftOut, table, "say how %s is exported (exportedTables), or why it is not (leftOut)", table)
			continue
		}
		require.NotContains(t, leftOut, table)
		statement := statements[how.kind]
		require.NotEmpty(t, statement, "%s: there is no kind %s", table, how.kind)
		delete(unread, how.kind)
		shown, _, _ := strings.Cut(statement, "AS line") // what the rest reads is not in the archive
		for _, column := range list {
			if column == "workspace_id" {
				continue
			}
			words, is := inOtherWords[how.kind+"."+column]
			if !is {
				words = "." + column
			}
			read := regexp.MustCompile(regexp.QuoteMeta(words) + `\b`).MatchString(shown)
			_, out := how.out[column]
			require.NotEqual(t, out, read, "%s.%s: either the statement of %s reads it, or exportedTables says why not", table, column, how.kind)
		}
		for column := range how.out {
			require.Contains(t, list, column, "%s has no such column", table)
		}
	}
	require.Empty(t, unread, "kinds of no table")
	for _, named := range slices.Concat(slices.Collect(maps.Keys(exportedTables)), slices.Collect(maps.Keys(leftOut))) {
		require.Contains(t, columns, named, "there is no such table")
	}
}

func TestNoStatementOfAnExportReadsASecret(t *testing.T) {
	t.Parallel()
	secret := regexp.MustCompile(`(?i)password|token_hash|sealed|secrets|\bhash\b|last_four|api_keys\b|sessions\b`)
	require.True(t, secret.MatchString("SELECT e.secrets FROM webhook_endpoints e"))
	for _, k := range kinds() {
		require.NotRegexp(t, secret, k.statement, k.name)
		require.Regexp(t, `(workspace_id|w\.id) = \$1`, k.statement, "%s: of one workspace", k.name)
	}
}
