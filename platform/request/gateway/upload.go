package gateway

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/platform/request/fail"
)

const (
	multipartFrame = 64 << 10 // bytes that an upload may have round its file: boundaries, names, headers
	multipartForm  = "multipart/form-data"
)

var (
	errUploadType = fail.New(fail.Unsupported, "UNSUPPORTED_MEDIA_TYPE", "send the file as Content-Type: multipart/form-data")
	errNoBoundary = fail.New(fail.Malformed, "BAD_REQUEST", "Content-Type: multipart/form-data must name its boundary")
	errBrokeOff   = fail.New(fail.Malformed, "BAD_REQUEST", "the body broke off")
)

// extendDeadlines extends the deadlines of a request that transfers a file beyond those of other requests. It is called once
// the caller is known.
func extendDeadlines(c *echo.Context, d time.Duration) error {
	control, end := http.NewResponseController(c.Response()), time.Now().Add(d)
	if err := errors.Join(control.SetReadDeadline(end.Add(time.Second)), control.SetWriteDeadline(end.Add(answerSlack))); err != nil {
		return fail.ErrInternal.Because(err)
	}
	return nil
}

// openBody leaves the bounded body of an upload to the handler, once the request header is valid.
func openBody(c *echo.Context, limit int64) error {
	req := c.Request()
	types := req.Header.Values(echo.HeaderContentType)
	if len(types) != 1 {
		return errUploadType
	}
	kind, params, err := mime.ParseMediaType(types[0])
	switch {
	case err != nil || kind != multipartForm:
		return errUploadType
	case params["boundary"] == "":
		return errNoBoundary
	case req.ContentLength > limit+multipartFrame:
		return errTooLarge.With("limit_bytes", limit)
	}
	req.Body = upload{http.MaxBytesReader(c.Response(), req.Body, limit+multipartFrame), limit}
	return nil
}

// upload is a request body whose read errors are converted to the errors of the API.
type upload struct {
	io.ReadCloser
	limit int64
}

func (u upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return n, errTooLarge.With("limit_bytes", u.limit)
	}
	if err != nil && !errors.Is(err, io.EOF) { // io.ErrUnexpectedEOF is another
		return n, errBrokeOff.Because(err)
	}
	return n, err
}
