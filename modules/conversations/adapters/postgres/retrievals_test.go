package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/testing/filltest"
)

func TestNoFieldOfACandidateIsForgotten(t *testing.T) {
	t.Parallel()
	candidate := filltest.Fill[domain.RetrievalCandidate](t)
	row := toCandidateRow(candidate)
	filltest.RequireFull(t, row)
	require.Equal(t, candidate, toCandidate(row))
	citation := filltest.Fill[domain.Citation](t)
	raw, err := citationsRow([]domain.Citation{citation})
	require.NoError(t, err)
	again, err := toCitations(raw)
	require.NoError(t, err)
	require.Equal(t, []domain.Citation{citation}, again)
}
