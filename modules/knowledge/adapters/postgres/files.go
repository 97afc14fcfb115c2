// Package postgres stores the data of files in Postgres, without their bytes.
package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/knowledgedb"
	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/jobs"
)

// RemoveBytesKind is the kind of the jobs that remove the bytes of a deleted file.
const RemoveBytesKind = "file.remove_bytes"

// Deleted is the payload of those jobs.
type Deleted struct {
	FileID uuid.UUID `json:"file_id"`
}

// Files stores the rows of files. Its methods run in the transaction of the context, or in one of their own.
type Files struct {
	DB    *postgres.DB
	Queue *jobs.Queue
	Quota *usage.Quota // of the stored bytes
}

var _ ports.Files = Files{}

func (f Files) queries(ctx context.Context) (*knowledgedb.Queries, uuid.UUID) {
	return knowledgedb.New(f.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

// Create stores the row of a file. Where the workspace may not store that many bytes more, the transaction ends with
// fail.ErrLimitReached.
func (f Files) Create(ctx context.Context, file domain.File) error {
	q, workspace := f.queries(ctx)
	if err := f.checkOwner(ctx, q, file.Size); err != nil {
		return err
	}
	err := q.CreateFile(ctx, knowledgedb.CreateFileParams{
		WorkspaceID: workspace,
		ID:          file.ID,
		Name:        file.Name.String(),
		ContentType: file.ContentType,
		Size:        file.Size,
		Sha256:      file.SHA256[:],
		CreatedBy:   file.CreatedBy,
		CreatedAt:   file.CreatedAt,
	})
	if err != nil {
		return fmt.Errorf("create the file: %w", err)
	}
	return f.Quota.Add(ctx, usage.Storage, file.Size)
}

// checkOwner returns fail.ErrLimitReached where the caller is an end user that may not store so many bytes more.
func (f Files) checkOwner(ctx context.Context, q *knowledgedb.Queries, size int64) error {
	p := callctx.From(ctx).Principal
	if p.EndUser == nil {
		return nil
	}
	if err := q.LockOwnedFiles(ctx, p.UserID); err != nil {
		return fmt.Errorf("lock the files of an end user: %w", err)
	}
	has, err := q.CountOwnedFiles(ctx, knowledgedb.CountOwnedFilesParams{WorkspaceID: p.WorkspaceID, OwnerID: p.UserID, Most: domain.MaxOwnedFiles})
	if err != nil {
		return fmt.Errorf("count the files of an end user: %w", err)
	}
	if has.Files >= domain.MaxOwnedFiles || has.Bytes+size > domain.MaxOwnedBytes {
		return ports.ErrOwnerLimit
	}
	return nil
}

func (f Files) Get(ctx context.Context, id uuid.UUID) (domain.File, error) {
	q, workspace := f.queries(ctx)
	row, err := q.GetFile(ctx, knowledgedb.GetFileParams{WorkspaceID: workspace, ID: id})
	return found(row, err)
}

func (f Files) List(ctx context.Context, after *ports.FilePosition, limit int) ([]domain.File, error) {
	q, workspace := f.queries(ctx)
	params := knowledgedb.ListFilesParams{WorkspaceID: workspace, Count: int32(limit)}
	if after != nil {
		params.BeforeAt, params.BeforeID = &after.At, &after.ID
	}
	rows, err := q.ListFiles(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list the files: %w", err)
	}
	list := make([]domain.File, len(rows))
	for i, row := range rows {
		list[i] = toFile(row)
	}
	return list, nil
}

// Delete removes the row of a file. The job that removes the bytes is queued in the same transaction.
func (f Files) Delete(ctx context.Context, id uuid.UUID) (domain.File, error) {
	q, workspace := f.queries(ctx)
	row, err := q.DeleteFile(ctx, knowledgedb.DeleteFileParams{WorkspaceID: workspace, ID: id})
	file, err := found(row, err)
	if err != nil {
		return domain.File{}, err
	}
	return file, errors.Join(
		f.Queue.Enqueue(ctx, RemoveBytesKind, Deleted{FileID: id}, jobs.Options{Key: id.String()}),
		f.Quota.Add(ctx, usage.Storage, -file.Size),
	)
}

func (f Files) Known(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error) {
	q, workspace := f.queries(ctx)
	known, err := q.KnownFiles(ctx, knowledgedb.KnownFilesParams{WorkspaceID: workspace, Ids: ids})
	if err != nil {
		return nil, fmt.Errorf("look for the files: %w", err)
	}
	return known, nil
}

// ListOwned returns some files of an owner.
func (f Files) ListOwned(ctx context.Context, owner uuid.UUID, limit int) ([]uuid.UUID, error) {
	q, workspace := f.queries(ctx)
	list, err := q.ListOwnedFiles(ctx, knowledgedb.ListOwnedFilesParams{WorkspaceID: workspace, OwnerID: owner, Count: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list the files of an owner: %w", err)
	}
	return list, nil
}

func found(row knowledgedb.File, err error) (domain.File, error) {
	if postgres.IsMissing(err) {
		return domain.File{}, ports.ErrFileNotFound
	}
	if err != nil {
		return domain.File{}, fmt.Errorf("read the file: %w", err)
	}
	return toFile(row), nil
}

func toFile(row knowledgedb.File) domain.File {
	return domain.File{
		ID:          row.ID,
		WorkspaceID: row.WorkspaceID,
		Name:        domain.RestoreFileName(row.Name),
		ContentType: row.ContentType,
		Size:        row.Size,
		SHA256:      [32]byte(row.Sha256),
		CreatedBy:   row.CreatedBy,
		CreatedAt:   row.CreatedAt,
	}
}
