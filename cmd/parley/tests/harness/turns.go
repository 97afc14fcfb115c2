package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/modeltest"
	"github.com/parley/parley/platform/testing/s3test"
)

// FormOf makes the body of an upload, with a boundary of its own each time.
func FormOf(t *testing.T, name string, content []byte) (body []byte, kind Header) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", name)
	require.NoError(t, err)
	_, err = part.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes(), Header{"Content-Type", w.FormDataContentType()}
}

func (c *Caller) Upload(t *testing.T, name, content string, headers ...Header) Answer {
	t.Helper()
	body, kind := FormOf(t, name, []byte(content))
	return c.Post(t, "/v1/files", body, append(headers, kind)...)
}

// Raw uploads a body as it is.
func (c *Caller) Raw(t *testing.T, body any, headers ...Header) Answer {
	t.Helper()
	if len(headers) == 0 {
		headers = []Header{{"Content-Type", "multipart/form-data; boundary=x"}}
	}
	return c.Post(t, "/v1/files", body, headers...)
}

// Stored lists what is in the store of a program on disk.
func Stored(t *testing.T, dir string) (keys []string) {
	t.Helper()
	files := filepath.Join(dir, "files")
	require.NoError(t, filepath.WalkDir(files, func(p string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			name, _ := filepath.Rel(files, p)
			keys = append(keys, filepath.ToSlash(name))
		}
		return err
	}))
	return keys
}

// InS3 are the settings for files in a bucket of the test's own; where no S3 is named the test is skipped.
func InS3(t *testing.T) []string {
	t.Helper()
	s := s3test.Named(t)
	return []string{
		"MINIO_ENDPOINT=" + s.Endpoint, "MINIO_ACCESS_KEY=" + s.AccessKey, "MINIO_SECRET_KEY=" + s.SecretKey, "MINIO_BUCKET=" + s.Bucket,
	}
}

// ThreadWith opens a thread with a bot of these settings.
func (c *Caller) ThreadWith(t *testing.T, settings map[string]any) string {
	t.Helper()
	bot := c.Post(t, "/v1/bots", map[string]any{"name": "Ada", "instruction": "Be kind.", "settings": settings})
	require.Equal(t, http.StatusCreated, bot.Status, bot)
	return c.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot.Text("id")}).Text("id")
}

func (c *Caller) Say(t *testing.T, thread, content string, headers ...Header) Answer {
	t.Helper()
	return c.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": content}, headers...)
}

// LlmTurn reads what is kept of a turn.
func (c *Caller) LlmTurn(t *testing.T, id string) (kept map[string]any) {
	t.Helper()
	var raw []byte
	conn := Postgres.Superuser(t, c.Database)
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT to_jsonb(t) FROM llm_turns t WHERE id = $1", id).Scan(&raw))
	require.NoError(t, json.Unmarshal(raw, &kept))
	return kept
}

// CutOff begins a turn whose model says a few words and stalls, cancels it, and gives it.
func (c *Caller) CutOff(t *testing.T, s *modeltest.Server, thread string, script modeltest.Script) Answer {
	t.Helper()
	script.Stalls = true
	s.Then(script)
	path := "/v1/conversations/threads/" + thread
	stream := c.Open(t, http.MethodPost, path+"/turn", Says("Tell me a long story."))
	turn := path + "/turns/" + stream.Until("turn.created").Data["turn_id"].(string)
	for range script.Pieces {
		stream.Until("message.delta")
	}
	<-s.Asked()
	a := c.Post(t, turn+"/cancel", nil)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Equal(t, "cancelled", a.Text("status"))
	return a
}

// largest is how many bytes a page of a list may have, JSON and all, whose rows have at most 150 KB each.
const largest = 1 << 20

// LeafThrough reads a list page by page, and gives its items and the number of pages.
func (c *Caller) LeafThrough(t *testing.T, path string) (items []map[string]any, pages int) {
	t.Helper()
	for cursor := ""; ; pages++ {
		a := c.Get(t, path+cursor)
		require.Equal(t, http.StatusOK, a.Status, a)
		require.LessOrEqual(t, len(a.Raw), largest, "bytes of page %d of %s", pages, path)
		require.NotEmpty(t, a.Items(), "page %d of %s", pages, path)
		items = append(items, a.Items()...)
		require.Equal(t, a.At("has_more"), a.At("next_cursor") != nil)
		if a.At("has_more") == false {
			return items, pages + 1
		}
		cursor = "&cursor=" + url.QueryEscape(a.Text("next_cursor"))
	}
}

