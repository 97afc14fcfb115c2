// Package blobs stores the bytes of files in the blob store, under <workspace_id>/<file_id>.
package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gabriel-vasile/mimetype"
	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/data/blob"
)

// Bytes stores the bytes of files in a blob store.
type Bytes struct{ Store blob.Store }

var _ ports.Bytes = Bytes{}

const pageSize = 500 // objects listed at once

func key(k ports.BytesKey) string { return k.WorkspaceID.String() + "/" + k.FileID.String() }

func (b Bytes) Keep(ctx context.Context, k ports.BytesKey, content io.Reader) (int64, error) {
	return b.Store.Put(ctx, key(k), content)
}

func (b Bytes) Open(ctx context.Context, k ports.BytesKey, offset int64) (io.ReadCloser, error) {
	content, err := b.Store.Get(ctx, key(k), offset, -1)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, ports.ErrFileNotFound.Because(err)
	}
	return content, err
}

func (b Bytes) Remove(ctx context.Context, k ports.BytesKey) error {
	return b.Store.Delete(ctx, key(k))
}

// Stored lists the objects of the store. It leaves out objects whose keys have another form.
func (b Bytes) Stored(ctx context.Context, after string) (page []ports.StoredBytes, next string, err error) {
	objects, err := b.Store.List(ctx, "", after, pageSize)
	if err != nil {
		return nil, "", err
	}
	for _, o := range objects {
		if k, ok := parse(o.Key); ok {
			page = append(page, ports.StoredBytes{BytesKey: k, At: o.StoredAt})
		}
	}
	if len(objects) == pageSize {
		next = objects[len(objects)-1].Key
	}
	return page, next, nil
}

// Forget removes the bytes of all files of a workspace.
func (b Bytes) Forget(ctx context.Context, workspace uuid.UUID) error {
	for {
		objects, err := b.Store.List(ctx, workspace.String()+"/", "", pageSize)
		if err != nil {
			return fmt.Errorf("list the bytes of a purged workspace: %w", err)
		}
		for _, o := range objects {
			if err := b.Store.Delete(ctx, o.Key); err != nil {
				return fmt.Errorf("remove the bytes of a purged workspace: %w", err)
			}
		}
		if len(objects) < pageSize {
			return nil
		}
	}
}

func parse(text string) (k ports.BytesKey, ok bool) {
	workspace, file, _ := strings.Cut(text, "/")
	var errs [2]error
	k.WorkspaceID, errs[0] = uuid.Parse(workspace)
	k.FileID, errs[1] = uuid.Parse(file)
	return k, errors.Join(errs[:]...) == nil && key(k) == text
}

// Sniff returns the content type of bytes by the first of them; application/octet-stream where it is unknown.
func Sniff(head []byte) string { return mimetype.Detect(head).String() }
