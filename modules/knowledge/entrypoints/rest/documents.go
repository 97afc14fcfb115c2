package rest

import (
	"context"
	"encoding/hex"
	"unicode/utf8"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/modules/knowledge/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// AddDocument adds a document to a knowledge base.
func (s Server) AddDocument(ctx context.Context, r AddDocumentRequestObject) (AddDocumentResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		p := callctx.From(ctx).Principal
		d, err := s.AddDoc.Do(ctx, usecases.NewDocument{
			WorkspaceID: p.WorkspaceID, By: p.UserID, BaseID: r.KnowledgeBaseID, FileID: r.Body.FileID, Title: r.Body.Title, Text: r.Body.Text,
			Metadata: r.Body.Metadata,
		})
		location := documentPath(d.BaseID, d.ID)
		return command.Outcome{
			Answer: AddDocument202JSONResponse{Body: toDocument(d), Headers: AddDocument202ResponseHeaders{Location: &location}}.VisitAddDocumentResponse,
			Audit: documentChange("create", d, map[string]any{
				"knowledge_base_id": d.BaseID, "file_id": d.FileID, "title": d.Title, "size": d.Size, "sha256": hex.EncodeToString(d.ContentHash[:]),
			}),
		}, err
	})
	return stored{answer}, err
}

// ListDocuments lists the documents of a knowledge base, newest first.
func (s Server) ListDocuments(ctx context.Context, r ListDocumentsRequestObject) (ListDocumentsResponseObject, error) {
	status := (*domain.DocumentStatus)(r.Params.Status)
	filter := r.KnowledgeBaseID.String()
	if status != nil {
		filter += " " + string(*status)
	}
	p, err := page.List[domain.Document, page.IDPosition]{
		Name: "documents", Filter: filter,
		Read: func(ctx context.Context, after *page.IDPosition, limit int) ([]domain.Document, error) {
			list, err := s.Documents.List(ctx, r.KnowledgeBaseID, status, after.Before(), limit)
			if err != nil || len(list) > 0 {
				return list, err
			}
			_, err = s.Bases.Get(ctx, r.KnowledgeBaseID)
			return nil, err
		},
		Position: func(d domain.Document) page.IDPosition { return page.IDPosition{ID: d.ID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListDocuments200JSONResponse{Items: page.Map(p.Items, toDocument), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// GetDocument returns a document.
func (s Server) GetDocument(ctx context.Context, r GetDocumentRequestObject) (GetDocumentResponseObject, error) {
	d, err := s.Documents.Get(ctx, r.KnowledgeBaseID, r.DocumentID)
	return GetDocument200JSONResponse(toDocument(d)), err
}

// ChangeDocument changes the title or the metadata of a document.
func (s Server) ChangeDocument(ctx context.Context, r ChangeDocumentRequestObject) (ChangeDocumentResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		d, err := s.ChangeDoc.Do(ctx, r.KnowledgeBaseID, r.DocumentID, usecases.DocumentChanges{Title: r.Body.Title, Metadata: r.Body.Metadata})
		changes := map[string]any{}
		if r.Body.Title != nil {
			changes["title"] = d.Title
		}
		if r.Body.Metadata != nil {
			changes["metadata"] = d.Metadata.JSON()
		}
		return command.Outcome{
			Answer: ChangeDocument200JSONResponse(toDocument(d)).VisitChangeDocumentResponse, Audit: documentChange("change", d, changes),
		}, err
	})
	return stored{answer}, err
}

// DeleteDocument deletes a document.
func (s Server) DeleteDocument(ctx context.Context, r DeleteDocumentRequestObject) (DeleteDocumentResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		d, err := s.DeleteDoc.Do(ctx, r.KnowledgeBaseID, r.DocumentID)
		return command.Outcome{
			Answer: DeleteDocument204Response{}.VisitDeleteDocumentResponse,
			Audit:  documentChange("delete", d, map[string]any{"knowledge_base_id": d.BaseID, "title": d.Title}),
		}, err
	})
	return stored{answer}, err
}

// ReindexDocument has a document indexed anew.
func (s Server) ReindexDocument(ctx context.Context, r ReindexDocumentRequestObject) (ReindexDocumentResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		d, err := s.ReindexDoc.Do(ctx, r.KnowledgeBaseID, r.DocumentID)
		return command.Outcome{
			Answer: ReindexDocument202JSONResponse(toDocument(d)).VisitReindexDocumentResponse,
			Audit:  documentChange("reindex", d, map[string]any{"generation": d.Building}),
		}, err
	})
	return stored{answer}, err
}

