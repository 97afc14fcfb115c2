package turns

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// ways are the endpoints by which a message can be said in a thread. Each returns the answer's text.
func ways(t *testing.T) map[string]func(c *harness.Caller, bot, thread, text string) string {
	t.Helper()
	in := func(thread string) harness.Header { return harness.Header{Name: "X-Parley-Thread-Id", Value: thread} }
	return map[string]func(c *harness.Caller, bot, thread, text string) string{
		"turn": func(c *harness.Caller, _, thread, text string) string {
			return c.Say(t, thread, text).Text("assistant_message.content")
		},
		"turn, streamed": func(c *harness.Caller, _, thread, text string) string {
			said, _, _ := harness.StreamedText(c.Open(t, http.MethodPost, "/v1/conversations/threads/"+thread+"/turn", harness.Says(text)).Rest())
			return said
		},
		"chat completion": func(c *harness.Caller, bot, thread, text string) string {
			return contentOf(t, c.Post(t, completions, asks(bot, nil, "user", text), in(thread)))
		},
		"chat completion, streamed": func(c *harness.Caller, bot, thread, text string) (said string) {
			chunks, done := chunksOf(t, c.Post(t, completions, asks(bot, map[string]any{"stream": true}, "user", text), in(thread)))
			require.True(t, done)
			for _, chunk := range chunks {
				piece, _ := choiceOf(t, chunk)["delta"].(map[string]any)["content"].(string)
				said += piece
			}
			return said
		},
		"AI SDK": func(c *harness.Caller, bot, thread, text string) (said string) {
			parts, _ := partsOf(t, c.Post(t, "/ai-sdk/v1/bots/"+bot+"/chat", uiMessage(thread, uuid.NewString(), text, nil)))
			for _, p := range parts {
				piece, _ := p["delta"].(string)
				said += piece
			}
			return said
		},
	}
}

// Whichever endpoint a conversation goes through (U10 of the product), the same rows stay of it.
func TestAConversationLeavesTheSameRowsByEachEndpoint(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	all, said := map[string]map[string][]map[string]any{}, ways(t)
	for way, say := range said {
		ada := p.Register(t)
		bot := ada.NewBot(t)
		thread := uuid.NewString() // a chat of the AI SDK makes its thread
		if way != "AI SDK" {
			thread = ada.Thread(t, bot)
		}
		for _, text := range []string{"one", "two three"} {
			require.Equal(t, "Echo: "+text, say(ada, bot, thread, text), way)
		}
		threads := ada.Get(t, "/v1/conversations/threads").Items()
		require.Len(t, threads, 1, way)
		items := ada.Get(t, "/v1/conversations/threads/"+threads[0]["id"].(string)+"/messages").Items()
		require.Len(t, items, 4, way)
		rated := ada.Put(t, "/v1/conversations/messages/"+items[3]["id"].(string)+"/feedback", map[string]any{"rating": "good", "comment": "Well said."})
		require.Equal(t, http.StatusOK, rated.Status, rated)
		all[way] = rowsOf(t, harness.Postgres.Superuser(t, p.Database), ada.Workspace)
	}
	for way, rows := range all {
		t.Run(way, func(t *testing.T) {
			want := all["turn"]
			if way != "chat completion" && way != "turn" { // the pieces of a stream are kept, to be resumed
				want = all["turn, streamed"]
			}
			for table := range want {
				require.Equal(t, want[table], rows[table], table)
			}
			require.Len(t, rows, len(want))
		})
	}
}

// rowsOf returns the rows of a workspace by table, without what differs from one run to another: times, durations and ids.
func rowsOf(t *testing.T, super *pgx.Conn, workspace string) map[string][]map[string]any {
	t.Helper()
	tables := []string{"threads", "messages", "llm_turns", "turn_events", "message_feedback", "operations", "audit_log", "job_queue"}
	rows := map[string][]map[string]any{}
	for _, table := range tables {
		from := pgx.Identifier{table}.Sanitize()
		if table == "turn_events" { // how many pieces are stored at once depends on the load
			from = `(SELECT workspace_id, turn_id, attempt, array_to_string(array_agg(array_to_string(pieces, '') ORDER BY first), '') AS text, min(created_at) AS created_at
			           FROM turn_events GROUP BY workspace_id, turn_id, attempt)`
		}
		found, err := super.Query(t.Context(), `SELECT to_jsonb(x) FROM `+from+` x WHERE workspace_id = $1 ORDER BY to_jsonb(x)->>'created_at'`, workspace)
		require.NoError(t, err)
		of, err := pgx.CollectRows(found, pgx.RowTo[map[string]any])
		require.NoError(t, err)
		for _, row := range of {
			if row["action"] == "thread.create" || strings.HasPrefix(fmt.Sprint(row["location"]), "/v1/conversations/threads/") {
				continue // of the AI SDK the first message opens the thread
			}
			if table == "threads" {
				delete(row, "metadata") // and the thread has the id of its chat
			}
			rows[table] = append(rows[table], withoutChance(row))
		}
	}
	return rows
}

var chance = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}|\d{4}-\d\d-\d\dT[0-9:.+]+|\\x[0-9a-f]+`)

func withoutChance(row map[string]any) map[string]any {
	for column, value := range row {
		switch value := value.(type) {
		case string:
			row[column] = chance.ReplaceAllString(value, "…")
		case map[string]any:
			row[column] = withoutChance(value)
		case float64:
			if strings.HasSuffix(column, "_ms") {
				row[column] = nil
			}
		}
	}
	return row
}
