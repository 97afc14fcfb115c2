package turns

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// leaves begins a call and returns what disconnects its client.
func leaves(t *testing.T, c *harness.Caller, path string, body any, headers ...harness.Header) (leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Disconnects(ctx, t, path, body, headers...)
	}()
	return func() {
		cancel()
		<-done
	}
}

// TestACallWithoutAThreadEndsSomeTimeAfterItsClientHasGone takes as long as the program waits for the client.
func TestACallWithoutAThreadEndsSomeTimeAfterItsClientHasGone(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=500ms")
	other := harness.StartOn(t, p.Database, p.Settings...)
	ada := p.Register(t)
	there := &harness.Caller{Program: other, Token: ada.Token}
	bot := modelBot(t, ada, "Support", map[string]any{"model": "echo"})
	thread := ada.Thread(t, bot)
	long := strings.Repeat("word ", 160)
	super := ada.Super(t)
	status := func(content string) (status string, by *uuid.UUID) {
		if super.QueryRow(t.Context(), `SELECT t.status, t.cancel_operation FROM llm_turns t JOIN messages m ON m.workspace_id = t.workspace_id AND m.turn_id = t.id
			 WHERE m.role = 'user' AND m.content = $1 ORDER BY t.created_at DESC LIMIT 1`, content).Scan(&status, &by) != nil {
			return "", nil
		}
		return status, by
	}
	runs := func(content string) {
		require.Eventually(t, func() bool { is, _ := status(content); return is == "running" }, time.Minute, 20*time.Millisecond, content)
	}
	ends := func(content string) {
		require.Eventually(t, func() bool { is, _ := status(content); return is == "cancelled" }, time.Minute, 100*time.Millisecond, content)
	}

	in := harness.Header{Name: "X-Parley-Thread-Id", Value: thread}
	retry := harness.Header{Name: "X-Stainless-Retry-Count", Value: "1"}
	chat := func(content string) map[string]any { return asks(bot, nil, "user", content) }
	bodies := map[string]struct {
		path string
		body map[string]any
	}{
		"a " + long: {completions, chat("a " + long)},
		"b " + long: {completions, asks(bot, map[string]any{"stream": true}, "user", "b "+long)},
		"c " + long: {responses, responds(bot, "c "+long)},
		"d " + long: {responses, responds(bot, "d "+long, "stream", true)},
	}
	var all []func()
	for content, call := range bodies {
		all = append(all, leaves(t, ada, call.path, call.body))
		runs(content)
	}
	stays := leaves(t, ada, completions, chat("e "+long), in)
	runs("e " + long)
	first := leaves(t, ada, completions, chat("f "+long))
	runs("f " + long)
	for _, leave := range append(all, stays, first) {
		leave()
	}
	gone := time.Now()
	second := leaves(t, there, completions, chat("f "+long), retry) // at the other process
	for content := range bodies {
		ends(content)
	}
	require.Greater(t, time.Since(gone), 14*time.Second, "it waits for a retry")
	runs("f " + long)
	require.Equal(t, 1, harness.Count(t, super, `SELECT count(*) FROM messages WHERE role = 'user' AND content = $1`, "f "+long), "the retry has joined")
	runs("e " + long)

	second()
	ends("f " + long)
	is, _ := status("e " + long)
	require.Equal(t, "running", is, "a turn in a thread goes on")
	require.Eventually(t, func() bool { // the log has it a moment after the turn has ended
		return harness.Count(t, super, `SELECT count(*) FROM audit_log WHERE action = 'turn.cancel'`) == 5
	}, harness.Timeout, harness.Tick)

	third := leaves(t, ada, completions, chat("f "+long), retry)
	runs("f " + long)
	require.Equal(t, 2, harness.Count(t, super, `SELECT count(*) FROM messages WHERE role = 'user' AND content = $1`, "f "+long), "what has ended begins anew")
	third()
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/auth/me").Status)
}
