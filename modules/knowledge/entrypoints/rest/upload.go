package rest

import (
	"context"
	"errors"
	"io"
	"mime/multipart"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/usecases"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// filePart is the only part that an upload has.
const filePart = "file"

// receive stores the one file of a multipart body, and returns it with the name that its sender gave it.
func (s Server) receive(ctx context.Context, body *multipart.Reader) (file domain.File, sent string, err error) {
	part, err := next(body)
	if err != nil {
		return file, "", err
	}
	if part == nil {
		return file, "", wrong(filePart, "REQUIRED", "is required")
	}
	if part.FormName() != filePart {
		return file, "", unknown(part)
	}
	if sent = part.FileName(); sent == "" {
		return file, "", wrong(filePart, "REQUIRED", "must have a file name")
	}
	p := callctx.From(ctx).Principal
	file, err = s.Receive.Do(ctx, usecases.SentFile{WorkspaceID: p.WorkspaceID, By: p.UserID, Name: sent, Content: whole{part}})
	if err != nil {
		return file, "", err
	}
	if err = endOf(body); err != nil {
		s.discard(ctx, file)
	}
	return file, sent, err
}

// endOf returns an error where there is another part, or no end.
func endOf(body *multipart.Reader) error {
	part, err := next(body)
	if err != nil || part == nil {
		return err
	}
	if part.FormName() == filePart {
		return wrong(filePart, "REPEATED", "must be given once")
	}
	return unknown(part)
}

// next returns the next part as it was sent; nil after the last part.
func next(body *multipart.Reader) (*multipart.Part, error) {
	part, err := body.NextRawPart()
	if err == io.EOF { // for a truncated body io.EOF is wrapped
		return nil, nil //nolint:nilnil // the end is no part
	}
	return part, broken(err)
}

// whole reads the content of a part. It returns an error where the body ends within the part.
type whole struct{ part *multipart.Part }

func (w whole) Read(p []byte) (int, error) {
	n, err := w.part.Read(p)
	if err != io.EOF { //nolint:errorlint // a part ends with it as it is
		err = broken(err)
	}
	return n, err
}

// broken returns the error for a body that is not multipart/form-data, or is truncated. It returns an error of the
// gateway unchanged.
func broken(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*fail.Error](err); ok {
		return e
	}
	return fail.New(fail.Malformed, "BAD_REQUEST", "the body is no multipart/form-data, or not all of it").Because(err)
}

const longestName = 100 // bytes of a part's name that a response repeats

func unknown(part *multipart.Part) error {
	name := part.FormName()
	if name == "" || len(name) > longestName {
		name = "body"
	}
	return wrong(name, "UNKNOWN_FIELD", "is not a field of this call: leave it out")
}

func wrong(field, code, message string) error {
	return fail.Fields(fail.Field{Field: field, Code: code, Message: message})
}
