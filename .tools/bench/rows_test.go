package main

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
)

// oldRows makes all rows of a shape, by table, each by column.
func oldRows(t *testing.T, s *shape) map[string][]map[string]any {
	t.Helper()
	made := map[string][]map[string]any{}
	for _, table := range oldTables() {
		source := part{shape: s, rows: table.rows, end: s.turns}
		for source.Next() {
			values, err := source.Values()
			require.NoError(t, err)
			require.Len(t, values, len(table.columns), table.name)
			row := map[string]any{}
			for i, column := range table.columns {
				row[column] = values[i]
			}
			made[table.name] = append(made[table.name], row)
		}
		require.NoError(t, source.Err())
	}
	return made
}

// The database is not asked to look up any of these while it is filled.
func TestOldRowsReferToRowsThatThereAre(t *testing.T) {
	t.Parallel()
	s, err := newShape(3_000, someTargets(3), time.Now())
	require.NoError(t, err)
	rows := oldRows(t, s)
	require.Len(t, rows["messages"], 6_000)
	require.Len(t, rows["llm_turns"], 3_000)
	require.Len(t, rows["audit_log"], 3_000)
	require.Len(t, rows["operations"], 600)

	type key [2]any
	bots, members := map[key]bool{}, map[key]bool{}
	for _, o := range s.owners {
		bots[key{pgUUID(o.workspace), pgUUID(o.bot)}], members[key{pgUUID(o.workspace), pgUUID(o.user)}] = true, true
	}
	threads, turns, asked := map[key]int64{}, map[key]map[string]any{}, map[any]bool{}
	for _, r := range rows["threads"] {
		require.True(t, bots[key{r["workspace_id"], r["bot_id"]}])
		require.True(t, members[key{r["workspace_id"], r["created_by"]}])
		require.NotContains(t, threads, key{r["workspace_id"], r["id"]}, "two threads of one id")
		threads[key{r["workspace_id"], r["id"]}] = r["last_seq"].(int64)
	}
	for _, r := range rows["llm_turns"] {
		require.Contains(t, threads, key{r["workspace_id"], r["thread_id"]})
		require.True(t, bots[key{r["workspace_id"], r["bot_id"]}])
		require.True(t, members[key{r["workspace_id"], r["actor_id"]}])
		turns[key{r["workspace_id"], r["id"]}] = r
		asked[r["operation_id"]] = true
	}
	require.Len(t, turns, 3_000)
	seqs, ids := map[key]int64{}, map[any]bool{}
	for _, r := range rows["messages"] {
		turn := turns[key{r["workspace_id"], r["turn_id"]}]
		require.NotNil(t, turn, "a message of no turn")
		require.Equal(t, turn["thread_id"], r["thread_id"])
		require.Equal(t, turn["operation_id"], r["operation_id"])
		thread := key{r["workspace_id"], r["thread_id"]}
		seqs[thread]++
		require.Equal(t, seqs[thread], r["seq"])
		ids[r["id"]] = true
	}
	require.Equal(t, threads, seqs, "last_seq is not the number of the last message")
	require.Len(t, ids, 6_000)
	for _, r := range rows["operations"] {
		require.True(t, asked[r["id"]])
		require.Len(t, r["fingerprint"], 32)
	}
}

func TestOldOperationsHaveTheirAnswersUntilALittleAfterTheyExpire(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s, err := newShape(3_000, someTargets(1), now)
	require.NoError(t, err)
	due, empty := 0, 0
	for _, r := range oldRows(t, s)["operations"] {
		age := now.Sub(r["created_at"].(time.Time))
		if r["body"] == nil {
			require.Greater(t, age, 7*24*time.Hour)
			empty++
			continue
		}
		require.InDelta(t, 330, len(r["body"].([]byte)), 50)
		if age > 7*24*time.Hour {
			due++
		}
	}
	require.InDelta(t, 20, due, 2)
	require.InDelta(t, 440, empty, 10)
}

func TestAnOldUserMessageComesBeforeItsAnswer(t *testing.T) {
	t.Parallel()
	s, err := newShape(100, someTargets(1), time.Now())
	require.NoError(t, err)
	for i := range s.turns {
		two := messageRows(s, s.turn(i))
		require.Equal(t, "user", two[0][5])
		require.Equal(t, "assistant", two[1][5])
		require.True(t, two[0][8].(time.Time).Before(two[1][8].(time.Time)))
		user, answer := two[0][1].(pgtype.UUID), two[1][1].(pgtype.UUID)
		require.EqualValues(t, 7, uuid.UUID(user.Bytes).Version())
		require.EqualValues(t, 7, uuid.UUID(answer.Bytes).Version())
	}
}
