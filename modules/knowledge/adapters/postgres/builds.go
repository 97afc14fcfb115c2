package postgres

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/knowledgedb"
	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
)

// sentGeneration is the generation of a text as it was sent with the call.
const sentGeneration = 0

// Builds stores generations of documents that are built. Its methods run in the transaction of the context, or in one of
// their own.
type Builds struct {
	DB    *postgres.DB
	Quota *usage.Quota
}

var (
	_ ports.Builds     = Builds{}
	_ ports.BuiltTexts = Builds{}
	_ ports.Remains    = Builds{}
	_ ports.Quota      = Builds{}
)

func (s Builds) queries(ctx context.Context) (*knowledgedb.Queries, uuid.UUID) {
	return knowledgedb.New(s.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

func (s Builds) Get(ctx context.Context, document uuid.UUID) (ports.Build, error) {
	q, workspace := s.queries(ctx)
	row, err := q.GetBuild(ctx, knowledgedb.GetBuildParams{WorkspaceID: workspace, ID: document})
	if err != nil {
		return ports.Build{}, documentError(err)
	}
	return ports.Build{Document: toDocument(row.Document), Language: row.Language, EmbeddingModel: row.EmbeddingModel, FileName: row.FileName}, nil
}

func (s Builds) Lock(ctx context.Context, document uuid.UUID, generation int, at ...domain.Stage) (done int, current bool, err error) {
	q, workspace := s.queries(ctx)
	row, err := q.LockBuild(ctx, knowledgedb.LockBuildParams{WorkspaceID: workspace, ID: document, Generation: int32(generation)})
	if postgres.IsMissing(err) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, documentError(err)
	}
	return int(row.ChunksDone), slices.Contains(at, domain.Stage(row.Stage)), nil
}

func (s Builds) SetStage(ctx context.Context, document uuid.UUID, status domain.DocumentStatus, stage domain.Stage, chunksTotal *int, now time.Time) error {
	q, workspace := s.queries(ctx)
	name := string(stage)
	p := knowledgedb.SetStageParams{WorkspaceID: workspace, ID: document, Status: string(status), Stage: &name, UpdatedAt: now}
	if chunksTotal != nil {
		total := int32(*chunksTotal)
		p.ChunksTotal = &total
	}
	if err := q.SetStage(ctx, p); err != nil {
		return fmt.Errorf("record the stage of the document: %w", err)
	}
	return nil
}

func (s Builds) Finish(ctx context.Context, document uuid.UUID, generation int, built ports.Built) (domain.Document, bool, error) {
	q, workspace := s.queries(ctx)
	p := knowledgedb.FinishBuildParams{
		WorkspaceID: workspace, ID: document, Generation: int32(generation), Characters: int32(built.Characters), TextBytes: built.TextBytes, At: &built.At,
	}
	if built.Pages > 0 {
		pages := int32(built.Pages)
		p.Pages = &pages
	}
	row, err := q.FinishBuild(ctx, p)
	return changed(row, err)
}

func (s Builds) Fail(ctx context.Context, document uuid.UUID, generation int, e domain.BuildError, now time.Time) (domain.Document, bool, error) {
	q, workspace := s.queries(ctx)
	row, err := q.FailBuild(ctx, knowledgedb.FailBuildParams{
		WorkspaceID: workspace, ID: document, Generation: int32(generation), ErrorCode: e.Code, ErrorMessage: e.Message, UpdatedAt: now,
	})
	return changed(row, err)
}

// changed returns a document that a statement has changed, and false where it found none to change.
func changed(row knowledgedb.Document, err error) (domain.Document, bool, error) {
	if postgres.IsMissing(err) {
		return domain.Document{}, false, nil
	}
	if err != nil {
		return domain.Document{}, false, fmt.Errorf("change the document: %w", err)
	}
	return toDocument(row), true, nil
}

func (s Builds) Sent(ctx context.Context, document uuid.UUID) (string, error) {
	q, workspace := s.queries(ctx)
	row, err := q.GetText(ctx, knowledgedb.GetTextParams{WorkspaceID: workspace, DocumentID: document, Generation: sentGeneration})
	if err != nil {
		return "", fmt.Errorf("read the text that was sent: %w", err)
	}
	return row.Text, nil
}

func (s Builds) Outline(ctx context.Context, document uuid.UUID, generation int) (outline domain.Extracted, found bool, err error) {
	q, workspace := s.queries(ctx)
	packed, err := q.GetOutline(ctx, knowledgedb.GetOutlineParams{WorkspaceID: workspace, DocumentID: document, Generation: int32(generation)})
	if postgres.IsMissing(err) {
		return outline, false, nil
	}
	if err != nil {
		return outline, false, fmt.Errorf("read the outline: %w", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return outline, false, fmt.Errorf("unpack the outline: %w", err)
	}
	raw, err := io.ReadAll(r) // that this program has packed
	if err != nil {
		return outline, false, fmt.Errorf("unpack the outline: %w", err)
	}
	return outline, true, json.Unmarshal(raw, &outline)
}

func (s Builds) StoreText(ctx context.Context, document uuid.UUID, generation int, text domain.KeptText, outline domain.Extracted) error {
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed) // of a level that exists
	if err := json.NewEncoder(w).Encode(outline); err != nil {
		return fmt.Errorf("pack the outline: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("pack the outline: %w", err)
	}
	q, workspace := s.queries(ctx)
	p := knowledgedb.StoreTextParams{WorkspaceID: workspace, DocumentID: document, Generation: int32(generation), Text: text.Text, Outline: packed.Bytes()}
	for _, start := range text.Pages {
		p.PageStarts = append(p.PageStarts, int32(start))
	}
	if err := q.StoreText(ctx, p); err != nil {
		return fmt.Errorf("store the text: %w", err)
	}
	return nil
}

func (s Builds) CopyText(ctx context.Context, document uuid.UUID, generation, from int) error {
	q, workspace := s.queries(ctx)
	p := knowledgedb.CopyTextParams{WorkspaceID: workspace, DocumentID: document, Generation: int32(generation), FromGeneration: int32(from)}
	if err := q.CopyText(ctx, p); err != nil {
		return fmt.Errorf("copy the text: %w", err)
	}
	return nil
}

// storedChunk is a chunk as app.store_chunks takes it.
type storedChunk struct {
	ID           uuid.UUID `json:"id"`
	Ordinal      int       `json:"ordinal"`
	Page         *int      `json:"page"`
	Start        int       `json:"start"`
	End          int       `json:"end"`
	Headings     []string  `json:"headings"`
	TableHeader  string    `json:"table_header"`
	Text         string    `json:"text"`
	HeadingWords string    `json:"heading_words"`
	Words        string    `json:"words"`
}

func (s Builds) StoreChunks(ctx context.Context, b ports.Build, generation, from int, chunks []domain.Chunk, now time.Time) error {
	list := make([]storedChunk, len(chunks))
	for i, c := range chunks {
		list[i] = storedChunk{
			ID: uuid.Must(uuid.NewV7()), Ordinal: from + i, Start: c.Start, End: c.End, Headings: append([]string{}, c.Headings...), TableHeader: c.TableHeader,
			Text: c.Text, HeadingWords: domain.HeadingWords(c), Words: domain.JoinWords(c.Text),
		}
		if c.Page > 0 {
			list[i].Page = &chunks[i].Page
		}
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("encode the chunks: %w", err)
	}
	q, workspace := s.queries(ctx)
	if _, err := q.StoreChunks(ctx, knowledgedb.StoreChunksParams{
		WorkspaceID: workspace, BaseID: b.BaseID, DocumentID: b.ID, Generation: int32(generation), Language: b.Language, List: raw,
	}); err != nil {
		return fmt.Errorf("store the chunks: %w", err)
	}
	p := knowledgedb.SetProgressParams{WorkspaceID: workspace, ID: b.ID, ChunksDone: int32(from + len(chunks)), UpdatedAt: now}
	if err := q.SetProgress(ctx, p); err != nil {
		return fmt.Errorf("record the progress of the document: %w", err)
	}
	return nil
}

// removalBatch is how many chunks are removed in one transaction.
const removalBatch = 200

func (s Builds) RemoveChunks(ctx context.Context, b ports.Build, before int) (more bool, err error) {
	err = s.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := s.queries(ctx)
		n, err := q.RemoveChunks(ctx, knowledgedb.RemoveChunksParams{
			WorkspaceID: workspace, DocumentID: b.ID, Before: int32(before), Language: b.Language, MaxRows: removalBatch,
		})
		more = n == removalBatch
		return err
	})
	if err != nil {
		return false, fmt.Errorf("remove the chunks: %w", err)
	}
	return more, nil
}

