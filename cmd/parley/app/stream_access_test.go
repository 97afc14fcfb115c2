package app

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// closesWithin is the time in which a stream has to close, two seconds, and as much again for a machine that is busy.
const closesWithin = 4 * time.Second

// requireClosed reads a stream to its end, which has to be stream.closed for a reason.
func (s *eventReader) requireClosed(t *testing.T, reason, whose string) {
	t.Helper()
	frames := s.rest()
	require.NotEmpty(t, frames, whose)
	last := frames[len(frames)-1]
	require.Equal(t, "stream.closed", last.kind, whose)
	require.Equal(t, reason, last.data["reason"], whose)
}

// ends are the ways in which the right of a reader ends. Each ends it and says for which reason a stream closes.
var ends = map[string]struct {
	reader func(t *testing.T, p *program, owner *caller) *caller // nil: an editor
	end    func(t *testing.T, p *program, owner, reader *caller)
	reason string
	// followed says that whoever follows a turn of another may go on to.
	followed bool
}{
	"log-out": {
		end: func(t *testing.T, _ *program, _, reader *caller) {
			t.Helper()
			require.Equal(t, http.StatusNoContent, reader.post(t, "/v1/auth/logout", nil).Status)
		}, reason: "session_ended",
	},
	"log-out of all other sessions": {
		end: func(t *testing.T, p *program, _, reader *caller) {
			t.Helper()
			require.Equal(t, http.StatusOK, p.again(t, reader).post(t, "/v1/auth/logout-all", nil).Status)
		}, reason: "session_ended",
	},
	"change of password": {
		end: func(t *testing.T, p *program, _, reader *caller) {
			t.Helper()
			a := p.again(t, reader).put(t, "/v1/auth/password", map[string]any{"current_password": password, "new_password": "staple the right horse"})
			require.Equal(t, http.StatusNoContent, a.Status, a)
		}, reason: "session_ended",
	},
	"theft of a refresh token": {
		end: func(t *testing.T, p *program, _, reader *caller) {
			t.Helper()
			for range 2 {
				require.Equal(t, http.StatusOK, reader.spend(t, reader.refresh).Status)
			}
			p.sql(t, `UPDATE sessions SET rotated_at = rotated_at - interval '11 s',
				retirements = ARRAY(SELECT r - interval '11 s' FROM unnest(retirements) r) WHERE id = $1`, reader.session(t))
			require.Equal(t, http.StatusUnauthorized, reader.spend(t, reader.refresh).Status)
		}, reason: "session_ended",
	},
	"expiry of the session": {
		end: func(t *testing.T, p *program, _, reader *caller) {
			t.Helper()
			p.sql(t, `UPDATE sessions SET idle_expires_at = now() WHERE id = $1`, reader.session(t))
		}, reason: "session_ended",
	},
	"removal of the member": {
		end: func(t *testing.T, _ *program, owner, reader *caller) {
			t.Helper()
			require.Less(t, owner.delete(t, "/v1/members/"+reader.user).Status, 300)
		}, reason: "session_ended", // its sessions in the workspace end with it
	},
	"loss of the role": {
		end: func(t *testing.T, _ *program, owner, reader *caller) {
			t.Helper()
			require.Equal(t, http.StatusOK, owner.patch(t, "/v1/members/"+reader.user, map[string]any{"role": "viewer"}).Status)
		}, reason: "permission_lost", followed: true, // a viewer takes no turns, and reads
	},
	"revocation of the key": {
		reader: func(t *testing.T, _ *program, owner *caller) *caller {
			t.Helper()
			return owner.key(t, "editor")
		},
		end: func(t *testing.T, _ *program, owner, reader *caller) {
			t.Helper()
			require.Less(t, owner.delete(t, "/v1/api-keys/"+reader.user).Status, 300)
		}, reason: "key_revoked",
	},
	"removal of who made the key": {
		reader: func(t *testing.T, p *program, owner *caller) *caller {
			t.Helper()
			return p.join(t, owner, "admin").key(t, "editor")
		},
		end: func(t *testing.T, p *program, owner, reader *caller) {
			t.Helper()
			var maker string
			require.NoError(t, pg.Superuser(t, p.database).QueryRow(t.Context(), `SELECT created_by::text FROM api_keys WHERE id = $1`, reader.user).Scan(&maker))
			require.Less(t, owner.delete(t, "/v1/members/"+maker).Status, 300)
		}, reason: "key_revoked", // suspended, until somebody adopts it
	},
	"expiry of the key": {
		reader: func(t *testing.T, _ *program, owner *caller) *caller {
			t.Helper()
			return owner.key(t, "editor")
		},
		end: func(t *testing.T, p *program, _, reader *caller) {
			t.Helper()
			p.sql(t, `UPDATE api_keys SET expires_at = now() WHERE id = $1`, reader.user)
		}, reason: "key_revoked",
	},
	"deletion of the workspace": {
		end: func(t *testing.T, _ *program, owner, _ *caller) {
			t.Helper()
			require.Equal(t, http.StatusNoContent, owner.delete(t, "/v1/workspaces/"+owner.workspace).Status)
		}, reason: "workspace_deleted",
	},
	"removal of a member who signed in elsewhere": {
		reader: func(t *testing.T, p *program, owner *caller) *caller {
			t.Helper()
			guest := p.register(t)
			p.sql(t, `INSERT INTO workspace_members VALUES ($1, $2, 'editor', now())`, owner.workspace, guest.user)
			return guest // of its own workspace, and names this one in each call
		},
		end: func(t *testing.T, _ *program, owner, reader *caller) {
			t.Helper()
			require.Less(t, owner.delete(t, "/v1/members/"+reader.user).Status, 300)
		}, reason: "membership_ended",
	},
}

