// Package archives stores the archives of exports in the store of files, under <workspace_id>/exports/<export_id>-<attempt>.zip,
// so that they are removed with the files of a purged workspace.
package archives

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/activity/ports"
	"github.com/parley/parley/platform/data/blob"
)

// Archives stores archives, and reads the bytes of files, which are under <workspace_id>/<file_id>.
type Archives struct{ Store blob.Store }

var _ ports.Archives = Archives{}

func prefix(k ports.ExportKey) string { return fmt.Sprintf("%s/exports/%s-", k.WorkspaceID, k.ID) }

func key(k ports.ArchiveKey) string { return fmt.Sprintf("%s%d.zip", prefix(k.ExportKey), k.Attempt) }

func (a Archives) Keep(ctx context.Context, k ports.ArchiveKey, content io.Reader) (int64, error) {
	return a.Store.Put(ctx, key(k), content)
}

func (a Archives) Open(ctx context.Context, k ports.ArchiveKey, offset int64) (io.ReadCloser, error) {
	content, err := a.Store.Get(ctx, key(k), offset, -1)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, ports.ErrExportNotFound.Because(err)
	}
	return content, err
}

const pageSize = 100 // objects listed at once

func (a Archives) Remove(ctx context.Context, k ports.ExportKey) error {
	return removeAll(ctx, a.Store, prefix(k))
}

// removeAll removes all objects whose keys begin so.
func removeAll(ctx context.Context, store blob.Store, prefix string) error {
	for {
		objects, err := store.List(ctx, prefix, "", pageSize)
		if err != nil {
			return fmt.Errorf("list the bytes under %s: %w", prefix, err)
		}
		for _, o := range objects {
			if err := store.Delete(ctx, o.Key); err != nil {
				return err
			}
		}
		if len(objects) < pageSize {
			return nil
		}
	}
}

func (a Archives) File(ctx context.Context, workspace, file uuid.UUID) (content io.ReadCloser, found bool, err error) {
	content, err = a.Store.Get(ctx, workspace.String()+"/"+file.String(), 0, -1)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, false, nil
	}
	return content, err == nil, err
}

// ImportedFiles stores the bytes of files of workspaces that are being imported.
type ImportedFiles struct{ Store blob.Store }

var _ ports.ImportedFiles = ImportedFiles{}

func (f ImportedFiles) Keep(ctx context.Context, workspace, file uuid.UUID, content io.Reader) (int64, error) {
	return f.Store.Put(ctx, workspace.String()+"/"+file.String(), content)
}

func (f ImportedFiles) Forget(ctx context.Context, workspace uuid.UUID) error {
	return removeAll(ctx, f.Store, workspace.String()+"/")
}
