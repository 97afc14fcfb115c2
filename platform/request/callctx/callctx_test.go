package callctx_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/callctx"
)

func TestOutsideOfACallNobodyCalls(t *testing.T) {
	t.Parallel()
	require.Equal(t, callctx.Call{}, *callctx.From(context.Background()))
}

func TestSettlingAndActingAsDoNotChangeTheCallItself(t *testing.T) {
	t.Parallel()
	p := callctx.Principal{WorkspaceID: uuid.New(), UserID: uuid.New(), SessionID: uuid.New()}
	c := callctx.Call{TraceID: "t", Principal: p, Operation: callctx.Operation{ID: uuid.New()}}
	ctx := callctx.With(context.Background(), &c)

	settled := callctx.From(callctx.Trusted(ctx))
	require.Equal(t, uuid.Nil, settled.Principal.SessionID, "the session is not asked again")
	require.Equal(t, []any{"t", p.UserID, p.WorkspaceID, c.Operation}, []any{settled.TraceID, settled.Principal.UserID, settled.Principal.WorkspaceID, settled.Operation})

	workspace, user := uuid.New(), uuid.New()
	as := callctx.From(callctx.As(ctx, workspace, user))
	require.Equal(t, callctx.Principal{WorkspaceID: workspace, UserID: user}, as.Principal)
	require.Equal(t, c.Operation, as.Operation)
	require.Equal(t, p, callctx.From(ctx).Principal)
}
