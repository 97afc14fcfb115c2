package turns

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestU6AFileIsUploadedReadInPartsAndDeleted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := harness.Start(t, "DATA_DIR="+dir)
	walkFile(t, p)
	require.Eventually(t, func() bool { return len(harness.Stored(t, dir)) == 0 }, time.Minute, 20*time.Millisecond, "the bytes of a deleted file stay")
}

func TestU6TheSameWithFilesInS3(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.InS3(t)...)
	ready := p.Anonymous().Get(t, "/readyz")
	require.Equal(t, "ok", ready.Text("checks.minio.status"), ready)
	walkFile(t, p)
}

func walkFile(t *testing.T, p *harness.Program) {
	t.Helper()
	ada := p.Register(t)
	text := strings.Repeat("The parcel comes on Tuesday.\n", 1000)
	sum := sha256.Sum256([]byte(text))
	made := ada.Upload(t, "../Preise für März.txt", text)
	require.Equal(t, http.StatusCreated, made.Status, made)
	path := made.Header.Get("Location")
	require.Equal(t, "/v1/files/"+made.Text("id"), path)
	require.Equal(t, "Preise für März.txt", made.Text("name"))
	require.Equal(t, "text/plain; charset=utf-8", made.Text("content_type"))
	require.EqualValues(t, len(text), made.At("size"))
	require.Equal(t, hex.EncodeToString(sum[:]), made.Text("sha256"))
	require.Equal(t, ada.User, made.Text("created_by"))
	require.Equal(t, made.Body, ada.Get(t, path).Body)
	second := ada.Upload(t, "b.json", `{"a":1}`)
	require.Equal(t, "application/json", second.Text("content_type"))
	list := ada.Get(t, "/v1/files").Items()
	require.Equal(t, []any{second.Text("id"), made.Text("id")}, []any{list[0]["id"], list[1]["id"]}, "newest first")

	whole := ada.Get(t, path+"/content")
	require.Equal(t, http.StatusOK, whole.Status, whole)
	require.Equal(t, text, string(whole.Raw))
	etag := `"` + made.Text("sha256") + `"`
	require.Equal(t, etag, whole.Header.Get("ETag"))
	require.Equal(t, "nosniff", whole.Header.Get("X-Content-Type-Options"))
	require.Equal(t, "text/plain; charset=utf-8", whole.Header.Get("Content-Type"))
	require.Equal(t, fmt.Sprint(len(text)), whole.Header.Get("Content-Length"))
	kind, params, err := mime.ParseMediaType(whole.Header.Get("Content-Disposition"))
	require.NoError(t, err)
	require.Equal(t, "attachment", kind)
	require.Equal(t, "Preise für März.txt", params["filename"])

	for asked, want := range map[string]string{
		"bytes=0-9": text[:10], "bytes=28990-": text[28990:], "bytes=-5": text[len(text)-5:], "bytes=20000-99999": text[20000:],
		"bytes=20000-99999999999999999999": text[20000:], "bytes=-99999999999999999999": text, "BYTES=0-9": text[:10],
	} {
		a := ada.Get(t, path+"/content", harness.Header{Name: "Range", Value: asked})
		require.Equal(t, http.StatusPartialContent, a.Status, asked)
		require.Equal(t, want, string(a.Raw), asked)
		require.Contains(t, a.Header.Get("Content-Range"), fmt.Sprintf("/%d", len(text)))
	}
	for _, asked := range []string{"bytes=29000-", "bytes=99999-100000", "bytes=9-0", "bytes=-0", "bytes=x", "bytes=99999999999999999999-"} {
		a := ada.Get(t, path+"/content", harness.Header{Name: "Range", Value: asked})
		harness.RequireCode(t, a, http.StatusRequestedRangeNotSatisfiable, "RANGE_NOT_SATISFIABLE")
		require.Equal(t, "bytes */29000", a.Header.Get("Content-Range"))
		require.Empty(t, a.Header.Get("Content-Disposition"))
	}
	for name, headers := range map[string][]harness.Header{
		"several ranges":           {{Name: "Range", Value: "bytes=0-1,5-6"}},
		"another unit":             {{Name: "Range", Value: "lines=0-9"}},
		"a range of another state": {{Name: "Range", Value: "bytes=0-1"}, {Name: "If-Range", Value: `"other"`}},
	} {
		a := ada.Get(t, path+"/content", headers...)
		require.Equal(t, http.StatusOK, a.Status, name)
		require.Equal(t, text, string(a.Raw), name)
	}
	require.Len(t, ada.Get(t, path+"/content", harness.Header{Name: "Range", Value: "bytes=0-1"}, harness.Header{Name: "If-Range", Value: etag}).Raw, 2)
	for _, known := range []string{etag, `"x", ` + etag, "W/" + etag, "*"} {
		a := ada.Get(t, path+"/content", harness.Header{Name: "If-None-Match", Value: known})
		require.Equal(t, http.StatusNotModified, a.Status, known)
		require.Empty(t, a.Raw)
	}

	op := harness.Operation(uuid.NewString())
	require.Equal(t, http.StatusNoContent, ada.Call(t, http.MethodDelete, path, nil, op).Status)
	require.Equal(t, "true", ada.Call(t, http.MethodDelete, path, nil, op).Header.Get("X-Operation-Replayed"))
	harness.RequireCode(t, ada.Get(t, path), http.StatusNotFound, "NOT_FOUND")
	harness.RequireCode(t, ada.Get(t, path+"/content"), http.StatusNotFound, "NOT_FOUND")
	harness.RequireCode(t, ada.Call(t, http.MethodDelete, path, nil), http.StatusNotFound, "NOT_FOUND")
	require.Len(t, ada.Get(t, "/v1/files").Items(), 1)
	actions := []any{}
	for _, row := range ada.Get(t, "/v1/audit-log?resource_id="+made.Text("id")).Items() {
		actions = append(actions, row["action"])
	}
	require.Equal(t, []any{"file.delete", "file.create"}, actions)
	require.Equal(t, http.StatusNoContent, ada.Call(t, http.MethodDelete, second.Header.Get("Location"), nil).Status)
}

