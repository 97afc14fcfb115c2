package postgres_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestUUIDsGoThereAndBackInEveryForm(t *testing.T) {
	t.Parallel()
	db := pg.DB(t)
	ctx := t.Context()
	one, two := uuid.New(), uuid.Max
	var plain uuid.UUID
	var pointer, none *uuid.UUID
	var list, empty []uuid.UUID
	var text string
	var anything, nothing any
	row := func(ctx context.Context, sql string, args ...any) interface{ Scan(...any) error } {
		return db.In(ctx).QueryRow(ctx, sql, args...)
	}
	err := row(ctx, "SELECT $1::uuid, $2::uuid, $3::uuid, $4::uuid[], '{}'::uuid[], $1::uuid::text, $1::uuid, $3::uuid", one, &two, (*uuid.UUID)(nil), []uuid.UUID{one, two}).
		Scan(&plain, &pointer, &none, &list, &empty, &text, &anything, &nothing)
	require.NoError(t, err)
	require.Equal(t, one, plain)
	require.Equal(t, &two, pointer)
	require.Nil(t, none)
	require.Equal(t, []uuid.UUID{one, two}, list)
	require.Empty(t, empty)
	require.Equal(t, one.String(), text)
	require.Equal(t, one, anything)
	require.Nil(t, nothing)

	require.NoError(t, row(ctx, "SELECT $1::uuid::text", one.String()).Scan(&text), "as text")
	require.Equal(t, one.String(), text)
	require.Error(t, row(ctx, "SELECT NULL::uuid").Scan(&plain))
	require.Error(t, row(ctx, "SELECT $1::uuid", "no UUID").Scan(&plain))
}
