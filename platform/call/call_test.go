package call_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/call"
)

func TestOutsideOfACallNobodyCalls(t *testing.T) {
	t.Parallel()
	require.Equal(t, call.Call{}, *call.From(context.Background()))
}

func TestSettlingAndActingAsDoNotChangeTheCallItself(t *testing.T) {
	t.Parallel()
	p := call.Principal{WorkspaceID: uuid.New(), UserID: uuid.New(), SessionID: uuid.New()}
	c := call.Call{TraceID: "t", Principal: p, Operation: call.Operation{ID: uuid.New()}}
	ctx := call.With(context.Background(), &c)

	settled := call.From(call.Trusted(ctx))
	require.Equal(t, uuid.Nil, settled.Principal.SessionID, "the session is not asked again")
	require.Equal(t, []any{"t", p.UserID, p.WorkspaceID, c.Operation}, []any{settled.TraceID, settled.Principal.UserID, settled.Principal.WorkspaceID, settled.Operation})

	workspace, user := uuid.New(), uuid.New()
	as := call.From(call.As(ctx, workspace, user))
	require.Equal(t, call.Principal{WorkspaceID: workspace, UserID: user}, as.Principal)
	require.Equal(t, c.Operation, as.Operation)
	require.Equal(t, p, call.From(ctx).Principal)
}