// GetDocumentText returns the text of a document, or a page of it.
func (s Server) GetDocumentText(ctx context.Context, r GetDocumentTextRequestObject) (GetDocumentTextResponseObject, error) {
	d, err := s.Documents.Get(ctx, r.KnowledgeBaseID, r.DocumentID)
	if err != nil {
		return nil, err
	}
	if d.Status == domain.Deleting {
		return nil, ports.ErrDocumentNotFound // waiting would not help
	}
	text, err := s.Texts.Text(ctx, d)
	if err != nil {
		return nil, err
	}
	answer := DocumentText{DocumentID: d.ID, Text: text.Text, Pages: pageOrNull(len(text.Pages))}
	if r.Params.Page == nil {
		answer.End = utf8.RuneCountInString(text.Text)
		return GetDocumentText200JSONResponse(answer), nil
	}
	n := int(*r.Params.Page)
	part, start, end, ok := text.Page(n)
	if !ok {
		return nil, ports.ErrPageNotFound.With("pages", answer.Pages)
	}
	answer.Text, answer.Start, answer.End, answer.Page = part, start, end, &n
	return GetDocumentText200JSONResponse(answer), nil
}

// ListDocumentChunks lists the chunks of a document in their order.
func (s Server) ListDocumentChunks(ctx context.Context, r ListDocumentChunksRequestObject) (ListDocumentChunksResponseObject, error) {
	d, err := s.Documents.Get(ctx, r.KnowledgeBaseID, r.DocumentID)
	if err != nil {
		return nil, err
	}
	p, err := page.List[ports.StoredChunk, ports.ChunkPosition]{
		Name: "chunks", Filter: r.DocumentID.String(),
		Read: func(ctx context.Context, after *ports.ChunkPosition, limit int) ([]ports.StoredChunk, error) {
			return s.Texts.Chunks(ctx, d, after, limit)
		},
		Position: func(c ports.StoredChunk) ports.ChunkPosition { return ports.ChunkPosition{Ordinal: c.Ordinal} },
		Size:     func(c ports.StoredChunk) int { return len(c.Text) + len(c.TableHeader) },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListDocumentChunks200JSONResponse{Items: page.Map(p.Items, toChunk), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

func documentChange(verb string, d domain.Document, changes map[string]any) audit.Entry {
	return audit.Entry{Action: "document." + verb, Resource: "document", ResourceID: d.ID, Changes: changes}
}

func toDocument(d domain.Document) Document {
	document := Document{
		ID:              d.ID,
		WorkspaceID:     d.WorkspaceID,
		KnowledgeBaseID: d.BaseID,
		FileID:          d.FileID,
		Title:           d.Title,
		Metadata:        d.Metadata.JSON(),
		ContentType:     d.ContentType,
		Size:            d.Size,
		Status:          DocumentStatus(d.Status),
		Stage:           (*string)(d.Stage),
		ChunksDone:      d.ChunksDone,
		ChunksTotal:     d.ChunksTotal,
		Chunks:          d.Chunks,
		Characters:      d.Characters,
		Pages:           d.Pages,
		CreatedBy:       d.CreatedBy,
		CreatedAt:       d.CreatedAt,
		UpdatedAt:       d.UpdatedAt,
		IndexedAt:       d.IndexedAt,
	}
	if d.Error != nil {
		document.Error = &DocumentError{Code: d.Error.Code, Message: d.Error.Message}
	}
	return document
}

func toChunk(c ports.StoredChunk) Chunk {
	return Chunk{
		ID: c.ID, Ordinal: c.Ordinal, Headings: append([]string{}, c.Headings...), Page: pageOrNull(c.Page), Start: c.Start, End: c.End, Text: c.Text,
		TableHeader: orNull(c.TableHeader),
	}
}