func TestAnUploadThatIsSentAgainMakesOneFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ada := harness.Start(t, "DATA_DIR="+dir).Register(t)
	op := harness.Operation(uuid.NewString())
	first := ada.Upload(t, "a.txt", "hello", op)
	require.Equal(t, http.StatusCreated, first.Status, first)
	again := ada.Upload(t, "a.txt", "hello", op) // clients draw a new boundary
	require.Equal(t, first.Raw, again.Raw)
	require.Equal(t, http.StatusCreated, again.Status)
	require.Equal(t, first.Header.Get("Location"), again.Header.Get("Location"))
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"))
	harness.RequireCode(t, ada.Upload(t, "a.txt", "hellO", op), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	harness.RequireCode(t, ada.Upload(t, "b.txt", "hello", op), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	harness.RequireCode(t, ada.Post(t, "/v1/bots", map[string]any{"name": "a"}, op), http.StatusUnprocessableEntity, "OPERATION_ID_REUSED")
	require.Equal(t, []string{ada.Workspace + "/" + first.Text("id")}, harness.Stored(t, dir), "the bytes of repetitions stay")

	op = harness.Operation(uuid.NewString())
	bodies := make([]harness.Answer, 8)
	var senders sync.WaitGroup
	for i := range bodies {
		senders.Go(func() { bodies[i] = ada.Upload(t, "c.txt", strings.Repeat("c", 100_000), op) })
	}
	senders.Wait()
	for _, a := range bodies {
		require.Equal(t, http.StatusCreated, a.Status, a)
		require.Equal(t, bodies[0].Raw, a.Raw)
	}
	require.Len(t, ada.Get(t, "/v1/files").Items(), 2)
	require.Len(t, harness.Stored(t, dir), 2)
	require.Equal(t, http.StatusOK, ada.Get(t, bodies[0].Header.Get("Location")+"/content").Status)
}

func TestAFileOverTheLimitIsRefusedHoweverItIsSent(t *testing.T) {
	t.Parallel()
	const limit = 300_000
	dir := t.TempDir()
	ada := harness.Start(t, "DATA_DIR="+dir, fmt.Sprintf("FILE_LIMIT=%d", limit)).Register(t)
	chunked := func(b []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(b)} }
	for _, size := range []int{limit + 1, limit + 100_000} {
		body, kind := harness.FormOf(t, "a.bin", make([]byte, size))
		for name, b := range map[string]any{"with its length": body, "chunked": chunked(body)} {
			a := ada.Post(t, "/v1/files", b, kind)
			harness.RequireCode(t, a, http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE")
			require.EqualValues(t, limit, a.At("details.limit_bytes"), "%d %s", size, name)
		}
	}
	require.Empty(t, harness.Stored(t, dir))
	body, kind := harness.FormOf(t, "a.bin", make([]byte, limit))
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/files", body, kind).Status, "exactly at the limit")
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/files", chunked(body), kind).Status, "exactly at the limit, chunked")
}

func TestAnUploadThatIsNoneIsRefusedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ada := harness.Start(t, "DATA_DIR="+dir).Register(t)
	part := func(disposition, content string) string {
		return "--x\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + content + "\r\n"
	}
	file := part(`name="file"; filename="a.txt"`, strings.Repeat("hello", 2000))
	for name, body := range map[string]string{
		"empty": "", "no parts": "hello", "another boundary": strings.ReplaceAll(file+"--x--", "--x", "--y"), "no last boundary": file,
		"cut off in the file": file[:5000], "cut off in a short file": file[:100],
		"no end behind the file": file + "--x", "headers without end": "--x\r\n" + strings.Repeat("A: b\r\n", 20_000),
	} {
		a := ada.Raw(t, body)
		require.Equal(t, http.StatusBadRequest, a.Status, "%s: %s", name, a)
		harness.RequireCode(t, a, http.StatusBadRequest, "BAD_REQUEST")
	}
	for name, test := range map[string]struct{ body, field string }{
		"no file":           {"--x--\r\n", "file"},
		"half a header":     {file[:40], "file"},
		"another field":     {part(`name="note"`, "x") + "--x--", "note"},
		"and another field": {file + part(`name="note"`, "x") + "--x--", "note"},
		"two files":         {file + file + "--x--", "file"},
		"no file name":      {part(`name="file"`, "x") + "--x--", "file"},
		"a name of dots":    {part(`name="file"; filename=".."`, "x") + "--x--", "file"},
		"a name of 256":     {part(`name="file"; filename="`+strings.Repeat("a", 256)+`"`, "x") + "--x--", "file"},
		"an empty file":     {part(`name="file"; filename="a"`, "") + "--x--", "file"},
		"a part of no name": {part(`filename="a"`, "x") + "--x--", "body"},
		"a very long field": {part(`name="`+strings.Repeat("n", 5000)+`"`, "x") + "--x--", "body"},
	} {
		a := ada.Raw(t, test.body)
		require.Equal(t, http.StatusUnprocessableEntity, a.Status, "%s: %s", name, a)
		harness.RequireWrong(t, a, test.field)
	}
	for _, kind := range []string{"", "application/json", "application/octet-stream", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x", "multipart"} {
		harness.RequireCode(t, ada.Raw(t, file+"--x--", harness.Header{Name: "Content-Type", Value: kind}), http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE")
	}
	harness.RequireCode(t, ada.Raw(t, file+"--x--", harness.Header{Name: "Content-Type", Value: "multipart/form-data"}), http.StatusBadRequest, "BAD_REQUEST")
	require.Empty(t, ada.Get(t, "/v1/files").Items())
	require.Empty(t, harness.Stored(t, dir), "bytes of a refused upload stay")
}

// Whoever may not upload receives the error before it has sent anything: a body that never comes would keep the answer waiting.
func TestNobodyUploadsWhoMayNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := harness.Start(t, "DATA_DIR="+dir, "TRANSFER_TIMEOUT=2s") // the longest that a wrong answer takes
	ada, eve := p.Register(t), p.Register(t)
	ask := func(headers string) harness.RawAnswer {
		return harness.RawCall(t, p, "POST /v1/files HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000\r\n"+
			"Content-Type: multipart/form-data; boundary=x\r\n"+headers+"\r\n")
	}
	require.Equal(t, http.StatusUnauthorized, ask("").Status)
	require.Equal(t, http.StatusBadRequest, ask("Authorization: Bearer "+ada.Token+"\r\nX-Operation-Id: nope\r\n").Status)
	require.Equal(t, http.StatusForbidden, ask("Authorization: Bearer "+eve.Token+"\r\nX-Workspace-Id: "+ada.Workspace+"\r\n").Status)
	_, err := harness.Postgres.Superuser(t, p.Database).Exec(t.Context(), `UPDATE sessions SET revoked_at = now() WHERE user_id = $1`, eve.User)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, ask("Authorization: Bearer "+eve.Token+"\r\n").Status)
	require.Empty(t, harness.Stored(t, dir))
}

