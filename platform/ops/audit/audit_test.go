package audit_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
)

func TestARowSaysWhoDidWhatUnderWhichOperationAndFromWhere(t *testing.T) {
	t.Parallel()
	url := pg.URL(t)
	db, su := pg.Open(t, url), pg.Superuser(t, url)
	c := callctx.Call{
		TraceID: "trace-1", Principal: callctx.Principal{WorkspaceID: uuid.New(), UserID: uuid.New()},
		Operation: callctx.Operation{ID: uuid.New()}, IP: netip.MustParseAddr("2001:db8::1"), UserAgent: "curl",
	}
	ctx, log, resource := callctx.With(t.Context(), &c), audit.NewLog(db), uuid.New()
	require.NoError(t, db.Write(ctx, func(ctx context.Context) error {
		return log.Record(ctx, audit.Entry{Action: "bot.create", Resource: "bot", ResourceID: resource, Changes: map[string]any{"name": "Ada"}})
	}))
	var got [9]string
	require.NoError(t, su.QueryRow(t.Context(), `SELECT workspace_id::text, user_id::text, operation_id::text, trace_id, action, resource_id::text,
		changes->>'name', host(ip), user_agent FROM audit_log`).Scan(&got[0], &got[1], &got[2], &got[3], &got[4], &got[5], &got[6], &got[7], &got[8]))
	require.Equal(t, [9]string{
		c.Principal.WorkspaceID.String(), c.Principal.UserID.String(), c.Operation.ID.String(), "trace-1", "bot.create",
		resource.String(), "Ada", "2001:db8::1", "curl",
	}, got)

	c.IP = netip.Addr{} // unknown
	require.NoError(t, db.Write(ctx, func(ctx context.Context) error { return log.Record(ctx, audit.Entry{Action: "bot.look"}) }))
	var unknown, empty bool
	require.NoError(t, su.QueryRow(t.Context(), "SELECT ip IS NULL, changes = '{}' FROM audit_log WHERE action = 'bot.look'").Scan(&unknown, &empty))
	require.Equal(t, []bool{true, true}, []bool{unknown, empty})
	require.ErrorContains(t, log.Record(ctx, audit.Entry{Action: "x.y", Changes: make(chan int)}), "x.y")
}
