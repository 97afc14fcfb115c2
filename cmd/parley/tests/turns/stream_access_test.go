package turns

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
)

// closesWithin is the time in which a stream has to close, two seconds, and more for a machine that is busy.
const closesWithin = 8 * time.Second

// ends are the ways in which the right of a reader ends. Each ends it and says for which reason a stream closes.
var ends = map[string]struct {
	reader func(t *testing.T, p *harness.Program, owner *harness.Caller) *harness.Caller // nil: an editor
	end    func(t *testing.T, p *harness.Program, owner, reader *harness.Caller)
	reason string
	// followed says that whoever follows a turn of another may go on to.
	followed bool
}{
	"log-out": {
		end: func(t *testing.T, _ *harness.Program, _, reader *harness.Caller) {
			t.Helper()
			require.Equal(t, http.StatusNoContent, reader.Post(t, "/v1/auth/logout", nil).Status)
		}, reason: "session_ended",
	},
	"log-out of all other sessions": {
		end: func(t *testing.T, p *harness.Program, _, reader *harness.Caller) {
			t.Helper()
			require.Equal(t, http.StatusOK, p.Again(t, reader).Post(t, "/v1/auth/logout-all", nil).Status)
		}, reason: "session_ended",
	},
	"change of password": {
		end: func(t *testing.T, p *harness.Program, _, reader *harness.Caller) {
			t.Helper()
			a := p.Again(t, reader).Put(t, "/v1/auth/password", map[string]any{"current_password": harness.Password, "new_password": "staple the right horse"})
			require.Equal(t, http.StatusNoContent, a.Status, a)
		}, reason: "session_ended",
	},
	"theft of a refresh token": {
		end: func(t *testing.T, p *harness.Program, _, reader *harness.Caller) {
			t.Helper()
			for range 2 {
				require.Equal(t, http.StatusOK, reader.Spend(t, reader.Refresh).Status)
			}
			p.SQL(t, `UPDATE sessions SET rotated_at = rotated_at - interval '11 s',
				retirements = ARRAY(SELECT r - interval '11 s' FROM unnest(retirements) r) WHERE id = $1`, reader.Session(t))
			require.Equal(t, http.StatusUnauthorized, reader.Spend(t, reader.Refresh).Status)
		}, reason: "session_ended",
	},
	"expiry of the session": {
		end: func(t *testing.T, p *harness.Program, _, reader *harness.Caller) {
			t.Helper()
			p.SQL(t, `UPDATE sessions SET idle_expires_at = now() WHERE id = $1`, reader.Session(t))
		}, reason: "session_ended",
	},
	"removal of the member": {
		end: func(t *testing.T, _ *harness.Program, owner, reader *harness.Caller) {
			t.Helper()
			require.Less(t, owner.Delete(t, "/v1/members/"+reader.User).Status, 300)
		}, reason: "session_ended", // its sessions in the workspace end with it
	},
	"loss of the role": {
		end: func(t *testing.T, _ *harness.Program, owner, reader *harness.Caller) {
			t.Helper()
			require.Equal(t, http.StatusOK, owner.Patch(t, "/v1/members/"+reader.User, map[string]any{"role": "viewer"}).Status)
		}, reason: "permission_lost", followed: true, // a viewer takes no turns, and reads
	},
	"revocation of the key": {
		reader: func(t *testing.T, _ *harness.Program, owner *harness.Caller) *harness.Caller {
			t.Helper()
			return owner.Key(t, "editor")
		},
		end: func(t *testing.T, _ *harness.Program, owner, reader *harness.Caller) {
			t.Helper()
			require.Less(t, owner.Delete(t, "/v1/api-keys/"+reader.User).Status, 300)
		}, reason: "key_revoked",
	},
	"removal of who made the key": {
		reader: func(t *testing.T, p *harness.Program, owner *harness.Caller) *harness.Caller {
			t.Helper()
			return p.Join(t, owner, "admin").Key(t, "editor")
		},
		end: func(t *testing.T, p *harness.Program, owner, reader *harness.Caller) {
			t.Helper()
			var maker string
			require.NoError(t, harness.Postgres.Superuser(t, p.Database).QueryRow(t.Context(), `SELECT created_by::text FROM api_keys WHERE id = $1`, reader.User).Scan(&maker))
			require.Less(t, owner.Delete(t, "/v1/members/"+maker).Status, 300)
		}, reason: "key_revoked", // suspended, until somebody adopts it
	},
	"expiry of the key": {
		reader: func(t *testing.T, _ *harness.Program, owner *harness.Caller) *harness.Caller {
			t.Helper()
			return owner.Key(t, "editor")
		},
		end: func(t *testing.T, p *harness.Program, _, reader *harness.Caller) {
			t.Helper()
			p.SQL(t, `UPDATE api_keys SET expires_at = now() WHERE id = $1`, reader.User)
		}, reason: "key_revoked",
	},
	"deletion of the workspace": {
		end: func(t *testing.T, _ *harness.Program, owner, _ *harness.Caller) {
			t.Helper()
			require.Equal(t, http.StatusNoContent, owner.Delete(t, "/v1/workspaces/"+owner.Workspace).Status)
		}, reason: "workspace_deleted",
	},
	"removal of a member who signed in elsewhere": {
		reader: func(t *testing.T, p *harness.Program, owner *harness.Caller) *harness.Caller {
			t.Helper()
			guest := p.Register(t)
			p.SQL(t, `INSERT INTO workspace_members VALUES ($1, $2, 'editor', now())`, owner.Workspace, guest.User)
			return guest // of its own workspace, and names this one in each call
		},
		end: func(t *testing.T, _ *harness.Program, owner, reader *harness.Caller) {
			t.Helper()
			require.Less(t, owner.Delete(t, "/v1/members/"+reader.User).Status, 300)
		}, reason: "membership_ended",
	},
}

