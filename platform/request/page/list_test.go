package page

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// numbers is a list of the numbers from 1 to last.
func numbers(last int64, filter any) List[int64, position] {
	return List[int64, position]{
		Name: "numbers", Filter: filter,
		Read: func(_ context.Context, after *position, limit int) (rows []int64, err error) {
			next := int64(1)
			if after != nil {
				next = after.Seq + 1
			}
			for ; next <= last && len(rows) < limit; next++ {
				rows = append(rows, next)
			}
			return rows, nil
		},
		Position: func(n int64) position { return position{n} },
	}
}

func TestAListIsReadToItsEndPageByPage(t *testing.T) {
	t.Parallel()
	ctx := in(t.Context(), uuid.New())
	var seen []int64
	var cursor *string
	for limit := 2; ; {
		p, err := numbers(5, nil).Page(ctx, key, cursor, &limit)
		require.NoError(t, err)
		seen = append(seen, p.Items...)
		require.Equal(t, p.HasMore, p.NextCursor != nil)
		if cursor = p.NextCursor; cursor == nil {
			break
		}
	}
	require.Equal(t, []int64{1, 2, 3, 4, 5}, seen)
	p, err := numbers(50, nil).Page(ctx, key, nil, nil)
	require.NoError(t, err)
	require.Len(t, p.Items, defaultLimit)
}

func TestAPageOfLargeRowsEndsEarly(t *testing.T) {
	t.Parallel()
	list := numbers(5, nil)
	list.Size = func(int64) int { return MaxBytes/2 + 1 }
	p, err := list.Page(in(t.Context(), uuid.New()), key, nil, nil)
	require.NoError(t, err)
	require.Equal(t, []int64{1}, p.Items)
	require.True(t, p.HasMore)
}

func TestACursorHoldsForOneFilterOnly(t *testing.T) {
	t.Parallel()
	ctx, limit := in(t.Context(), uuid.New()), 1
	type filter struct{ Kind string }
	p, err := numbers(5, filter{"a"}).Page(ctx, key, nil, &limit)
	require.NoError(t, err)
	_, err = numbers(5, filter{"a"}).Page(ctx, key, p.NextCursor, &limit)
	require.NoError(t, err)
	for _, other := range []any{nil, filter{"b"}, "a"} {
		_, err = numbers(5, other).Page(ctx, key, p.NextCursor, &limit)
		require.ErrorIs(t, err, ErrCursor, "%v", other)
	}
	text := `{"Kind":"a"}` // a string is the filter itself, as clients of the release before hold such cursors
	_, err = numbers(5, text).Page(ctx, key, p.NextCursor, &limit)
	require.NoError(t, err)
	_, err = numbers(5, make(chan int)).Page(ctx, key, nil, &limit)
	require.ErrorContains(t, err, "numbers")
	require.False(t, errors.Is(err, ErrCursor) || strings.Contains(err.Error(), "cursor"))
}
