package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/data/postgres"
)

var _ ports.Retrievals = Retrievals{}

// Retrievals stores what turns have found.
type Retrievals struct{ DB *postgres.DB }

// retrievalRow is a retrieval as it is inserted.
type retrievalRow struct {
	Number     int            `json:"number"`
	Query      string         `json:"query"`
	Mode       string         `json:"mode"`
	Degraded   bool           `json:"degraded"`
	Candidates []candidateRow `json:"candidates"`
	LatencyMS  int64          `json:"latency_ms"`
	CreatedAt  time.Time      `json:"created_at"`
}

// candidateRow is a candidate as it is stored.
type candidateRow struct {
	Number      int       `json:"number,omitempty"`
	BaseID      uuid.UUID `json:"base_id"`
	DocumentID  uuid.UUID `json:"document_id"`
	ChunkID     uuid.UUID `json:"chunk_id"`
	Title       string    `json:"title"`
	Headings    []string  `json:"headings,omitempty"`
	Page        int       `json:"page,omitempty"`
	Pages       []int     `json:"pages,omitempty"`
	Start       int       `json:"start"`
	End         int       `json:"end"`
	Text        string    `json:"text,omitempty"`
	Score       float64   `json:"score"`
	LexicalRank int       `json:"lexical_rank,omitempty"`
	Cosine      *float64  `json:"cosine,omitempty"`
	RerankScore *float64  `json:"rerank_score,omitempty"`
	LeftOut     string    `json:"left_out,omitempty"`
}

func toCandidateRow(c domain.RetrievalCandidate) candidateRow {
	return candidateRow{
		Number: c.Number, BaseID: c.BaseID, DocumentID: c.DocumentID, ChunkID: c.ChunkID, Title: c.Title, Headings: c.Headings,
		Page: c.Page, Pages: c.Pages, Start: c.Start, End: c.End, Text: c.Text,
		Score: c.Score, LexicalRank: c.LexicalRank, Cosine: c.Cosine, RerankScore: c.RerankScore, LeftOut: c.LeftOut,
	}
}

func toCandidate(r candidateRow) domain.RetrievalCandidate {
	return domain.RetrievalCandidate{
		Source: domain.Source{
			Number: r.Number, DocumentID: r.DocumentID, ChunkID: r.ChunkID, Title: r.Title, Headings: r.Headings,
			Page: r.Page, Pages: r.Pages, Start: r.Start, End: r.End, Text: r.Text,
		},
		BaseID: r.BaseID, Score: r.Score, LexicalRank: r.LexicalRank, Cosine: r.Cosine, RerankScore: r.RerankScore, LeftOut: r.LeftOut,
	}
}

func (s Retrievals) Add(ctx context.Context, turn uuid.UUID, all []domain.Retrieval) error {
	documents, seen := []uuid.UUID{}, map[uuid.UUID]bool{}
	list := make([]retrievalRow, len(all))
	for i, r := range all {
		list[i] = retrievalRow{
			Number: r.Number, Query: r.Query, Mode: r.Mode, Degraded: r.Degraded, Candidates: make([]candidateRow, len(r.Candidates)),
			LatencyMS: r.Latency.Milliseconds(), CreatedAt: r.At,
		}
		for n, c := range r.Candidates {
			list[i].Candidates[n] = toCandidateRow(c)
			if !seen[c.DocumentID] {
				documents, seen[c.DocumentID] = append(documents, c.DocumentID), true
			}
		}
	}
	encoded, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("encode the retrievals: %w", err)
	}
	err = s.DB.WriteOnce(ctx, func(ctx context.Context) error {
		q, workspace := queries(ctx, s.DB)
		return q.AddRetrievals(ctx, conversationsdb.AddRetrievalsParams{
			WorkspaceID: workspace, TurnID: turn, Retrievals: encoded, Documents: documents,
		})
	})
	if err != nil {
		return fmt.Errorf("store the retrievals: %w", err)
	}
	return nil
}

func (s Retrievals) List(ctx context.Context, thread, turn uuid.UUID) ([]domain.Retrieval, error) {
	q, workspace := queries(ctx, s.DB)
	rows, err := q.ListRetrievals(ctx, conversationsdb.ListRetrievalsParams{WorkspaceID: workspace, ThreadID: thread, TurnID: turn})
	if err != nil {
		return nil, fmt.Errorf("read the retrievals: %w", err)
	}
	list := make([]domain.Retrieval, len(rows))
	for i, row := range rows {
		var candidates []candidateRow
		if err := json.Unmarshal(row.Candidates, &candidates); err != nil {
			return nil, fmt.Errorf("read the candidates of a retrieval: %w", err)
		}
		list[i] = domain.Retrieval{
			Number: int(row.Number), Query: row.Query, Mode: row.Mode, Degraded: row.Degraded,
			Latency: time.Duration(row.LatencyMs) * time.Millisecond, At: row.CreatedAt,
		}
		for _, c := range candidates {
			list[i].Candidates = append(list[i].Candidates, toCandidate(c))
		}
	}
	return list, nil
}

// citationsRow returns citations as a message has them; nil, which is NULL in SQL, where there are none.
func citationsRow(all []domain.Citation) ([]byte, error) {
	if len(all) == 0 {
		return nil, nil
	}
	row, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("encode the citations: %w", err)
	}
	return row, nil
}

func toCitations(row []byte) (all []domain.Citation, err error) {
	if len(row) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(row, &all); err != nil {
		return nil, fmt.Errorf("read the citations: %w", err)
	}
	return all, nil
}
