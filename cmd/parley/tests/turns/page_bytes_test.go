package turns

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestAListOfLargeRowsEndsItsPagesEarlierAndLosesNone(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t, "WORKERS=0").Register(t)
	bot := ada.NewBot(t)
	thread := ada.Thread(t, bot)
	large := strings.Repeat("\u4e16", 49_000) // 147 KB
	turns := "/v1/conversations/threads/" + thread + "/turn"
	var texts []string
	for n := range 10 {
		content := fmt.Sprint(n)
		if n%3 != 2 {
			content += large
		}
		require.Equal(t, http.StatusOK, ada.Post(t, turns, map[string]any{"content": content}).Status)
		texts = append(texts, content, "Echo: "+content)
	}
	of := func(items []map[string]any, path ...string) (texts []string) {
		for _, item := range items {
			texts = append(texts, harness.Answer{Body: item}.Text(strings.Join(path, ".")))
		}
		return texts
	}
	backwards := slices.Clone(texts)
	slices.Reverse(backwards)
	for path, want := range map[string][]string{
		"/messages?limit=100": texts, "/messages?limit=100&order=desc": backwards, "/messages?limit=1": texts,
	} {
		items, pages := ada.LeafThrough(t, "/v1/conversations/threads/"+thread+path)
		require.True(t, slices.Equal(want, of(items, "content")), path)
		require.Greater(t, pages, 4, path)
	}
	list := "/v1/conversations/threads/" + thread + "/turns?limit=100"
	require.Len(t, ada.Get(t, list).Items(), 10, "turns are without their texts")
	super := harness.Postgres.Superuser(t, ada.Database)
	for _, sql := range []string{
		`UPDATE messages SET status = 'cancelled' WHERE role = 'assistant'`, `UPDATE llm_turns SET status = 'cancelled'`,
	} {
		_, err := super.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	items, pages := ada.LeafThrough(t, list) // except the partial texts of cancelled ones
	require.Len(t, items, 10)
	require.Greater(t, pages, 2)
	for n, item := range items {
		require.Equal(t, texts[19-2*n], item["partial_text"], n)
	}

	export := ada.Get(t, "/v1/conversations/threads/"+thread+"/export")
	lines := bufio.NewScanner(bytes.NewReader(export.Raw))
	lines.Buffer(nil, 2<<20)
	for n := 0; lines.Scan(); n++ {
		var m struct{ Content string }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &m))
		require.Equal(t, texts[n], m.Content)
		require.Less(t, n, len(texts))
	}
	require.NoError(t, lines.Err())

	for range 10 {
		require.Equal(t, http.StatusOK, ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": large}).Status)
	}
	versions, pages := ada.LeafThrough(t, "/v1/bots/"+bot+"/versions?limit=100")
	require.Greater(t, pages, 2)
	require.Len(t, versions, 11)
	for n, v := range versions {
		require.EqualValues(t, 11-n, v["version"])
	}
}