func TestWhatAFileIsIsFoundOutFromItsBytes(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	ada.Client = &http.Client{Timeout: harness.Timeout} // the suite's own cannot read parts of other types
	for name, test := range map[string]struct{ contentType, content, want string }{
		"a page that says it is a picture": {"image/png", "<!DOCTYPE html><script>alert(1)</script>", "text/html; charset=utf-8"},
		"a picture that says it is a page": {"text/html", "\x89PNG\r\n\x1a\n" + strings.Repeat("\x00", 100), "image/png"},
		"a document":                       {"text/plain", "%PDF-1.7\n", "application/pdf"},
		"bytes":                            {"application/pdf", "\x00\x01\x02\x03", "application/octet-stream"},
	} {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {`form-data; name="file"; filename="a"`}, "Content-Type": {test.contentType},
		})
		require.NoError(t, err)
		_, err = part.Write([]byte(test.content))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		a := ada.Post(t, "/v1/files", b.Bytes(), harness.Header{Name: "Content-Type", Value: w.FormDataContentType()})
		require.Equal(t, test.want, a.Text("content_type"), "%s: %s", name, a)
		got := ada.Get(t, a.Header.Get("Location")+"/content")
		require.Equal(t, test.want, got.Header.Get("Content-Type"))
		require.True(t, strings.HasPrefix(got.Header.Get("Content-Disposition"), "attachment"), "a browser would show it")
		require.Contains(t, got.Header.Get("Content-Security-Policy"), "default-src 'none'")
	}
}