// SlowDown has each row of a table take a minute to read, as if its filter fitted few of very many rows.
func (p *Program) SlowDown(t *testing.T, table string) {
	t.Helper()
	p.SQL(t, `CREATE POLICY slow ON `+table+` AS RESTRICTIVE FOR SELECT TO parley_app USING (pg_sleep(60)::text IS NOT NULL)`)
}

// Sleeping is how many connections execute a query at one time, by its name, on a table that was slowed down. Background work may
// read the table too. Postgres looks at one connection after another, and the first may have ended before the last has begun: so
// those count that two looks have found in the same execution.
func (p *Program) Sleeping(t *testing.T, query string) int {
	t.Helper()
	const look = `SELECT coalesce(array_agg(pid || ' ' || query_start), '{}') FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event = 'PgSleep' AND query LIKE '-- name: ' || $1 || ' %'`
	super := p.Super(t)
	defer super.Close(t.Context())
	var first, second []string
	require.NoError(t, super.QueryRow(t.Context(), look, query).Scan(&first))
	require.NoError(t, super.QueryRow(t.Context(), look, query).Scan(&second))
	return len(slices.DeleteFunc(first, func(one string) bool { return !slices.Contains(second, one) }))
}

// RequireClosed reads a stream to its end, which has to be stream.closed for a reason.
func (s *EventReader) RequireClosed(t *testing.T, reason, whose string) {
	t.Helper()
	frames := s.Rest()
	require.NotEmpty(t, frames, whose)
	last := frames[len(frames)-1]
	require.Equal(t, "stream.closed", last.Kind, whose)
	require.Equal(t, reason, last.Data["reason"], whose)
}

// Again logs a caller in once more, where it is signed in.
func (p *Program) Again(t *testing.T, c *Caller) *Caller {
	t.Helper()
	in := p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": c.Email, "password": Password, "workspace_id": c.Workspace})
	require.Equal(t, http.StatusOK, in.Status, in)
	other := &Caller{Program: p, Email: c.Email}
	other.Take(in)
	return other
}

// Grep gives the lines of the log that have a text.
func (l *LogBuffer) Grep(text string) (lines []string) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

// Frame is one event as it came.
type Frame struct {
	ID   int64
	Kind string
	Data map[string]any
}

func (f Frame) Text() string {
	delta, _ := f.Data["delta"].(map[string]any)
	text, _ := delta["text"].(string)
	return text
}

// EventReader reads a stream frame by frame, and holds each to the document.
type EventReader struct {
	t      *testing.T
	Answer Answer // status and headers; the body too where it is no stream
	lines  *bufio.Scanner
	Retry  int // milliseconds; 0: not sent
	Close  func()
}

// Open asks for a stream. The caller's client would read the whole answer first.
func (c *Caller) Open(t *testing.T, method, path string, body any, headers ...Header) *EventReader {
	t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, nil)
	require.NoError(t, err)
	if body != nil {
		req, err = http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(raw))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	req.Header.Set("Accept", "text/event-stream")
	for _, h := range headers {
		req.Header.Set(h.Name, h.Value)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	s := &EventReader{t: t, Answer: Answer{Status: res.StatusCode, Header: res.Header}, lines: bufio.NewScanner(res.Body)}
	s.lines.Buffer(nil, 1<<20)
	s.Close = func() { cancel(); _ = res.Body.Close() }
	t.Cleanup(s.Close)
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		for s.lines.Scan() {
			s.Answer.Raw = append(s.Answer.Raw, s.lines.Bytes()...)
		}
		require.NoError(t, json.Unmarshal(s.Answer.Raw, &s.Answer.Body))
	}
	return s
}

// Next gives the next event; false at the end of the stream.
func (s *EventReader) Next() (f Frame, ok bool) {
	s.t.Helper()
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			var err error
			f.ID, err = strconv.ParseInt(value, 10, 64)
			require.NoError(s.t, err)
		case "retry":
			var err error
			s.Retry, err = strconv.Atoi(value)
			require.NoError(s.t, err)
		case "event":
			f.Kind = value
		case "data":
			require.NoError(s.t, json.Unmarshal([]byte(value), &f.Data))
		case "":
			if f.Kind == "" {
				continue // behind a comment
			}
			require.NoError(s.t, LoadedContract().events.VisitJSON(f.Data), "%v", f)
			require.Equal(s.t, f.Kind, f.Data["type"])
			require.EqualValues(s.t, f.ID, f.Data["sequence_number"])
			require.Equal(s.t, s.Answer.Header.Get("X-Trace-Id"), f.Data["trace_id"])
			return f, true
		}
	}
	return Frame{}, false
}

// Rest reads to the end.
func (s *EventReader) Rest() (frames []Frame) {
	s.t.Helper()
	for {
		f, ok := s.Next()
		if !ok {
			return frames
		}
		frames = append(frames, f)
	}
}

