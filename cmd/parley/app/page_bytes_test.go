package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// largest is how many bytes a page of a list may have, JSON and all, whose rows have at most 150 KB each.
const largest = 1 << 20

// leafThrough reads a list page by page, and gives its items and the number of pages.
func (c *caller) leafThrough(t *testing.T, path string) (items []map[string]any, pages int) {
	t.Helper()
	for cursor := ""; ; pages++ {
		a := c.get(t, path+cursor)
		require.Equal(t, http.StatusOK, a.Status, a)
		require.LessOrEqual(t, len(a.Raw), largest, "bytes of page %d of %s", pages, path)
		require.NotEmpty(t, a.items(), "page %d of %s", pages, path)
		items = append(items, a.items()...)
		require.Equal(t, a.at("has_more"), a.at("next_cursor") != nil)
		if a.at("has_more") == false {
			return items, pages + 1
		}
		cursor = "&cursor=" + url.QueryEscape(a.text("next_cursor"))
	}
}

func TestAListOfLargeRowsEndsItsPagesEarlierAndLosesNone(t *testing.T) {
	t.Parallel()
	ada := start(t, "WORKERS=0").register(t)
	bot := ada.newBot(t)
	thread := ada.thread(t, bot)
	large := strings.Repeat("\u4e16", 49_000) // 147 KB
	turns := "/v1/conversations/threads/" + thread + "/turn"
	var said []string
	for n := range 10 {
		content := fmt.Sprint(n)
		if n%3 != 2 {
			content += large
		}
		require.Equal(t, http.StatusOK, ada.post(t, turns, map[string]any{"content": content}).Status)
		said = append(said, content, "Echo: "+content)
	}
	of := func(items []map[string]any, path ...string) (texts []string) {
		for _, item := range items {
			texts = append(texts, answer{Body: item}.text(strings.Join(path, ".")))
		}
		return texts
	}
	backwards := slices.Clone(said)
	slices.Reverse(backwards)
	for path, want := range map[string][]string{
		"/messages?limit=100": said, "/messages?limit=100&order=desc": backwards, "/messages?limit=1": said,
	} {
		items, pages := ada.leafThrough(t, "/v1/conversations/threads/"+thread+path)
		require.True(t, slices.Equal(want, of(items, "content")), path)
		require.Greater(t, pages, 4, path)
	}
	list := "/v1/conversations/threads/" + thread + "/turns?limit=100"
	require.Len(t, ada.get(t, list).items(), 10, "turns are without what was said")
	super := pg.Superuser(t, ada.database)
	for _, sql := range []string{
		`UPDATE messages SET status = 'cancelled' WHERE role = 'assistant'`, `UPDATE llm_turns SET status = 'cancelled'`,
	} {
		_, err := super.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	items, pages := ada.leafThrough(t, list) // but for what cancelled ones had said so far
	require.Len(t, items, 10)
	require.Greater(t, pages, 2)
	for n, item := range items {
		require.Equal(t, said[19-2*n], item["partial_text"], n)
	}

	export := ada.get(t, "/v1/conversations/threads/"+thread+"/export")
	lines := bufio.NewScanner(bytes.NewReader(export.Raw))
	lines.Buffer(nil, 2<<20)
	for n := 0; lines.Scan(); n++ {
		var m struct{ Content string }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &m))
		require.Equal(t, said[n], m.Content)
		require.Less(t, n, len(said))
	}
	require.NoError(t, lines.Err())

	for range 10 {
		require.Equal(t, http.StatusOK, ada.put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": large}).Status)
	}
	versions, pages := ada.leafThrough(t, "/v1/bots/"+bot+"/versions?limit=100")
	require.Greater(t, pages, 2)
	require.Len(t, versions, 11)
	for n, v := range versions {
		require.EqualValues(t, 11-n, v["version"])
	}
}
