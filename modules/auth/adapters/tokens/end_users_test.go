package tokens_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/adapters/tokens"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

func TestATokenOfAnEndUserSaysForWhomAndWhichPagesItIs(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	signer, err := tokens.New(tokens.Options{Secret: "0123456789abcdef0123456789abcdef", Issuer: "parley", AccessTTL: time.Minute, Now: func() time.Time { return now }})
	require.NoError(t, err)
	for _, origins := range [][]string{{}, {"https://shop.example.com", "http://localhost:3000"}} {
		token := domain.EndUserToken{
			WorkspaceID: uuid.New(), EndUserID: uuid.New(), KeyID: uuid.New(), BotID: uuid.New(), Origins: origins, IssuedAt: now, ExpiresAt: now.Add(time.Hour),
			Turns: domain.TurnLimits{Minute: len(origins), Day: 2 * len(origins)},
		}
		text, err := signer.EndUser(token)
		require.NoError(t, err)
		p, err := signer.Authenticate(t.Context(), text)
		require.NoError(t, err)
		require.Equal(t, []uuid.UUID{token.WorkspaceID, token.EndUserID, token.EndUserID}, []uuid.UUID{p.WorkspaceID, p.UserID, p.SessionID})
		require.True(t, p.Own)
		require.Equal(t, token.KeyID, p.EndUser.KeyID)
		require.Equal(t, token.BotID, p.EndUser.BotID)
		require.Equal(t, token.Turns, domain.TurnLimits(p.EndUser.Turns))
		require.ElementsMatch(t, origins, p.EndUser.Origins)
		_, err = signer.ReadRefresh(text)
		require.Error(t, err, "taken for a refresh token")

		token.ExpiresAt = now.Add(time.Hour + time.Second)
		text, err = signer.EndUser(token)
		require.NoError(t, err)
		_, err = signer.Authenticate(t.Context(), text)
		require.ErrorIs(t, err, fail.ErrUnauthorized, "longer than any is made")

		token.IssuedAt, token.ExpiresAt = now.Add(-time.Hour), now.Add(-time.Second)
		text, err = signer.EndUser(token)
		require.NoError(t, err)
		p, err = signer.Authenticate(t.Context(), text)
		require.ErrorIs(t, err, fail.ErrUnauthorized)
		require.ElementsMatch(t, origins, p.EndUser.Origins, "its page may read that it has expired")
		p.EndUser = nil
		require.Equal(t, callctx.Principal{}, p)
	}
}
