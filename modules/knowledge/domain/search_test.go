package domain_test

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/knowledge/domain"
)

func TestAResultIsAtMostThreeChunksOfADocumentAndNeighborsAreOne(t *testing.T) {
	t.Parallel()
	a, b := uuid.New(), uuid.New()
	chunk := func(document uuid.UUID, ordinal int, score float64) domain.Candidate {
		return domain.Candidate{ChunkID: uuid.New(), DocumentID: document, Ordinal: ordinal, Score: score}
	}
	list := []domain.Candidate{chunk(a, 0, 0.9), chunk(a, 5, 0.8), chunk(a, 1, 0.7), chunk(a, 9, 0.6), chunk(b, 0, 0.5), chunk(b, 7, 0.1)}
	groups, left := domain.Select(list, 8, 0.2)
	require.Len(t, groups, 3)
	require.Equal(t, []domain.Candidate{list[0], list[2]}, groups[0].Chunks)
	require.Equal(t, list[0], groups[0].Best)
	require.Equal(t, []domain.LeftOut{{list[3], domain.SameDocument}, {list[5], domain.BelowScore}, {list[2], domain.Joined}}, left)

	groups, left = domain.Select(list[:4], 2, 0)
	require.Len(t, groups, 2, "the only document may have more than three")
	require.Equal(t, []domain.LeftOut{{list[2], domain.Joined}, {list[3], domain.BelowTop}}, left)
	groups, left = domain.Select(nil, 8, 0)
	require.Empty(t, groups)
	require.Empty(t, left)

	between := []domain.Candidate{chunk(a, 0, 0.9), chunk(a, 2, 0.8), chunk(a, 1, 0.7)}
	groups, _ = domain.Select(between, 8, 0)
	require.Len(t, groups, 1, "a chunk between two joins them")
	require.Len(t, groups[0].Chunks, 3)
}

func TestWordsAreComparedWithoutTheirCaseAndAccents(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Re-use /etc/apt_file": "re use etc apt file", "Ёлка, «Чайник»!": "елка чайник", "йод": "йод", "Café ÜBER": "cafe uber", "東京都 2026": "東京 京都 2026",
		"日": "日", "": "", "a1b2 3.14": "a1b2 3 14",
	} {
		require.Equal(t, want, domain.JoinWords(text))
	}
	words := domain.Words("Ada ё 東京都")
	require.Equal(t, domain.Word{Text: "京都", Start: 7, End: 9}, words[3])
}

func TestChunksThatShareTextAreJoinedOnce(t *testing.T) {
	t.Parallel()
	whole, highlights := domain.Join([]domain.FoundChunk{
		{Chunk: domain.Chunk{Start: 0, End: 9, Text: "один два "}, Words: []int{2}},
		{Chunk: domain.Chunk{Start: 5, End: 12, Text: "два три"}, Words: []int{1, 2}},
	})
	require.Equal(t, "один два три", whole.Text)
	require.Equal(t, []domain.Span{{5, 8}, {9, 12}}, highlights)
}

func TestChunksWithSpaceBetweenThemAreNotJoined(t *testing.T) {
	t.Parallel()
	at := func(start, end int) domain.FoundChunk {
		return domain.FoundChunk{Chunk: domain.Chunk{Start: start, End: end}}
	}
	a, b, c, d := at(0, 9), at(5, 12), at(12, 20), at(21, 30)
	require.Equal(t, [][]domain.FoundChunk{{a, b, c}, {d}}, domain.Runs([]domain.FoundChunk{a, b, c, d}))
}

func TestMetadataAndFiltersAreFlat(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{`[]`, `{"a":{}}`, `{"a b":1}`, `{"a":null}`, `{"a":[1]}`, `{"":1}`} {
		_, err := domain.NewMetadata(json.RawMessage(wrong))
		require.ErrorIs(t, err, domain.ErrMetadata, wrong)
	}
	for _, wrong := range []string{`[]`, `{"a":{}}`, `{"a":[]}`, `{"a":[[1]]}`, `{"a":null}`} {
		_, err := domain.NewFilter(json.RawMessage(wrong))
		require.ErrorIs(t, err, domain.ErrFilter, wrong)
	}
	f, err := domain.NewFilter(json.RawMessage(`{"a":1,"b":["x",true]}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"a":[1],"b":["x",true]}`, string(f.JSON()))
}
