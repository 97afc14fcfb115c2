package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/domain"
)

func TestARecoveryCodeMayBeSpelledInManyWays(t *testing.T) {
	t.Parallel()
	user, seen := uuid.New(), map[string]bool{}
	codes := domain.NewRecoveryCodes()
	require.Len(t, codes, 10)
	for _, code := range codes {
		require.Regexp(t, domain.RecoveryCodeFormat, code)
		require.False(t, domain.IsTOTP(code))
		require.False(t, seen[code], "twice the same")
		seen[code] = true
	}
	const code = "0B1D8G-JMPSVY-24679A-CEFHKN"
	hash := domain.HashOfRecoveryCode(user, code)
	for _, same := range []string{strings.ToLower(code), strings.ReplaceAll(code, "-", ""), "obld8g jmpsvy 24679a cefhkn", "OBID8GJMPSVY-24679ACEFHKN"} {
		require.Equal(t, hash, domain.HashOfRecoveryCode(user, same), same)
	}
	require.NotEqual(t, hash, domain.HashOfRecoveryCode(uuid.New(), code), "of another user")
	require.NotEqual(t, hash, domain.HashOfRecoveryCode(user, code[:26]+"P"))
}

func TestSixDigitsAreACodeOfAnAuthenticator(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{"123456": true, "000000": true, "12345": false, "1234567": false, "12345a": false, "": false, "١٢٣": false} {
		require.Equal(t, want, domain.IsTOTP(code), code)
	}
}

func TestATicketNamesItsUser(t *testing.T) {
	t.Parallel()
	user, now := uuid.New(), time.Now()
	ticket, token := domain.NewTicket(user, uuid.New(), []domain.Method{domain.MethodPassword}, "hash", now)
	require.Regexp(t, `^`+domain.TicketFormat+`$`, token)
	of, ok := domain.TicketUser(token)
	require.True(t, ok)
	require.Equal(t, user, of)
	require.Equal(t, domain.HashOf(token), ticket.TokenHash)
	require.Equal(t, 5*time.Minute, ticket.ExpiresAt.Sub(now))
	_, again := domain.NewTicket(user, uuid.New(), nil, "hash", now)
	require.NotEqual(t, token, again)
	for _, bad := range []string{"", "tkt_", token[:20], token + "A", "x" + token, strings.TrimPrefix(token, "tkt_"), token[:10] + "=" + token[11:]} {
		_, ok := domain.TicketUser(bad)
		require.False(t, ok, bad)
	}
}

// A refresh proves nothing about the user.
func TestARefreshDoesNotAuthenticate(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := domain.NewSession(uuid.New(), uuid.New(), "k", domain.Client{}, time.Hour, now)
	s.Authenticate([]domain.Method{domain.MethodPassword, domain.MethodTOTP}, now)
	require.Equal(t, domain.Rotated, s.Refresh(1, "k", time.Hour, now.Add(20*time.Minute)))
	require.Equal(t, now, s.AuthenticatedAt)
	require.True(t, domain.WithSecondFactor(s.Methods))
	require.False(t, domain.WithSecondFactor([]domain.Method{domain.MethodPassword}))
}
