package rest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/fail"
)

var errRange = fail.New(fail.OutOfRange, "RANGE_NOT_SATISFIABLE", "the file has no such range: Content-Range says how many bytes it has")

var (
	byteUnit = regexp.MustCompile(`(?i)^\s*bytes\s*=`)
	number   = regexp.MustCompile(`[0-9]+`)
	noBytes  = regexp.MustCompile(`^bytes=\s*-0+\s*$`) // a range of the last 0 bytes
)

// byteRange returns the Range header as net/http understands it. It returns "" for a unit other than bytes and for
// several ranges, for which the whole file is sent (RFC 9110, 14.2), and limits numbers to 63 bits.
func byteRange(value string) string {
	unit := byteUnit.FindString(value)
	if unit == "" || strings.Contains(value, ",") {
		return ""
	}
	return "bytes=" + number.ReplaceAllStringFunc(value[len(unit):], func(n string) string {
		if _, err := strconv.ParseInt(n, 10, 64); err != nil {
			return strconv.FormatInt(math.MaxInt64, 10)
		}
		return n
	})
}

// GetFileContent sends the bytes of a file, or a range of them.
func (s Server) GetFileContent(ctx context.Context, r GetFileContentRequestObject) (GetFileContentResponseObject, error) {
	file, err := s.Files.Get(ctx, r.FileID)
	if err != nil {
		return nil, err
	}
	asked := http.Header{}
	for name, value := range map[string]*string{"If-Range": r.Params.IfRange, "If-None-Match": r.Params.IfNoneMatch} {
		if value != nil {
			asked.Set(name, *value)
		}
	}
	if r.Params.Range != nil {
		asked.Set("Range", byteRange(*r.Params.Range))
	}
	if noBytes.MatchString(asked.Get("Range")) { // RFC 9110, 14.1.2: there is no such range; net/http sends an empty part
		asked.Set("Range", fmt.Sprintf("bytes=%d-", file.Size))
	}
	return content{ctx, file, s.Files, s.Bytes, asked, s.Missing}, nil
}

// content sends the bytes of a file, as net/http sends those of files on disk.
type content struct {
	ctx   context.Context //nolint:containedctx // the generated Visit method has none
	file  domain.File
	files ports.Files
	bytes ports.Bytes
	asked http.Header

	missing func(ctx context.Context, file uuid.UUID)
}

func (c content) VisitGetFileContentResponse(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("ETag", `"`+hex.EncodeToString(c.file.SHA256[:])+`"`)
	h.Set("Content-Type", c.file.ContentType)
	h.Set("Content-Disposition", disposition(c.file.Name.String()))
	h.Set("X-Content-Type-Options", "nosniff") // set on every response, but essential here
	h.Set("Cache-Control", "private, no-cache")
	req := (&http.Request{Method: http.MethodGet, Header: c.asked}).WithContext(c.ctx)
	source := &source{ctx: c.ctx, bytes: c.bytes, key: ports.BytesKey{WorkspaceID: c.file.WorkspaceID, FileID: c.file.ID}, size: c.file.Size}
	defer func() { _ = source.Close() }() // it was read only
	out := &late{ResponseWriter: w}
	http.ServeContent(out, req, "", time.Time{}, source)
	switch {
	case source.err != nil:
		return c.explain(w, source.err)
	case out.status == http.StatusRequestedRangeNotSatisfiable:
		forget(h)
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", c.file.Size))
		return errRange
	}
	out.flush() // for a response without a body
	return nil
}

// explain writes the error for bytes that could not be sent. Where the file was deleted in the meantime, the error is
// that of a file that does not exist.
func (c content) explain(w http.ResponseWriter, cause error) error {
	forget(w.Header())
	if !errors.Is(cause, ports.ErrFileNotFound) {
		return cause
	}
	if _, err := c.files.Get(c.ctx, c.file.ID); err != nil {
		return err
	}
	c.missing(c.ctx, c.file.ID)
	return ports.ErrContentMissing.Because(cause)
}

// forget removes the headers that describe the bytes.
func forget(h http.Header) {
	for _, name := range []string{"ETag", "Content-Type", "Content-Disposition", "Content-Length", "Content-Range", "Accept-Ranges"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
}

// disposition makes clients save the bytes under the name of the file (RFC 6266), and never show them.
func disposition(name string) string {
	if value := mime.FormatMediaType("attachment", map[string]string{"filename": name}); value != "" {
		return value
	}
	return "attachment"
}

// late writes the head of a response together with the first bytes, so that a failure before them can still be answered
// with an error.
type late struct {
	http.ResponseWriter
	status int
	sent   bool
}

func (l *late) WriteHeader(status int) { l.status = status }

func (l *late) Write(p []byte) (int, error) {
	if l.status == http.StatusRequestedRangeNotSatisfiable {
		return len(p), nil // the error handler writes the body
	}
	l.flush()
	return l.ResponseWriter.Write(p)
}

func (l *late) flush() {
	if !l.sent {
		l.sent = true
		l.ResponseWriter.WriteHeader(l.status)
	}
}

// source reads stored bytes from any offset. It opens them at the first read.
type source struct {
	ctx   context.Context //nolint:containedctx // of the one answer
	bytes ports.Bytes
	key   ports.BytesKey
	size  int64
	at    int64
	open  io.ReadCloser
	err   error // the error of reading the bytes
}

func (s *source) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.size
	}
	if err := s.Close(); err != nil {
		return 0, err
	}
	s.at = offset
	return offset, nil
}

func (s *source) Read(p []byte) (n int, err error) {
	if s.open == nil {
		if s.open, err = s.bytes.Open(s.ctx, s.key, s.at); err != nil {
			s.err = err
			return 0, err
		}
	}
	n, err = s.open.Read(p)
	s.at += int64(n)
	if err == io.EOF && s.at < s.size { //nolint:errorlint // a reader ends with it as it is
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF { //nolint:errorlint // likewise
		s.err = err
	}
	return n, err
}

// Close closes the stored bytes.
func (s *source) Close() error {
	if s.open == nil {
		return nil
	}
	err := s.open.Close()
	s.open = nil
	return err
}