// Whoever may not read any more receives an error and is cut off: who began the turn, who follows it in the same process, and who
// follows it in another. The turn goes on, and so do the streams of those who may read it.
func TestStreamsCloseWhenTheRightToReadThemEnds(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=100ms", "MODEL_TIMEOUT=2m")
	other := harness.StartOn(t, p.Database, p.Settings...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.Log.Grep("could not be checked"), other.Log.Grep("could not be checked"))
		}
	})
	for name, e := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owner := p.Register(t)
			var reader *harness.Caller
			if e.reader == nil {
				reader = p.Join(t, owner, "editor")
			} else {
				reader = e.reader(t, p, owner)
			}
			there := &harness.Caller{Program: other, Token: reader.Token}
			here := harness.Header{Name: "X-Workspace-Id", Value: owner.Workspace}
			thread := owner.OpenThread(t)
			mine := reader.Open(t, http.MethodPost, thread+"/turn", harness.Says(strings.Repeat("word ", 600)), here)
			require.Equal(t, http.StatusOK, mine.Answer.Status, mine.Answer)
			turn := mine.Until("turn.created").Data["turn_id"].(string)
			events := thread + "/turns/" + turn + "/events"
			followed, elsewhere := reader.Open(t, http.MethodGet, events, nil, here), there.Open(t, http.MethodGet, events, nil, here)
			witness := owner.Open(t, http.MethodGet, events, nil)
			for _, s := range []*harness.EventReader{mine, followed, elsewhere, witness} {
				s.Until("message.delta")
			}

			e.end(t, p, owner, reader)
			began := time.Now()
			mine.RequireClosed(t, e.reason, "who took the turn")
			if !e.followed {
				followed.RequireClosed(t, e.reason, "who follows it here")
				elsewhere.RequireClosed(t, e.reason, "who follows it elsewhere")
			}
			took := time.Since(began)
			t.Logf("closed after %s", took.Round(time.Millisecond))
			require.Less(t, took, closesWithin)
			require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM llm_turns WHERE id = $1 AND status = 'running'`, turn), "the turn has ended with its stream")
			if e.reason == "workspace_deleted" {
				witness.RequireClosed(t, e.reason, "the owner")
				return
			}
			require.Equal(t, http.StatusOK, owner.Post(t, thread+"/turns/"+turn+"/cancel", nil).Status)
			for whose, s := range map[string]*harness.EventReader{"the owner": witness, "who follows here": followed, "who follows elsewhere": elsewhere} {
				if whose == "the owner" || e.followed {
					_, kinds, _ := harness.StreamedText(s.Rest())
					require.Equal(t, "turn.cancelled", kinds[len(kinds)-1], whose)
				}
			}
		})
	}
}

// A turn that is not streamed is answered when it has ended: not to somebody who may not read it then. It is stored.
func TestAnAnswerIsWithheldFromWhoMayNotReadItAnyMore(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=100ms")
	owner := p.Register(t)
	key := owner.Key(t, "editor")
	thread := owner.OpenThread(t)
	answered := make(chan harness.Answer, 1)
	go func() { answered <- key.Post(t, thread+"/turn", harness.Says(strings.Repeat("word ", 40))) }()
	owner.Runs(t, thread)
	require.Less(t, owner.Delete(t, "/v1/api-keys/"+key.User).Status, 300)
	a := <-answered
	harness.RequireCode(t, a, http.StatusUnauthorized, "UNAUTHORIZED")
	require.Len(t, owner.Get(t, thread+"/messages").Items(), 2)
}

// A stop waits for a turn whose stream was closed, as it does for requests.
func TestAStopWaitsForATurnWhoseStreamWasClosed(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "ECHO_DELAY=100ms")
	owner := p.Register(t)
	key := owner.Key(t, "editor")
	thread := owner.OpenThread(t)
	s := key.Open(t, http.MethodPost, thread+"/turn", harness.Says(strings.Repeat("word ", 50)))
	s.Until("message.delta")
	require.Less(t, owner.Delete(t, "/v1/api-keys/"+key.User).Status, 300)
	s.RequireClosed(t, "key_revoked", "who took the turn")
	require.Equal(t, app.ExitOK, p.Stop())
	require.Equal(t, 1, p.Number(t, `SELECT count(*) FROM llm_turns WHERE status = 'completed'`))
}

// Somebody who does not read is cut off at once, and not when the time for a write is over.
func TestAReaderThatStallsIsCutOffWhenItsRightEnds(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	owner := p.Register(t)
	key := owner.Key(t, "editor")
	s := key.Open(t, http.MethodPost, owner.OpenThread(t)+"/turn", harness.Says(strings.Repeat("a ", 25_000))) // some 8 MB of events
	require.Equal(t, http.StatusOK, s.Answer.Status)
	require.Less(t, owner.Delete(t, "/v1/api-keys/"+key.User).Status, 300)
	require.Eventually(t, func() bool {
		return strings.Contains(p.Log.String(), `"route":"/v1/conversations/threads/:thread_id/turn"`)
	}, harness.Timeout, 50*time.Millisecond, "the stream goes on")
}

// A download and an export break off when the right to them ends, also for a reader who takes its time.
func TestDownloadsAndExportsBreakOffWhenTheRightToThemEnds(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	owner := p.Register(t)
	const size = 16 << 20 // more than the buffers of a connection hold
	file := owner.Upload(t, "long.txt", strings.Repeat("x", size))
	require.Equal(t, http.StatusCreated, file.Status, file)
	thread := owner.OpenThread(t)
	p.SQL(t, `INSERT INTO messages (workspace_id, id, thread_id, seq, role, content, created_at)
		SELECT t.workspace_id, gen_random_uuid(), t.id, g, 'user', repeat('x', 200000), now() FROM threads t, generate_series(1, 99) g`)
	for route, path := range map[string]string{
		"/v1/files/:file_id/content": "/v1/files/" + file.Text("id") + "/content", "/v1/conversations/threads/:thread_id/export": thread + "/export",
	} {
		key := owner.Key(t, "viewer")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+key.Token)
		res, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		defer res.Body.Close()
		require.Equal(t, http.StatusOK, res.StatusCode, path)
		require.Less(t, owner.Delete(t, "/v1/api-keys/"+key.User).Status, 300)
		// Nobody reads it meanwhile: it ends all the same.
		require.Eventually(t, func() bool { return strings.Contains(p.Log.String(), `"route":"`+route+`"`) }, harness.Timeout, 50*time.Millisecond, "%s goes on", route)
		n, last := 0, byte(0)
		buffer := make([]byte, 1<<20)
		for err == nil {
			var m int
			if m, err = res.Body.Read(buffer); m > 0 {
				last = buffer[m-1]
			}
			n += m
		}
		// An export whose next page was refused ends like others, but without its last line feed.
		require.False(t, errors.Is(err, io.EOF) && (last == '\n' || strings.HasSuffix(route, "content")), "%s looks whole", route)
		require.Less(t, n, size, route)
	}
}