// again logs a caller in once more, where it is signed in.
func (p *program) again(t *testing.T, c *caller) *caller {
	t.Helper()
	in := p.anonymous().post(t, "/v1/auth/login", map[string]any{"email": c.email, "password": password, "workspace_id": c.workspace})
	require.Equal(t, http.StatusOK, in.Status, in)
	other := &caller{program: p, email: c.email}
	other.take(in)
	return other
}

// Whoever may not read any more is told so and cut off: who began the turn, who follows it in the same process, and who
// follows it in another. The turn goes on, and so do the streams of those who may read it.
func TestStreamsCloseWhenTheRightToReadThemEnds(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=100ms", "MODEL_TIMEOUT=2m")
	other := startOn(t, p.database, p.settings...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.log.grep("could not be checked"), other.log.grep("could not be checked"))
		}
	})
	for name, e := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owner := p.register(t)
			var reader *caller
			if e.reader == nil {
				reader = p.join(t, owner, "editor")
			} else {
				reader = e.reader(t, p, owner)
			}
			there := &caller{program: other, token: reader.token}
			here := header{"X-Workspace-Id", owner.workspace}
			thread := owner.openThread(t)
			mine := reader.open(t, http.MethodPost, thread+"/turn", says(strings.Repeat("word ", 600)), here)
			require.Equal(t, http.StatusOK, mine.answer.Status, mine.answer)
			turn := mine.until("turn.created").data["turn_id"].(string)
			events := thread + "/turns/" + turn + "/events"
			followed, elsewhere := reader.open(t, http.MethodGet, events, nil, here), there.open(t, http.MethodGet, events, nil, here)
			witness := owner.open(t, http.MethodGet, events, nil)
			for _, s := range []*eventReader{mine, followed, elsewhere, witness} {
				s.until("message.delta")
			}

			e.end(t, p, owner, reader)
			began := time.Now()
			mine.requireClosed(t, e.reason, "who took the turn")
			if !e.followed {
				followed.requireClosed(t, e.reason, "who follows it here")
				elsewhere.requireClosed(t, e.reason, "who follows it elsewhere")
			}
			took := time.Since(began)
			t.Logf("closed after %s", took.Round(time.Millisecond))
			require.Less(t, took, closesWithin)
			require.Equal(t, 1, p.number(t, `SELECT count(*) FROM llm_turns WHERE id = $1 AND status = 'running'`, turn), "the turn has ended with its stream")
			if e.reason == "workspace_deleted" {
				witness.requireClosed(t, e.reason, "the owner")
				return
			}
			require.Equal(t, http.StatusOK, owner.post(t, thread+"/turns/"+turn+"/cancel", nil).Status)
			for whose, s := range map[string]*eventReader{"the owner": witness, "who follows here": followed, "who follows elsewhere": elsewhere} {
				if whose == "the owner" || e.followed {
					_, kinds, _ := told(s.rest())
					require.Equal(t, "turn.cancelled", kinds[len(kinds)-1], whose)
				}
			}
		})
	}
}

