package operations_test

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/operations"
	"github.com/parley/parley/platform/testing/pgtest"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

func under(t *testing.T, p callctx.Principal, id uuid.UUID, fingerprint byte) context.Context {
	t.Helper()
	return callctx.With(t.Context(), &callctx.Call{Principal: p, Operation: callctx.Operation{ID: id, Fingerprint: bytes.Repeat([]byte{fingerprint}, 32)}})
}

func TestAnOperationIsClaimedOnceAndKeepsItsAnswer(t *testing.T) {
	t.Parallel()
	db := pg.DB(t)
	store, p, id := operations.NewStore(db, secret.NewBox(secret.Keys{{Bytes: make([]byte, 32)}})), callctx.Principal{WorkspaceID: uuid.New(), UserID: uuid.New()}, uuid.New()
	ctx := under(t, p, id, 1)
	record, err := store.Find(ctx)
	require.NoError(t, err)
	require.Nil(t, record)

	require.NoError(t, db.Write(ctx, store.Claim))
	require.True(t, operations.IsClaimed(db.Write(ctx, store.Claim)))
	record, err = store.Find(ctx)
	require.NoError(t, err)
	require.Equal(t, &operations.Record{SameRequest: true}, record)

	for _, answer := range []operations.Answer{
		{Status: 201, ContentType: "application/json", Location: "/x", ETag: `"1"`, Body: []byte("{\"a\": \"\x00\xff\"}\n")},
		{Status: 204, Body: []byte{}}, // nothing of all that
	} {
		require.NoError(t, db.Write(ctx, func(ctx context.Context) error { return store.Finish(ctx, answer) }))
		record, err = store.Find(ctx)
		require.NoError(t, err)
		require.Equal(t, &operations.Record{SameRequest: true, Answer: &answer}, record)
	}
	record, err = store.Find(under(t, p, id, 2))
	require.NoError(t, err)
	require.False(t, record.SameRequest)
	for name, other := range map[string]callctx.Principal{
		"another actor": {WorkspaceID: p.WorkspaceID, UserID: uuid.New()}, "another workspace": {WorkspaceID: uuid.New(), UserID: p.UserID},
	} {
		record, err = store.Find(under(t, other, id, 1))
		require.NoError(t, err)
		require.Nil(t, record, name)
	}
}

func TestAnOperationIsComparedByTheVersionOfItsFingerprint(t *testing.T) {
	t.Parallel()
	db := pg.DB(t)
	store, p := operations.NewStore(db, secret.NewBox(secret.Keys{{Bytes: make([]byte, 32)}})), callctx.Principal{WorkspaceID: uuid.New(), UserID: uuid.New()}
	one, two, other := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{3}, 32)
	at := func(id uuid.UUID, fingerprint, earlier []byte) context.Context {
		return callctx.With(t.Context(), &callctx.Call{Principal: p, Operation: callctx.Operation{ID: id, Fingerprint: fingerprint, Earlier: earlier}})
	}
	same := func(ctx context.Context) bool {
		record, err := store.Find(ctx)
		require.NoError(t, err)
		return record.SameRequest
	}
	before, now := uuid.New(), uuid.New()
	require.NoError(t, db.Write(at(before, one, nil), func(ctx context.Context) error { // as the release before claims
		_, err := db.In(ctx).Exec(ctx, `SELECT app.claim_operation($1, $2, $3, $4)`, p.WorkspaceID, p.UserID, before, one)
		return err
	}))
	require.NoError(t, db.Write(at(now, two, one), store.Claim))
	require.True(t, same(at(before, two, one)))
	require.True(t, same(at(before, one, nil)), "the body was canonical as it came")
	require.False(t, same(at(before, one, other)), "only the fingerprint of its version counts")
	require.False(t, same(at(before, two, nil)))
	require.True(t, same(at(now, two, other)), "another spelling of the same body")
	require.False(t, same(at(now, other, two)))
}
