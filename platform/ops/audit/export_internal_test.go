package audit

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/fail"
)

// busyLog has full pages, and returns an error before each page but the first.
type busyLog struct {
	pages, calls int
	before       error
}

func (l *busyLog) List(_ context.Context, _ Filter, after *Position, limit int) ([]Row, error) {
	l.calls++
	if after != nil && l.calls%2 == 0 {
		return nil, l.before
	}
	if l.pages == 0 {
		return nil, nil
	}
	l.pages--
	rows := make([]Row, limit)
	for i := range rows {
		rows[i].ID = uuid.New()
	}
	return rows, nil
}

func count(t *testing.T, l *busyLog) (n int, last error) {
	t.Helper()
	rows, err := lister(l.List).export(t.Context(), Filter{})
	require.NoError(t, err)
	for _, err := range rows {
		if err != nil {
			last = err
			continue
		}
		n++
	}
	return n, last
}

func TestAnExportWaitsWhileTooManyReadsAreRunning(t *testing.T) {
	t.Parallel()
	n, err := count(t, &busyLog{pages: 2, before: fail.ErrTooManyReads})
	require.NoError(t, err)
	require.Equal(t, 1000, n)
}

func TestAnExportEndsWithTheErrorOfAPage(t *testing.T) {
	t.Parallel()
	broken := errors.New("the database has gone")
	n, err := count(t, &busyLog{pages: 2, before: broken})
	require.ErrorIs(t, err, broken)
	require.Equal(t, 500, n)
}