// Until reads to the first event of a kind.
func (s *EventReader) Until(kind string) Frame {
	s.t.Helper()
	for {
		f, ok := s.Next()
		require.True(s.t, ok, "the stream ended before %s", kind)
		if f.Kind == kind {
			return f
		}
	}
}

// StreamedText is what a client that follows the rules has made of events: its text, the kinds in their order without repeated
// deltas, and the position.
func StreamedText(frames []Frame) (text string, kinds []string, position int64) {
	for _, f := range frames {
		if f.Kind == "message.created" {
			text = ""
		}
		text += f.Text()
		if len(kinds) == 0 || kinds[len(kinds)-1] != f.Kind {
			kinds = append(kinds, f.Kind)
		}
		position = f.ID
	}
	return text, kinds, position
}

// OpenThread opens one and gives its path.
func (c *Caller) OpenThread(t *testing.T) string {
	t.Helper()
	a := c.Post(t, "/v1/conversations/threads", map[string]any{})
	require.Equal(t, http.StatusCreated, a.Status, a)
	return "/v1/conversations/threads/" + a.Text("id")
}

func Says(content string) map[string]any { return map[string]any{"content": content} }

func After(id int64) Header { return Header{"Last-Event-ID", strconv.FormatInt(id, 10)} }

var longTurn = strings.Repeat("word ", 500)

// Occupy begins turns that go on until the test ends, as many as are asked for.
func (c *Caller) Occupy(t *testing.T, turns int) {
	t.Helper()
	for range turns {
		thread := c.OpenThread(t)
		s := c.Open(t, http.MethodPost, thread+"/turn", Says(longTurn))
		require.Equal(t, http.StatusOK, s.Answer.Status, s.Answer)
		turn := s.Until("turn.created").Data["turn_id"].(string)
		t.Cleanup(func() { _, _ = c.Try(t, http.MethodPost, thread+"/turns/"+turn+"/cancel", nil) })
	}
}

// Runs waits until a turn runs in a thread, and gives its path.
func (c *Caller) Runs(t *testing.T, thread string) (turn string) {
	t.Helper()
	require.Eventually(t, func() bool {
		items := c.Get(t, thread+"/turns?limit=1").Items()
		if len(items) > 0 && items[0]["status"] == "running" {
			turn = thread + "/turns/" + items[0]["id"].(string)
		}
		return turn != ""
	}, Timeout, 5*time.Millisecond)
	return turn
}

// Failed leaves a turn as a model's failure does.
func (c *Caller) Failed(t *testing.T, thread string, op Header) (turn string) {
	t.Helper()
	a := c.Post(t, thread+"/turn", Says("hello"), op)
	require.Equal(t, http.StatusOK, a.Status, a)
	super := Postgres.Superuser(t, c.Database)
	for _, sql := range []string{
		`DELETE FROM messages WHERE turn_id = $1 AND role = 'assistant'`,
		`UPDATE llm_turns SET status = 'failed', error = 'dial model.internal: refused', error_code = 'DOWNSTREAM_UNAVAILABLE', error_message = 'later' WHERE id = $1`,
		`DELETE FROM operations WHERE id = (SELECT operation_id FROM llm_turns WHERE id = $1)`,
	} {
		_, err := super.Exec(t.Context(), sql, a.Text("turn_id"))
		require.NoError(t, err)
	}
	return thread + "/turns/" + a.Text("turn_id")
}

// TurnFor makes a turn of which a call takes effect, in a thread of its own.
func (c *Caller) TurnFor(t *testing.T, call string) (thread, turn string) {
	t.Helper()
	path := c.Failed(t, c.OpenThread(t), Operation(uuid.NewString()))
	if call == "cancelTurn" || call == "cancelResponse" {
		_, err := Postgres.Superuser(t, c.Database).Exec(t.Context(),
			`UPDATE llm_turns SET status = 'running', finished_at = NULL, lease_until = now() + interval '1 hour' WHERE status = 'failed'`)
		require.NoError(t, err)
	}
	parts := strings.Split(path, "/")
	return parts[4], parts[6]
}

func (c *Caller) Patch(t *testing.T, path string, body any, headers ...Header) Answer {
	t.Helper()
	return c.Call(t, http.MethodPatch, path, body, headers...)
}

// Answers tells which version of a bot answers.
func (c *Caller) Answers(t *testing.T, thread string) any {
	t.Helper()
	turn := c.Post(t, thread+"/turn", map[string]any{"content": "hello"})
	require.Equal(t, http.StatusOK, turn.Status, turn)
	return turn.At("bot_version")
}
