package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A session is of use for 30 days after its end: its spent refresh tokens tell that they were stolen.
func TestSessionsGoThirtyDaysAfterTheirEnd(t *testing.T) {
	t.Parallel()
	s := setup(t)
	r, _ := s.register(t, "ada@example.com")
	past, old, future := now.AddDate(0, 0, -29), now.AddDate(0, 0, -31), now.AddDate(0, 0, 1)
	kept := 1 // that of the registration
	for i, test := range []struct {
		revoked       *time.Time
		idle, expires time.Time
		kept          bool
	}{
		{nil, future, future, true},
		{&past, future, future, true},
		{nil, past, future, true},
		{nil, future, past, true},
		{&old, future, future, false},
		{nil, old, future, false},
		{&past, future, old, false},
	} {
		for table, key := range map[string]string{"sessions": "workspace_id, ", "account_sessions": ""} {
			values := map[string]string{"sessions": fmt.Sprintf("'%s', ", r.WorkspaceID), "account_sessions": ""}[table]
			_, err := s.su.Exec(t.Context(), `INSERT INTO `+table+` (`+key+`user_id, id, generation, rotated_at, kid, idle_expires_at, expires_at, revoked_at, created_at, user_agent)
				VALUES (`+values+`$1, gen_random_uuid(), 1, now(), 'k', $2, $3, $4, now() - interval '100 days', 'test')`, r.UserID, test.idle, test.expires, test.revoked)
			require.NoError(t, err, i)
			if test.kept {
				kept++
			}
		}
	}
	require.NoError(t, s.sessions.Expire(t.Context()))
	var left int
	require.NoError(t, s.su.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM account_sessions)`).Scan(&left))
	require.Equal(t, kept, left)
}
