package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/knowledgedb"
	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// Search finds chunks by their words.
type Search struct{ DB *postgres.DB }

var (
	_ ports.Searcher   = Search{}
	_ ports.BaseReader = Search{}
	_ ports.BaseHolder = Search{}
)

// Limits of a search.
const (
	maxSearchWords = 12   // that have a weight
	maxSeenChunks  = 1000 // with the rarest words, whose scores are computed: more take longer and find nothing better
)

func (s Search) Find(ctx context.Context, ids []uuid.UUID, limit int) ([]domain.KnowledgeBase, error) {
	if ids == nil {
		ids = []uuid.UUID{}
	}
	rows, err := knowledgedb.New(s.DB.InPipeline(ctx)).FindKnowledgeBases(ctx, knowledgedb.FindKnowledgeBasesParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Ids: ids, Count: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("read the knowledge bases: %w", err)
	}
	found := make(map[uuid.UUID]bool, len(rows))
	list := make([]domain.KnowledgeBase, len(rows))
	for i, row := range rows {
		list[i], found[row.ID] = toBase(row), true
	}
	for _, id := range ids {
		if !found[id] {
			return nil, ports.ErrBaseNotFound
		}
	}
	return list, nil
}

// Hold returns those of the bases that are there. Nobody deletes them until the end of the transaction.
func (s Search) Hold(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error) {
	there, err := knowledgedb.New(s.DB.In(ctx)).ShareKnowledgeBases(ctx, knowledgedb.ShareKnowledgeBasesParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Ids: ids,
	})
	if err != nil {
		return nil, fmt.Errorf("hold the knowledge bases: %w", err)
	}
	return there, nil
}

// HoldOfBot keeps the bases that a bot names from being deleted until the end of the transaction.
func (s Search) HoldOfBot(ctx context.Context, bot uuid.UUID) error {
	_, err := knowledgedb.New(s.DB.In(ctx)).ShareKnowledgeBasesOfBot(ctx, knowledgedb.ShareKnowledgeBasesOfBotParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, BotID: bot,
	})
	if err != nil {
		return fmt.Errorf("hold the knowledge bases of the bot: %w", err)
	}
	return nil
}

func (s Search) Lexical(
	ctx context.Context, language, query string, bases []uuid.UUID, f domain.Filter, limit int,
) (words []domain.SearchWord, list []domain.Candidate, err error) {
	rows, err := knowledgedb.New(s.DB.InList(ctx)).SearchChunks(ctx, knowledgedb.SearchChunksParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Language: language, Words: query, MaxWords: maxSearchWords,
		Bases: bases, Filter: f.JSON(), MaxSeen: maxSeenChunks, MaxRows: int32(limit),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("search the chunks: %w", err)
	}
	for _, row := range rows {
		if row.IsWord {
			words = append(words, domain.SearchWord{Word: row.Word, InsteadOf: row.InsteadOf, Chunks: int(row.Chunks), Weight: float64(row.Score)})
			continue
		}
		list = append(list, domain.Candidate{
			ChunkID: row.ID, DocumentID: row.DocumentID, BaseID: row.BaseID, Ordinal: int(row.Ordinal), Title: row.Title, Score: float64(row.Score),
		})
	}
	return words, list, nil
}

func (s Search) Readable(ctx context.Context, bases []uuid.UUID, words []domain.SearchWord) ([]domain.SearchWord, error) {
	p := knowledgedb.ReadableWordsParams{Bases: bases}
	for _, w := range words {
		p.Words, p.Counts = append(p.Words, w.Word), append(p.Counts, int32(w.Chunks))
	}
	if len(words) == 0 {
		return nil, nil
	}
	rows, err := knowledgedb.New(s.DB.In(ctx)).ReadableWords(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("read which words may be shown: %w", err)
	}
	chunks := make(map[string]int, len(rows))
	for _, row := range rows {
		chunks[row.Word] = int(row.Chunks)
	}
	var readable []domain.SearchWord
	for _, w := range words {
		if n, ok := chunks[w.Word]; ok {
			w.Chunks = n
			readable = append(readable, w)
		}
	}
	return readable, nil
}

func (s Search) Read(ctx context.Context, ids []uuid.UUID, words []domain.SearchWord) (map[uuid.UUID]domain.FoundChunk, error) {
	stems := make([]string, len(words))
	for i, w := range words {
		stems[i] = w.Word
	}
	rows, err := knowledgedb.New(s.DB.In(ctx)).ReadFoundChunks(ctx, knowledgedb.ReadFoundChunksParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Ids: ids, Stems: stems,
	})
	if err != nil {
		return nil, fmt.Errorf("read the chunks that were found: %w", err)
	}
	found := make(map[uuid.UUID]domain.FoundChunk, len(rows))
	for _, row := range rows {
		c := domain.FoundChunk{ID: row.ID, Chunk: domain.Chunk{
			Headings: row.Headings, Page: orZero(row.Page), Start: int(row.StartAt), End: int(row.EndAt), Text: row.Text, TableHeader: row.TableHeader,
		}}
		for _, n := range row.Words {
			c.Words = append(c.Words, int(n))
		}
		found[row.ID] = c
	}
	return found, nil
}

// PageStarts returns where the pages of documents begin.
func (s Search) PageStarts(ctx context.Context, documents []uuid.UUID) (map[uuid.UUID][]int, error) {
	rows, err := knowledgedb.New(s.DB.InPipeline(ctx)).ListPageStarts(ctx, knowledgedb.ListPageStartsParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, Ids: documents,
	})
	if err != nil {
		return nil, fmt.Errorf("read where pages begin: %w", err)
	}
	starts := make(map[uuid.UUID][]int, len(rows))
	for _, row := range rows {
		for _, start := range row.PageStarts {
			starts[row.DocumentID] = append(starts[row.DocumentID], int(start))
		}
	}
	return starts, nil
}
