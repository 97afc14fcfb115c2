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

// Documents stores documents. Its methods run in the transaction of the context, or in one of their own.
type Documents struct {
	DB    *postgres.DB
	Queue *jobs.Queue
	Quota *usage.Quota
}

var (
	_ ports.Documents = Documents{}
	_ ports.Texts     = Documents{}
)

func (s Documents) queries(ctx context.Context) (*knowledgedb.Queries, uuid.UUID) {
	return knowledgedb.New(s.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

func (s Documents) Create(ctx context.Context, d domain.Document, text string) error {
	q, workspace := s.queries(ctx)
	base, err := q.ShareKnowledgeBase(ctx, knowledgedb.ShareKnowledgeBaseParams{WorkspaceID: workspace, ID: d.BaseID})
	if err != nil {
		return baseError(err)
	}
	for _, metric := range []usage.Metric{usage.Documents, usage.Chunks, usage.KnowledgeBytes} {
		if err := s.Quota.Reserve(ctx, metric); err != nil {
			return err
		}
	}
	if d.FileID != nil {
		if err := q.HoldFile(ctx, *d.FileID); err != nil {
			return fmt.Errorf("hold the file: %w", err)
		}
	}
	_, err = q.CreateDocument(ctx, knowledgedb.CreateDocumentParams{
		WorkspaceID: workspace, ID: d.ID, BaseID: d.BaseID, FileID: d.FileID, Title: d.Title, Metadata: d.Metadata.JSON(),
		ContentType: d.ContentType, ContentHash: d.ContentHash[:], Size: d.Size, BuildSize: base.ChunkSize, BuildOverlap: base.ChunkOverlap,
		CreatedBy: d.CreatedBy, CreatedAt: d.CreatedAt,
	})
	if postgres.IsMissing(err) {
		return s.exists(ctx, d)
	}
	if postgres.Violates(err, "documents_workspace_id_file_id_fkey") { // deleted since it was read
		return ports.ErrFileNotFound
	}
	if err != nil {
		return fmt.Errorf("create the document: %w", err)
	}
	if d.FileID == nil {
		err = q.StoreText(ctx, knowledgedb.StoreTextParams{WorkspaceID: workspace, DocumentID: d.ID, Generation: sentGeneration, Text: text, Outline: []byte{}})
	}
	return errors.Join(err, enqueueBuild(ctx, s.Queue, d.ID, 1))
}

func (s Documents) exists(ctx context.Context, d domain.Document) error {
	q, workspace := s.queries(ctx)
	id, err := q.FindDocumentOfContent(ctx, knowledgedb.FindDocumentOfContentParams{WorkspaceID: workspace, BaseID: d.BaseID, ContentHash: d.ContentHash[:]})
	if err != nil && !postgres.IsMissing(err) {
		return fmt.Errorf("look for the document: %w", err)
	}
	return ports.ErrDocumentExists.With("document_id", id)
}

func (s Documents) Get(ctx context.Context, base, id uuid.UUID) (domain.Document, error) {
	q, workspace := s.queries(ctx)
	row, err := q.GetDocument(ctx, knowledgedb.GetDocumentParams{WorkspaceID: workspace, BaseID: base, ID: id})
	if err != nil {
		return domain.Document{}, documentError(err)
	}
	return toDocument(row.Document), nil
}

func (s Documents) List(ctx context.Context, base uuid.UUID, status *domain.DocumentStatus, before *uuid.UUID, limit int) ([]domain.Document, error) {
	workspace := callctx.From(ctx).Principal.WorkspaceID
	rows, err := knowledgedb.New(s.DB.InList(ctx)).ListDocuments(ctx, knowledgedb.ListDocumentsParams{
		WorkspaceID: workspace, BaseID: base, Status: (*string)(status), Before: before, Count: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list the documents: %w", err)
	}
	list := make([]domain.Document, len(rows))
	for i, row := range rows {
		list[i] = toDocument(row)
	}
	return list, nil
}

func (s Documents) Lock(ctx context.Context, base, id uuid.UUID) (domain.Document, error) {
	q, workspace := s.queries(ctx)
	row, err := q.LockDocument(ctx, knowledgedb.LockDocumentParams{WorkspaceID: workspace, BaseID: base, ID: id})
	if err != nil {
		return domain.Document{}, documentError(err)
	}
	return toDocument(row.Document), nil
}

func (s Documents) Save(ctx context.Context, d domain.Document) error {
	q, workspace := s.queries(ctx)
	err := q.SaveDocument(ctx, knowledgedb.SaveDocumentParams{
		WorkspaceID: workspace, ID: d.ID, Title: d.Title, Metadata: d.Metadata.JSON(), UpdatedAt: d.UpdatedAt,
	})
	if err != nil {
		return fmt.Errorf("save the document: %w", err)
	}
	return nil
}

func (s Documents) Text(ctx context.Context, d domain.Document) (domain.KeptText, error) {
	q, workspace := s.queries(ctx)
	row, err := q.GetText(ctx, knowledgedb.GetTextParams{WorkspaceID: workspace, DocumentID: d.ID, Generation: int32(d.Generation)})
	if d.Generation == 0 || d.Status == domain.Deleting || postgres.IsMissing(err) {
		return domain.KeptText{}, ports.ErrTextNotReady
	}
	if err != nil {
		return domain.KeptText{}, fmt.Errorf("read the text: %w", err)
	}
	text := domain.KeptText{Text: row.Text}
	for _, start := range row.PageStarts {
		text.Pages = append(text.Pages, int(start))
	}
	return text, nil
}

func (s Documents) Chunks(ctx context.Context, d domain.Document, after *ports.ChunkPosition, limit int) ([]ports.StoredChunk, error) {
	if d.Generation == 0 || d.Status == domain.Deleting {
		return nil, nil
	}
	q, workspace := s.queries(ctx)
	p := knowledgedb.ListChunksParams{WorkspaceID: workspace, DocumentID: d.ID, Generation: int32(d.Generation), After: -1, Count: int32(limit)}
	if after != nil {
		p.After = int32(after.Ordinal)
	}
	rows, err := q.ListChunks(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("list the chunks: %w", err)
	}
	list := make([]ports.StoredChunk, len(rows))
	for i, row := range rows {
		list[i] = ports.StoredChunk{ID: row.ID, Ordinal: int(row.Ordinal), Chunk: domain.Chunk{
			Headings: row.Headings, Page: orZero(row.Page), Start: int(row.StartAt), End: int(row.EndAt), Text: row.Text, TableHeader: row.TableHeader,
		}}
	}
	return list, nil
}

func documentError(err error) error {
	if postgres.IsMissing(err) {
		return ports.ErrDocumentNotFound
	}
	return fmt.Errorf("read the document: %w", err)
}

func toDocument(row knowledgedb.Document) domain.Document {
	d := domain.Document{
		ID: row.ID, WorkspaceID: row.WorkspaceID, BaseID: row.BaseID, FileID: row.FileID, Title: row.Title, Metadata: domain.RestoreMetadata(row.Metadata),
		ContentType: row.ContentType, ContentHash: [32]byte(row.ContentHash), Size: row.Size, Status: domain.DocumentStatus(row.Status),
		Stage: (*domain.Stage)(row.Stage), Generation: int(row.Generation), Building: orZero(row.Building),
		Build: domain.BuildOptions{
			Chunks: domain.ChunkOptions{Size: int(row.BuildSize), Overlap: int(row.BuildOverlap)}, Reuse: row.BuildReuse,
		},
		Indexed:    domain.Indexed{Chunks: int(row.Chunks), Characters: int(row.Characters), TextBytes: row.TextBytes, Pages: pointer(row.Pages)},
		ChunksDone: int(row.ChunksDone), ChunksTotal: pointer(row.ChunksTotal), CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt, IndexedAt: row.IndexedAt,
	}
	if row.ErrorCode != nil && row.ErrorMessage != nil {
		d.Error = &domain.BuildError{Code: *row.ErrorCode, Message: *row.ErrorMessage}
	}
	return d
}

func orZero(n *int32) int {
	if n == nil {
		return 0
	}
	return int(*n)
}

func pointer(n *int32) *int {
	if n == nil {
		return nil
	}
	i := int(*n)
	return &i
}
