//go:build faults

package faults

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	hostileReaders = 8
	openEach       = 30        // connections that each of them holds at a time
	memoryBound    = 300 << 10 // KiB
	stallBound     = 15 * time.Second
)

// Eight tenants ask for the largest answers that there are, on many connections, and read none of them.
func TestFaultHostileReadersTakeLittleMemoryAndNothingFromOthers(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	db := c.superuser(t)
	s := newSite(t, c.url())
	s.launch()
	victim := s.register()
	own := victim.thread()
	for range 20 {
		_, err := victim.settle(0, victim.plan(takeTurn, own))
		require.NoError(t, err)
	}
	var paths []string
	tokens := map[string]string{}
	for range hostileReaders {
		u := s.register()
		thread := u.thread()
		// Control characters have six bytes each in JSON.
		_, err := db.Exec(t.Context(), `INSERT INTO messages (workspace_id, id, thread_id, seq, role, content, created_at)
		    SELECT $1, gen_random_uuid(), $2, n, 'user', repeat(chr(1), 50000), now() FROM generate_series(1, 100) n`, u.workspace, thread)
		require.NoError(t, err)
		for _, path := range []string{"/messages?limit=100", "/messages?limit=100&order=desc", "/export"} {
			path = "/v1/conversations/threads/" + thread + path
			paths = append(paths, path)
			tokens[path] = u.token
		}
	}
	t.Logf("the second tenant alone:            %s", victim.readings(t, own, 300, 0))

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watched := s.openUnread(t, ctx, tokens[paths[2]], paths[2]) // an export, which no buffer of the kernel holds
	var readers sync.WaitGroup
	var refused, opened atomic.Int64
	for i := range hostileReaders * openEach {
		path := paths[i%len(paths)]
		readers.Go(func() {
			for ctx.Err() == nil {
				conn := s.openUnread(t, ctx, tokens[path], path)
				if conn == nil {
					return
				}
				status := conn.status()
				opened.Add(1)
				if status == http.StatusTooManyRequests {
					refused.Add(1)
					pause(ctx, time.Second)
				} else {
					pause(ctx, stallBound+5*time.Second)
				}
				_ = conn.Close()
			}
		})
	}
	t.Logf("beside %d readers of %d connections: %s", hostileReaders, openEach, victim.readings(t, own, 300, stallBound+10*time.Second))
	cancel()
	readers.Wait()
	t.Logf("%d calls were begun, of which %d were refused", opened.Load(), refused.Load())

	peak := s.peakMemory(t)
	t.Logf("the process had at most %d MiB", peak>>10)
	require.Less(t, peak, memoryBound)
	require.NotNil(t, watched)
	require.Equal(t, http.StatusOK, watched.status())
	_, err := io.Copy(io.Discard, watched.body(t))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "a reader that takes nothing is let go")
	_ = watched.Close()
	require.Positive(t, refused.Load(), "what one caller may have in flight is bounded")
}

// peakMemory is the most memory that the process has had, in KiB.
func (s *site) peakMemory(t *testing.T) int {
	t.Helper()
	return s.memory(t, "VmHWM")
}

// unread is a connection of which no more is read than is asked for.
type unread struct {
	net.Conn
	in   *bufio.Reader
	head *http.Response
}

// openUnread asks for something; nil where the program takes no connection.
func (s *site) openUnread(t *testing.T, ctx context.Context, token, path string) *unread { //nolint:revive // the test comes first, as everywhere
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(*s.url.Load(), "http://"))
	if err != nil {
		return nil
	}
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: parley\r\nAuthorization: Bearer %s\r\n\r\n", path, token)
	return &unread{Conn: conn, in: bufio.NewReaderSize(conn, 4<<10)}
}

// status reads the head of the answer; 0 where none comes.
func (u *unread) status() int {
	if u.head == nil {
		_ = u.SetReadDeadline(time.Now().Add(2 * faultTimeout))
		var err error
		if u.head, err = http.ReadResponse(u.in, nil); err != nil {
			return 0
		}
	}
	return u.head.StatusCode
}

func (u *unread) body(t *testing.T) io.Reader {
	t.Helper()
	require.NotNil(t, u.head)
	return u.head.Body
}

// readTimes are how long reading calls took.
type readTimes []time.Duration

func (f readTimes) String() string {
	slices.Sort(f)
	return fmt.Sprintf("%d calls, p50 %v, p99 %v, at most %v", len(f), f[len(f)/2].Round(10*time.Microsecond),
		f[len(f)*99/100].Round(10*time.Microsecond), f[len(f)-1].Round(10*time.Microsecond))
}

// readings has a tenant read its bot and its messages, so often at least and for so long. None may fail.
func (u *user) readings(t *testing.T, thread string, least int, during time.Duration) (took readTimes) {
	t.Helper()
	for begun := time.Now(); len(took) < least || time.Since(begun) < during; {
		for _, path := range []string{"/v1/bots/" + u.bot, "/v1/conversations/threads/" + thread + "/messages"} {
			sent := time.Now()
			a, err := u.send(t.Context(), u.token, http.MethodGet, path, "")
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, a.Status, a)
			took = append(took, time.Since(sent))
		}
		pause(t.Context(), 5*time.Millisecond)
	}
	return took
}
