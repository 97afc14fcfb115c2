package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
)

func TestATurnHasSomethingToSay(t *testing.T) {
	t.Parallel()
	for content, ok := range map[string]bool{"": false, "x": true, strings.Repeat("ü", 50_000): true, strings.Repeat("ü", 50_001): false} {
		_, err := domain.NewTurn(uuid.New(), uuid.New(), uuid.New(), content, time.Minute, time.Now())
		if ok {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, domain.ErrContent)
	}
}

func TestTheAnswerFollowsTheUsersMessage(t *testing.T) {
	t.Parallel()
	now, operation := time.Now(), uuid.New()
	turn, err := domain.NewTurn(uuid.New(), uuid.New(), operation, "Hi", time.Minute, now)
	require.NoError(t, err)
	require.Equal(t, []any{1, now.Add(time.Minute)}, []any{turn.Attempt, turn.LeaseUntil})
	turn.User.Seq = 7
	answer := turn.Answer("Hello", now.Add(time.Second))
	require.Equal(t, []any{int64(8), domain.RoleAssistant, turn.ThreadID, &operation}, []any{answer.Seq, answer.Role, answer.ThreadID, answer.OperationID})
	require.NotEqual(t, turn.User.ID, answer.ID)
}
