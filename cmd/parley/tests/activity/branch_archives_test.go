package activity

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestBranchesMoveToAnotherInstallation(t *testing.T) {
	t.Parallel()
	from, to := harness.Start(t), harness.Start(t)
	ada, bob := from.Register(t), to.Register(t)
	thread := ada.OpenThread(t)
	one := ada.Post(t, thread+"/turn", harness.Says("one")).Text("turn_id")
	two := ada.Post(t, thread+"/turn", harness.Says("two")).Text("turn_id")
	require.Equal(t, http.StatusOK, ada.Post(t, thread+"/turn", map[string]any{"content": "again", "parent_turn_id": one}).Status)
	require.Equal(t, http.StatusOK, ada.Patch(t, thread, map[string]any{"current_turn_id": two}).Status)
	archive := archiveOf(t, ada)
	there := harness.Header{Name: "X-Workspace-Id", Value: imported(t, bob, archive)}
	for _, path := range []string{"", "/messages", "/messages?branch=all", "/messages?branch=" + one, "/turns", "/turns?branch=all"} {
		want, got := ada.Get(t, thread+path), bob.Get(t, thread+path, there)
		require.Equal(t, http.StatusOK, got.Status, got)
		require.Equal(t, without(want.Body, "workspace_id", "feedback"), without(got.Body, "workspace_id", "feedback"), path)
	}
	on := bob.Post(t, thread+"/turn", harness.Says("on"), there)
	require.Equal(t, two, on.Text("parent_turn_id"), on)

	for name, test := range map[string]struct {
		kind string
		path any
	}{
		"a thread whose branch ends":      {"threads", "{[1,5)}"},
		"a thread of no branch":           {"threads", "{}"},
		"a turn whose path does not end":  {"turns", "{[1,)}"},
		"ranges that overlap":             {"turns", "{[1,5),[4,6)}"},
		"ranges that touch":               {"turns", "{[1,5),[5,6)}"},
		"a range without numbers":         {"turns", "{[5,5)}"},
		"a range from zero":               {"turns", "{[0,5)}"},
		"numbers that are too large":      {"turns", "{[1,99999999999999999)}"},
		"a path that is none":             {"turns", "{[1,5)"},
		"a path that is a list":           {"turns", []any{1, 5}},
		"a path with something behind it": {"turns", "{[1,5)};"},
	} {
		all := entries(t, archive)
		rewritten(t, all, test.kind, func(row map[string]any) { row["path"] = test.path })
		code, _, errs := to.Parley(t, "import", "--owner", bob.Email, stored(t, packed(t, all, true)))
		require.Equal(t, app.ExitFailed, code, name)
		require.Contains(t, errs, `the field "path"`, name)
	}
	for _, kind := range []string{"threads", "turns"} { // as archives of before branches are
		all := entries(t, archive)
		rewritten(t, all, kind, func(row map[string]any) { delete(row, "path") })
		imported(t, bob, packed(t, all, true))
	}
}
