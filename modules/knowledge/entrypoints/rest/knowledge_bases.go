package rest

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// CreateKnowledgeBase creates a knowledge base.
func (s Server) CreateKnowledgeBase(ctx context.Context, r CreateKnowledgeBaseRequestObject) (CreateKnowledgeBaseResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		p := callctx.From(ctx).Principal
		base, err := s.CreateBase.Do(ctx, p.WorkspaceID, p.UserID, domain.BaseAttributes{
			Name: &r.Body.Name, Description: r.Body.Description, Language: r.Body.Language, EmbeddingModel: domain.ModelChoice{Chosen: r.Body.EmbeddingModel != nil, Model: r.Body.EmbeddingModel},
			ChunkSize: r.Body.ChunkSize, ChunkOverlap: r.Body.ChunkOverlap,
		})
		location := "/v1/knowledge-bases/" + base.ID.String()
		return command.Outcome{
			Answer: CreateKnowledgeBase201JSONResponse{Body: toBase(base), Headers: CreateKnowledgeBase201ResponseHeaders{Location: &location}}.VisitCreateKnowledgeBaseResponse,
			Audit: baseChange("create", base, map[string]any{
				"name": base.Name, "language": base.Language, "embedding_model": base.EmbeddingModel, "chunk_size": base.Chunks.Size, "chunk_overlap": base.Chunks.Overlap,
			}),
		}, err
	})
	return stored{answer}, err
}

// ListKnowledgeBases lists the knowledge bases of the workspace, newest first.
func (s Server) ListKnowledgeBases(ctx context.Context, r ListKnowledgeBasesRequestObject) (ListKnowledgeBasesResponseObject, error) {
	p, err := page.List[domain.KnowledgeBase, page.IDPosition]{
		Name: "knowledge-bases",
		Read: func(ctx context.Context, after *page.IDPosition, limit int) ([]domain.KnowledgeBase, error) {
			return s.Bases.List(ctx, after.Before(), limit)
		},
		Position: func(b domain.KnowledgeBase) page.IDPosition { return page.IDPosition{ID: b.ID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListKnowledgeBases200JSONResponse{Items: page.Map(p.Items, toBase), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

// GetKnowledgeBase returns a knowledge base.
func (s Server) GetKnowledgeBase(ctx context.Context, r GetKnowledgeBaseRequestObject) (GetKnowledgeBaseResponseObject, error) {
	base, err := s.Bases.Get(ctx, r.KnowledgeBaseID)
	return GetKnowledgeBase200JSONResponse(toBase(base)), err
}

// ChangeKnowledgeBase changes a knowledge base.
func (s Server) ChangeKnowledgeBase(ctx context.Context, r ChangeKnowledgeBaseRequestObject) (ChangeKnowledgeBaseResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		base, err := s.ChangeBase.Do(ctx, r.KnowledgeBaseID, domain.BaseAttributes{
			Name: r.Body.Name, Description: r.Body.Description, EmbeddingModel: toModelChoice(r.Body.EmbeddingModel), ChunkSize: r.Body.ChunkSize, ChunkOverlap: r.Body.ChunkOverlap,
		})
		changes := map[string]any{}
		if r.Body.Name != nil {
			changes["name"] = base.Name
		}
		if r.Body.Description != nil {
			changes["description"] = base.Description
		}
		if r.Body.ChunkSize != nil || r.Body.ChunkOverlap != nil {
			changes["chunk_size"], changes["chunk_overlap"] = base.Chunks.Size, base.Chunks.Overlap
		}
		if len(r.Body.EmbeddingModel) > 0 {
			changes["embedding_model"] = base.EmbeddingModel
		}
		return command.Outcome{
			Answer: ChangeKnowledgeBase200JSONResponse(toBase(base)).VisitChangeKnowledgeBaseResponse, Audit: baseChange("change", base, changes),
		}, err
	})
	return stored{answer}, err
}

// DeleteKnowledgeBase deletes a knowledge base with its documents.
func (s Server) DeleteKnowledgeBase(ctx context.Context, r DeleteKnowledgeBaseRequestObject) (DeleteKnowledgeBaseResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		base, err := s.DeleteBase.Do(ctx, r.KnowledgeBaseID, r.Params.Force != nil && *r.Params.Force)
		return command.Outcome{
			Answer: DeleteKnowledgeBase204Response{}.VisitDeleteKnowledgeBaseResponse, Audit: baseChange("delete", base, map[string]any{"name": base.Name}),
		}, err
	})
	return stored{answer}, err
}

// ReindexKnowledgeBase has all documents of a knowledge base indexed anew.
func (s Server) ReindexKnowledgeBase(ctx context.Context, r ReindexKnowledgeBaseRequestObject) (ReindexKnowledgeBaseResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		base, err := s.ReindexBase.Do(ctx, r.KnowledgeBaseID)
		return command.Outcome{
			Answer: ReindexKnowledgeBase202JSONResponse(toBase(base)).VisitReindexKnowledgeBaseResponse, Audit: baseChange("reindex", base, map[string]any{}),
		}, err
	})
	return stored{answer}, err
}

// toModelChoice reads a field that may be missing, null, or a text, as the contract has checked.
func toModelChoice(raw json.RawMessage) domain.ModelChoice {
	c := domain.ModelChoice{Chosen: len(raw) > 0}
	if c.Chosen {
		_ = json.Unmarshal(raw, &c.Model) // it is a text or null
	}
	return c
}

func baseChange(verb string, b domain.KnowledgeBase, changes map[string]any) audit.Entry {
	return audit.Entry{Action: "knowledge_base." + verb, Resource: "knowledge_base", ResourceID: b.ID, Changes: changes}
}

func toBase(b domain.KnowledgeBase) KnowledgeBase {
	return KnowledgeBase{
		ID:             b.ID,
		WorkspaceID:    b.WorkspaceID,
		Name:           b.Name,
		Description:    b.Description,
		Language:       b.Language,
		EmbeddingModel: b.EmbeddingModel,
		ChunkSize:      b.Chunks.Size,
		ChunkOverlap:   b.Chunks.Overlap,
		Documents: DocumentCounts{
			Total: b.Documents(), Queued: b.Counts[domain.Queued], Extracting: b.Counts[domain.Extracting], Chunking: b.Counts[domain.Chunking],
			Embedding: b.Counts[domain.Embedding], Ready: b.Counts[domain.Ready], Failed: b.Counts[domain.Failed], Deleting: b.Counts[domain.Deleting],
		},
		Chunks:    b.ChunkCount,
		CreatedBy: b.CreatedBy,
		CreatedAt: b.CreatedAt,
		UpdatedAt: b.UpdatedAt,
	}
}

// orNull returns nil for an empty text.
func orNull(s string) *string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	return &s
}

// pageOrNull returns nil for 0: there is no such number.
func pageOrNull(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// documentPath returns the path of a document.
func documentPath(base, document uuid.UUID) string {
	return "/v1/knowledge-bases/" + base.String() + "/documents/" + document.String()
}