func (s Builds) RemoveTexts(ctx context.Context, document uuid.UUID, before int) error {
	return s.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := s.queries(ctx)
		return q.RemoveOldTexts(ctx, knowledgedb.RemoveOldTextsParams{WorkspaceID: workspace, DocumentID: document, Before: int32(before)})
	})
}

func (s Builds) RemoveDocument(ctx context.Context, d domain.Document) error {
	return s.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := s.queries(ctx)
		if err := q.RemoveDocument(ctx, knowledgedb.RemoveDocumentParams{WorkspaceID: workspace, ID: d.ID}); err != nil {
			return err
		}
		return q.RemoveKnowledgeBase(ctx, knowledgedb.RemoveKnowledgeBaseParams{WorkspaceID: workspace, ID: d.BaseID})
	})
}

func (s Builds) ReserveKnowledge(ctx context.Context, document uuid.UUID, chunks int, bytes int64) error {
	q, workspace := s.queries(ctx)
	reached, err := q.ReserveKnowledge(ctx, knowledgedb.ReserveKnowledgeParams{
		WorkspaceID: workspace, DocumentID: document, Chunks: int64(chunks), Bytes: bytes,
		MaxChunks: s.Quota.Limits[usage.Chunks], MaxBytes: s.Quota.Limits[usage.KnowledgeBytes],
	})
	if err != nil {
		return fmt.Errorf("reserve the chunks and bytes of the document: %w", err)
	}
	if len(reached) > 0 {
		r := reached[0]
		return ports.ErrKnowledgeLimit.With("metric", r.Metric).With("limit", r.Most).With("used", r.Used)
	}
	return nil
}