// A turn that is not streamed is answered when it has ended: not to somebody who may not read it then. It is stored.
func TestAnAnswerIsWithheldFromWhoMayNotReadItAnyMore(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=100ms")
	owner := p.register(t)
	key := owner.key(t, "editor")
	thread := owner.openThread(t)
	answered := make(chan answer, 1)
	go func() { answered <- key.post(t, thread+"/turn", says(strings.Repeat("word ", 40))) }()
	owner.runs(t, thread)
	require.Less(t, owner.delete(t, "/v1/api-keys/"+key.user).Status, 300)
	a := <-answered
	requireCode(t, a, http.StatusUnauthorized, "UNAUTHORIZED")
	require.Len(t, owner.get(t, thread+"/messages").items(), 2)
}

// A stop waits for a turn whose stream was closed, as it does for requests.
func TestAStopWaitsForATurnWhoseStreamWasClosed(t *testing.T) {
	t.Parallel()
	p := start(t, "ECHO_DELAY=100ms")
	owner := p.register(t)
	key := owner.key(t, "editor")
	thread := owner.openThread(t)
	s := key.open(t, http.MethodPost, thread+"/turn", says(strings.Repeat("word ", 50)))
	s.until("message.delta")
	require.Less(t, owner.delete(t, "/v1/api-keys/"+key.user).Status, 300)
	s.requireClosed(t, "key_revoked", "who took the turn")
	require.Equal(t, ExitOK, p.stop())
	require.Equal(t, 1, p.number(t, `SELECT count(*) FROM llm_turns WHERE status = 'completed'`))
}

// Somebody who does not read is cut off at once, and not when the time for a write is over.
func TestAReaderThatStallsIsCutOffWhenItsRightEnds(t *testing.T) {
	t.Parallel()
	p := start(t)
	owner := p.register(t)
	key := owner.key(t, "editor")
	s := key.open(t, http.MethodPost, owner.openThread(t)+"/turn", says(strings.Repeat("a ", 25_000))) // some 8 MB of events
	require.Equal(t, http.StatusOK, s.answer.Status)
	require.Less(t, owner.delete(t, "/v1/api-keys/"+key.user).Status, 300)
	require.Eventually(t, func() bool {
		return strings.Contains(p.log.String(), `"route":"/v1/conversations/threads/:thread_id/turn"`)
	}, patient, 50*time.Millisecond, "the stream goes on")
}

// A download and an export break off when the right to them ends, also for a reader who takes its time.
func TestDownloadsAndExportsBreakOffWhenTheRightToThemEnds(t *testing.T) {
	t.Parallel()
	p := start(t)
	owner := p.register(t)
	const size = 16 << 20 // more than the buffers of a connection hold
	file := owner.upload(t, "long.txt", strings.Repeat("x", size))
	require.Equal(t, http.StatusCreated, file.Status, file)
	thread := owner.openThread(t)
	p.sql(t, `INSERT INTO messages (workspace_id, id, thread_id, seq, role, content, created_at)
		SELECT t.workspace_id, gen_random_uuid(), t.id, g, 'user', repeat('x', 200000), now() FROM threads t, generate_series(1, 99) g`)
	for route, path := range map[string]string{
		"/v1/files/:file_id/content": "/v1/files/" + file.text("id") + "/content", "/v1/conversations/threads/:thread_id/export": thread + "/export",
	} {
		key := owner.key(t, "viewer")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+key.token)
		res, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		defer res.Body.Close()
		require.Equal(t, http.StatusOK, res.StatusCode, path)
		require.Less(t, owner.delete(t, "/v1/api-keys/"+key.user).Status, 300)
		// Nobody reads it meanwhile: it ends all the same.
		require.Eventually(t, func() bool { return strings.Contains(p.log.String(), `"route":"`+route+`"`) }, patient, 50*time.Millisecond, "%s goes on", route)
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

// grep gives the lines of the log that have a text.
func (l *logBuffer) grep(text string) (lines []string) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}
