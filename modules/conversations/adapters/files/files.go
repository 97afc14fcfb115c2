// Package files reads the files of the knowledge module that are attached to messages.
package files

import (
	"context"
	"net/http"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/knowledge"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

var _ ports.AttachedFiles = Files{}

// Files reads attached files of the caller's workspace.
type Files struct {
	Face    knowledge.Files
	Memory  *Room // bytes that images take
	Reading *Room // documents that are read at once
}

// copies is how many times the bytes of an image are in memory while a provider is called: as they are, in base64, and in the body of
// the call.
const copies = 4

// Hold waits until so many bytes of images may be in memory.
func (f Files) Hold(ctx context.Context, bytes int64) (release func(), err error) {
	return f.Memory.Take(ctx, callctx.From(ctx).Principal.WorkspaceID, copies*bytes)
}

// Text returns the text of a document.
func (f Files) Text(ctx context.Context, a domain.Attachment, limit int) (text string, cut bool, err error) {
	release, err := f.Reading.Take(ctx, callctx.From(ctx).Principal.WorkspaceID, 1)
	if err != nil {
		return "", false, err
	}
	defer release()
	text, cut, err = f.Face.Text(ctx, toFile(a), limit)
	return text, cut, failure(a, err)
}

// Image returns the bytes of an image.
func (f Files) Image(ctx context.Context, a domain.Attachment) (domain.Image, error) {
	data, err := f.Face.Bytes(ctx, toFile(a), domain.MaxImageBytes)
	if err != nil {
		return domain.Image{}, failure(a, err)
	}
	kind := http.DetectContentType(data)
	if !domain.IsImage(kind) {
		return domain.Image{}, ports.ErrAttachmentUnreadable.With("file_id", a.FileID).With("reason", "NOT_AN_IMAGE")
	}
	return domain.Image{MediaType: kind, Data: data}, nil
}

func toFile(a domain.Attachment) knowledge.File {
	return knowledge.File{ID: a.FileID, Name: a.Name, ContentType: a.MediaType, Size: a.Size}
}

// failure returns the failure of a file that cannot be read. Any other error may pass.
func failure(a domain.Attachment, err error) error {
	if err == nil || !knowledge.IsUnreadable(err) {
		return err
	}
	why := fail.From(err)
	failed := ports.ErrAttachmentUnreadable.With("file_id", a.FileID).With("reason", why.Code).Because(err)
	failed.Message = "an attached file cannot be read: " + why.Message
	return failed
}
