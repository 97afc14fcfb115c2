package domain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/domain"
)

func TestASetUpTokenIsValidForADayAndOfItsKey(t *testing.T) {
	t.Parallel()
	key, now := []byte("key"), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	token, until := domain.NewSetUpToken(key, now)
	require.Regexp(t, "^"+domain.SetUpFormat+"$", token)
	require.Equal(t, now.Add(24*time.Hour), until)
	require.True(t, domain.IsSetUpToken(key, token, now))
	require.True(t, domain.IsSetUpToken(key, token, until.Add(-time.Second)))
	require.False(t, domain.IsSetUpToken(key, token, until))
	require.False(t, domain.IsSetUpToken([]byte("other"), token, now))
	later, _ := domain.NewSetUpToken([]byte("other"), now.Add(time.Hour))
	for _, bad := range []string{"", "set_", token[4:], token + "A", token[:len(token)-1], later, token[:10] + "A" + token[11:]} {
		require.False(t, domain.IsSetUpToken(key, bad, now), bad)
	}
}
