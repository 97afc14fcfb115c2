package analytics_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/data/analytics"
)

func TestPostgresCountsWhatHappened(t *testing.T) {
	t.Parallel()
	counted(t, func(_ *testing.T, s site) adapter {
		store := analytics.NewPostgres(s.db)
		return adapter{Store: store, interrupt: func(t *testing.T) {
			t.Helper()
			died := errors.New("died before the commit")
			require.ErrorIs(t, s.db.Write(t.Context(), func(ctx context.Context) error {
				_, err := store.Export(ctx, 1000)
				return errors.Join(err, died)
			}), died)
		}}
	})
}
