package rest

import (
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
	"github.com/parley/parley/platform/request/fail"
)

var errArchiveRange = fail.New(fail.OutOfRange, "RANGE_NOT_SATISFIABLE", "the archive has no such range: Content-Range says how many bytes it has")

// DownloadExport sends the archive of an export, or a range of its bytes, to everybody who has a link to it.
func (s Server) DownloadExport(ctx context.Context, r DownloadExportRequestObject) (DownloadExportResponseObject, error) {
	token := ""
	if r.Params.Token != nil {
		token = *r.Params.Token
	}
	ctx, e, err := s.Exports.Open.Do(ctx, ports.ExportKey{WorkspaceID: r.WorkspaceID, ID: r.ExportID}, token)
	if err != nil {
		return nil, err
	}
	asked := http.Header{}
	if v := r.Params.Range; v != nil && strings.HasPrefix(*v, "bytes=") && !strings.Contains(*v, ",") {
		asked.Set("Range", *v) // another unit or several ranges: the whole (RFC 9110, 14.2)
	}
	if v := r.Params.IfRange; v != nil {
		asked.Set("If-Range", *v)
	}
	return archive{ctx, e, s.Exports.Archives, asked}, nil
}

// archive sends the bytes of an archive, as net/http sends those of files on disk.
type archive struct {
	ctx      context.Context //nolint:containedctx // the generated Visit method has none
	export   domain.Export
	archives ports.Archives
	asked    http.Header
}

// VisitDownloadExportResponse writes the response. What fails before the first byte is answered with an error.
func (a archive) VisitDownloadExportResponse(w http.ResponseWriter) error {
	source := &archiveSource{ctx: a.ctx, archives: a.archives, size: a.export.Archive.Size, key: ports.ArchiveKey{
		ExportKey: ports.ExportKey{WorkspaceID: a.export.WorkspaceID, ID: a.export.ID}, Attempt: a.export.Attempt,
	}}
	defer func() { _ = source.close() }() // it was read only
	described := http.Header{
		"ETag":                {`"` + hex.EncodeToString(a.export.Archive.SHA256[:]) + `"`},
		"Content-Type":        {"application/zip"},
		"Content-Disposition": {`attachment; filename="` + a.export.FileName() + `"`},
		"Cache-Control":       {"private, no-store"},
	}
	for name, values := range described {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	out := &lateWriter{ResponseWriter: w}
	http.ServeContent(out, (&http.Request{Method: http.MethodGet, Header: a.asked}).WithContext(a.ctx), "", time.Time{}, source)
	switch {
	case source.err != nil && out.sent:
		return source.err // the client sees that the answer is shorter than it was announced
	case source.err != nil, out.status == http.StatusRequestedRangeNotSatisfiable:
		size := w.Header().Get("Content-Range")
		for _, name := range []string{"ETag", "Content-Type", "Content-Disposition", "Content-Length", "Content-Range", "Accept-Ranges"} {
			w.Header().Del(name)
		}
		if source.err != nil {
			return source.err
		}
		w.Header().Set("Content-Range", size)
		return errArchiveRange
	}
	out.flush()
	return nil
}

// lateWriter writes the head of a response together with its first bytes.
type lateWriter struct {
	http.ResponseWriter
	status int
	sent   bool
}

func (l *lateWriter) WriteHeader(status int) { l.status = status }

func (l *lateWriter) Write(p []byte) (int, error) {
	if l.status == http.StatusRequestedRangeNotSatisfiable {
		return len(p), nil // the error handler writes the body
	}
	l.flush()
	return l.ResponseWriter.Write(p)
}

func (l *lateWriter) flush() {
	if !l.sent {
		l.sent = true
		l.ResponseWriter.WriteHeader(l.status)
	}
}

// archiveSource reads an archive from any offset. It opens it at the first read.
type archiveSource struct {
	ctx      context.Context //nolint:containedctx // of the one answer
	archives ports.Archives
	key      ports.ArchiveKey
	size, at int64
	open     io.ReadCloser
	err      error
}

func (s *archiveSource) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.size
	}
	if err := s.close(); err != nil {
		return 0, err
	}
	s.at = offset
	return offset, nil
}

func (s *archiveSource) Read(p []byte) (n int, err error) {
	if s.open == nil {
		if s.open, err = s.archives.Open(s.ctx, s.key, s.at); err != nil {
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

func (s *archiveSource) close() error {
	if s.open == nil {
		return nil
	}
	err := s.open.Close()
	s.open = nil
	return err
}