func TestANameCannotBreakOutOfItsHeader(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	for _, sent := range []string{`a"; filename="b.exe`, "a;b=c.txt", "ü.txt", "a b.txt", "100%.txt", "日本.pdf"} {
		a := ada.Upload(t, sent, "x")
		require.Equal(t, http.StatusCreated, a.Status, a)
		got := ada.Get(t, a.Header.Get("Location")+"/content")
		kind, params, err := mime.ParseMediaType(got.Header.Get("Content-Disposition"))
		require.NoError(t, err)
		require.Equal(t, "attachment", kind)
		require.Equal(t, map[string]string{"filename": a.Text("name")}, params)
		require.Equal(t, sent, a.Text("name"))
	}
}

// A process that dies between the bytes of an upload and its file leaves the bytes behind.
func TestBytesWithoutAFileAreRemovedLater(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ada := harness.Start(t, "DATA_DIR="+dir, "WORKERS=0").Register(t)
	kept := ada.Workspace + "/" + ada.Upload(t, "a.txt", "hello").Text("id")
	young, old, ofNobody := ada.Workspace+"/"+uuid.NewString(), ada.Workspace+"/"+uuid.NewString(), uuid.NewString()+"/"+uuid.NewString()
	const notOurs = "readme.txt"
	long := time.Now().Add(-61 * time.Minute)
	for _, key := range []string{kept, young, old, ofNobody, notOurs} {
		name := filepath.Join(dir, "files", filepath.FromSlash(key))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		if key != kept {
			require.NoError(t, os.WriteFile(name, []byte("x"), 0o600))
		}
		if key != young {
			require.NoError(t, os.Chtimes(name, long, long))
		}
	}
	ada.Settings = append(ada.Settings, "WORKERS=2")
	ada.Restart(t)
	require.Eventually(t, func() bool { return len(harness.Stored(t, dir)) == 3 }, time.Minute, 20*time.Millisecond, "%v", harness.Stored(t, dir))
	require.ElementsMatch(t, []string{kept, young, notOurs}, harness.Stored(t, dir))
	require.Equal(t, "hello", string(ada.Get(t, "/v1/files/"+filepath.Base(kept)+"/content").Raw))
}

