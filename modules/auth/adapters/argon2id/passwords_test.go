package argon2id

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

func password(t *testing.T, text string) domain.Password {
	t.Helper()
	p, err := domain.NewPassword(text)
	require.NoError(t, err)
	return p
}

func TestAHashHasTheParametersOfThePromiseAndFitsItsPasswordAlone(t *testing.T) {
	t.Parallel()
	p, err := New()
	require.NoError(t, err)
	hash, err := p.Hash(t.Context(), password(t, "correct horse"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$"), hash)
	again, err := p.Hash(t.Context(), password(t, "correct horse"))
	require.NoError(t, err)
	require.NotEqual(t, hash, again, "no salt")
	for text, want := range map[string]bool{"correct horse": true, "correct horse ": false, "Correct horse": false, "": false} {
		ok, err := p.Verify(t.Context(), text, hash)
		require.NoError(t, err)
		require.Equal(t, want, ok, "%q", text)
	}
	_, err = p.Verify(t.Context(), "x", "no hash")
	require.Error(t, err)
}

// Whether an address is known must not show in the time: nobody's hash is worked through like any other.
func TestNobodysPasswordIsWorkedOnAndFitsNothing(t *testing.T) {
	t.Parallel()
	p, err := New()
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(p.nobody, "$argon2id$v=19$m=19456,t=2,p=1$"), "nobody costs something else")
	for _, text := range []string{"", "nobody's password"} {
		ok, err := p.Verify(t.Context(), text, "")
		require.NoError(t, err)
		require.False(t, ok, text)
	}
	p.nobody = "damaged"
	_, err = p.Verify(t.Context(), "x", "")
	require.Error(t, err, "the hash of nobody is not looked at")
}

func TestTooManyHashesAtOnceAreTurnedAway(t *testing.T) {
	t.Parallel()
	p, err := New()
	require.NoError(t, err)
	secret := password(t, "correct horse")
	p.lanes = &lanes{longest: 0}
	_, err = p.Hash(t.Context(), secret)
	require.ErrorIs(t, err, errBusy)
	require.Equal(t, fail.Unavailable, fail.From(err).Kind)
	require.Positive(t, fail.From(err).RetryAfter)
	p.lanes = &lanes{free: 1}
	for range 2 {
		_, err = p.Hash(t.Context(), secret)
		require.NoError(t, err, "a slot is given back")
	}
}

func TestFewerHashesAtOnceThanCores(t *testing.T) {
	t.Parallel()
	p, err := New()
	require.NoError(t, err)
	require.Equal(t, max(1, runtime.GOMAXPROCS(0)-1), p.lanes.free)
	for range Slots() {
		require.True(t, p.lanes.acquire(t.Context(), unknown))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = p.Verify(ctx, "x", "")
	require.ErrorIs(t, err, errBusy, "whose time is up while it waits")
	require.Zero(t, p.lanes.queued(unknown))
	p.lanes.release()
	_, err = p.Verify(t.Context(), "x", "")
	require.NoError(t, err)
}

func TestSignedInAndKnownCallersDoNotWaitWithUnknownOnes(t *testing.T) {
	t.Parallel()
	at := func(c callctx.Call) lane { return laneOf(callctx.With(t.Context(), &c)) }
	require.Equal(t, unknown, at(callctx.Call{}))
	require.Equal(t, familiar, at(callctx.Call{Familiar: true}))
	require.Equal(t, familiar, at(callctx.Call{Principal: callctx.Principal{UserID: uuid.New()}}))
}
