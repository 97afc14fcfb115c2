package domain_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/knowledge/domain"
)

func candidate(n byte, lexicalRank int, cosine float64) domain.Candidate {
	c := domain.Candidate{ChunkID: uuid.UUID{15: n}, BaseID: uuid.UUID{1}, LexicalRank: lexicalRank}
	if cosine != 0 {
		c.Cosine = &cosine
	}
	return c
}

func numbers(list []domain.Candidate) (n []byte) {
	for _, c := range list {
		n = append(n, c.ChunkID[15])
	}
	return n
}

func TestWhatIsHighInBothSearchesComesFirst(t *testing.T) {
	t.Parallel()
	fused := domain.Fuse(
		[]domain.Candidate{candidate(1, 1, 0), candidate(2, 2, 0), candidate(3, 3, 0)},
		[]domain.Candidate{candidate(2, 0, 0.9), candidate(4, 0, 0.8), candidate(1, 0, 0.7)},
	)
	require.Equal(t, []byte{2, 1, 4, 3}, numbers(fused))
	require.InDelta(t, 61.0/2*(1.0/62+1.0/61), fused[0].Score, 1e-9, "1/(60+rank) of both, so that the first of both has 1")
	require.Equal(t, []any{2, 0.9}, []any{fused[0].LexicalRank, *fused[0].Cosine})
	require.Nil(t, fused[3].Cosine)
	require.Zero(t, fused[2].LexicalRank)
	one := domain.Fuse([]domain.Candidate{candidate(1, 1, 0)}, []domain.Candidate{candidate(1, 0, 0.5)})
	require.InDelta(t, 1, one[0].Score, 1e-9)
	require.Empty(t, domain.Fuse(nil, nil))
}

func TestTheLeastScoreIsThatOfTheCosineWhereABaseHasEmbeddings(t *testing.T) {
	t.Parallel()
	plain := candidate(4, 1, 0)
	plain.BaseID = uuid.UUID{2}
	all := []domain.Candidate{candidate(1, 1, 0.9), candidate(2, 2, 0.3), candidate(3, 3, 0), plain}
	embedded := map[uuid.UUID]bool{{1}: true}
	kept, left := domain.AboveCosine(all, 0.5, embedded)
	require.Equal(t, []byte{1, 4}, numbers(kept))
	require.Len(t, left, 2)
	require.Equal(t, domain.BelowScore, left[0].Reason)
	kept, left = domain.AboveCosine(all, 0, embedded)
	require.Len(t, kept, 4)
	require.Empty(t, left)
}

func TestListsWhoseScoresDoNotCompareTakeTurns(t *testing.T) {
	t.Parallel()
	candidate := func(n byte, score float64) domain.Candidate {
		return domain.Candidate{ChunkID: uuid.UUID{15: n}, Score: score}
	}
	all := domain.Interleave([][]domain.Candidate{{candidate(1, 0.5), candidate(2, 0.4), candidate(3, 0.3)}, {candidate(4, 0.9), candidate(5, 0.1)}, nil})
	require.Equal(t, []domain.Candidate{candidate(1, 0.5), candidate(4, 0.5), candidate(2, 0.4), candidate(5, 0.1), candidate(3, 0.1)}, all)
	require.Empty(t, domain.Interleave(nil))
}