func TestAFileWhoseBytesAreGoneIsToldApartFromNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ada := harness.Start(t, "DATA_DIR="+dir, "METRICS_ADDR=127.0.0.1:0").Register(t)
	require.Contains(t, ada.Metrics(t), "parley_file_content_missing_total 0\n")
	a := ada.Upload(t, "a.txt", "hello")
	require.NoError(t, os.Remove(filepath.Join(dir, "files", ada.Workspace, a.Text("id"))))
	got := ada.Get(t, a.Header.Get("Location")+"/content")
	harness.RequireCode(t, got, http.StatusNotFound, "FILE_CONTENT_MISSING")
	require.Empty(t, got.Header.Get("ETag"))
	require.Equal(t, http.StatusOK, ada.Get(t, a.Header.Get("Location")).Status, "the file itself is there")
	require.Contains(t, ada.Metrics(t), "parley_file_content_missing_total 1\n")
	require.Contains(t, ada.Log.String(), "the bytes of a file are missing from the store")
}

// An upload has a deadline of its own: it may take longer than other calls, and not for ever.
func TestASlowUploadHasTheTimeOfATransferAndNoMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := harness.Start(t, "DATA_DIR="+dir)
	ada := p.Register(t)
	ada = &harness.Caller{Program: harness.StartOn(t, p.Database, append(p.Settings, "REQUEST_TIMEOUT=1s", "TRANSFER_TIMEOUT=4s")...), Token: ada.Token}
	ada.Client = &http.Client{Timeout: harness.Timeout} // the suite's own reads a body before it sends it
	body, kind := harness.FormOf(t, "a.bin", make([]byte, 10_000))
	slow := func(pause time.Duration) io.Reader {
		r, w := io.Pipe()
		t.Cleanup(func() { _ = w.Close() })
		go func() { _, _ = w.Write(body[:5000]) }()
		time.AfterFunc(pause, func() {
			_, _ = w.Write(body[5000:])
			_ = w.Close()
		})
		return r
	}
	a := ada.Post(t, "/v1/files", slow(1500*time.Millisecond), kind)
	require.Equal(t, http.StatusCreated, a.Status, a)
	begun := time.Now()
	late, err := ada.Try(t, http.MethodPost, "/v1/files", slow(time.Hour), kind)
	require.True(t, err != nil || late.Status >= http.StatusBadRequest, late)
	require.Less(t, time.Since(begun), 20*time.Second)
	require.Len(t, ada.Get(t, "/v1/files").Items(), 1)
	require.Eventually(t, func() bool { return len(harness.Stored(t, dir)) == 1 }, time.Minute, 20*time.Millisecond, "half an upload stays")
}
