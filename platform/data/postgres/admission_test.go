package postgres_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// Refused says of many calls in one round trip what the entry says of each: whoever is refused there, and nobody else.
func TestManyCallsAreRefusedForWhatTheEntryRefusesEachFor(t *testing.T) {
	t.Parallel()
	s := setup(t, 1)
	user, deleted := uuid.New(), uuid.New()
	exec := func(sql string, args ...any) {
		_, err := s.su.Exec(t.Context(), sql, args...)
		require.NoError(t, err, sql)
	}
	exec(`INSERT INTO users (id, email, password_hash, operation_id, created_at) VALUES ($1, $2, 'x', gen_random_uuid(), now())`, user, user.String()+"@example.com")
	exec(`INSERT INTO workspaces (id, name, created_at, deleted_at) VALUES ($1, 'D', now(), now())`, deleted)
	exec(`INSERT INTO workspace_members VALUES ($1, $3, 'viewer', now()), ($2, $3, 'owner', now())`, s.aID, deleted, user)
	session := func(state string) uuid.UUID {
		id := uuid.New()
		exec(`INSERT INTO sessions (workspace_id, id, user_id, generation, kid, rotated_at, idle_expires_at, expires_at, created_at, user_agent)
			VALUES ($1, $2, $3, 1, 'k', now(), now() + interval '1 h', now() + interval '1 h', now(), '')`, s.aID, id, user)
		if state != "" {
			exec(`UPDATE sessions SET `+state+` WHERE id = $1`, id)
		}
		return id
	}
	key := func(state string) uuid.UUID {
		id := uuid.New()
		exec(`INSERT INTO api_keys (workspace_id, id, name, hash, hint, role, created_by, created_at)
			VALUES ($1, $2, 'x', $3, 'x', 'viewer', $4, now())`, s.aID, id, append(id[:], id[:]...), user)
		if state != "" {
			exec(`UPDATE api_keys SET `+state+` WHERE id = $1`, id)
		}
		return id
	}
	reader, editor := callctx.Needs{Roles: []string{"editor", "viewer"}, Keys: callctx.AnyKey}, callctx.Needs{Roles: []string{"editor"}, Keys: callctx.AnyKey}
	person := func(session, workspace uuid.UUID, needs callctx.Needs) *callctx.Call {
		return &callctx.Call{Principal: callctx.Principal{WorkspaceID: workspace, UserID: user, SessionID: session, HomeID: s.aID}, Needs: needs}
	}
	program := func(key, workspace uuid.UUID, needs callctx.Needs) *callctx.Call {
		return &callctx.Call{Principal: callctx.Principal{WorkspaceID: workspace, UserID: key, KeyID: key, SessionID: key}, Needs: needs}
	}
	owner := callctx.Needs{Roles: []string{"owner"}}
	late := owner
	late.Deleted = true
	tests := []struct {
		call *callctx.Call
		want error
	}{
		{person(session(""), s.aID, reader), nil},
		{person(session(""), s.aID, callctx.Needs{}), nil},
		{person(session("revoked_at = now()"), s.aID, reader), fail.ErrUnauthorized},
		{person(session("idle_expires_at = now()"), s.aID, reader), fail.ErrUnauthorized},
		{&callctx.Call{Principal: callctx.Principal{WorkspaceID: s.aID, UserID: uuid.New(), SessionID: session(""), HomeID: s.aID}, Needs: reader}, fail.ErrUnauthorized},
		{person(uuid.New(), s.aID, reader), fail.ErrUnauthorized},
		{person(session(""), s.bID, reader), fail.ErrForbidden},
		{&callctx.Call{Principal: callctx.Principal{WorkspaceID: s.aID, UserID: user, SessionID: session(""), HomeID: s.bID}, Needs: reader}, fail.ErrUnauthorized},
		{person(session(""), s.aID, editor), fail.ErrNotAllowed},
		{person(session(""), deleted, owner), fail.ErrDeleted},
		{person(session(""), deleted, late), nil},
		{program(key(""), s.aID, reader), nil},
		{program(key("revoked_at = now()"), s.aID, reader), fail.ErrUnauthorized},
		{program(key("expires_at = now()"), s.aID, reader), fail.ErrUnauthorized},
		{program(key("suspended_at = now()"), s.aID, reader), fail.ErrSuspended},
		{program(key(""), s.bID, reader), fail.ErrUnauthorized},
		{program(key(""), s.aID, editor), fail.ErrNotAllowed},
		{program(key(""), s.aID, callctx.Needs{Roles: reader.Roles}), fail.ErrNotForKey},
		{program(key("bot_ids = ARRAY[gen_random_uuid()]"), s.aID, callctx.Needs{Roles: reader.Roles, Keys: callctx.WholeKey}), fail.ErrNotForKey},
		{callctx.From(s.a), nil},
	}
	calls := make([]*callctx.Call, len(tests))
	for i, test := range tests {
		calls[i] = test.call
	}
	s.trips.take()
	refused, err := s.db.Refused(t.Context(), calls)
	require.NoError(t, err)
	batches, queries := s.trips.take()
	require.Equal(t, 1, batches+queries, "round trips")
	for i, test := range tests {
		entry := s.db.Admitted(callctx.With(t.Context(), test.call))
		if test.want == nil {
			require.NoError(t, entry, i)
			require.NoError(t, refused[i], i)
			continue
		}
		require.ErrorIs(t, entry, test.want, i)
		require.ErrorIs(t, refused[i], test.want, i)
	}
	// A reason that this program does not know is a refusal of that caller, and of nobody else.
	exec(`CREATE OR REPLACE FUNCTION app.enter_key(key uuid, workspace uuid, roles text[], may text) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'it is too late' USING ERRCODE = 'PYNEW'; END $$`)
	refused, err = s.db.Refused(t.Context(), []*callctx.Call{calls[0], program(key(""), s.aID, reader), calls[1]})
	require.NoError(t, err)
	require.NoError(t, refused[0])
	require.ErrorIs(t, refused[1], fail.ErrUnauthorized)
	require.NoError(t, refused[2])
	exec(`CREATE OR REPLACE FUNCTION app.enter_key(key uuid, workspace uuid, roles text[], may text) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN PERFORM 1 / 0; RETURN ''; END $$`)
	_, err = s.db.Refused(t.Context(), []*callctx.Call{program(key(""), s.aID, reader)})
	require.Error(t, err, "what is no refusal ends nobody's right")
	require.Empty(t, s.seen(t, context.WithoutCancel(t.Context())), "a caller's tenant is left behind")
}
