package secret_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/secret"
)

func TestWhatIsSealedIsOpenedByItsKeyForItsContextAndNothingElse(t *testing.T) {
	t.Parallel()
	box, other := secret.NewBox(bytes.Repeat([]byte{1}, 32)), secret.NewBox(bytes.Repeat([]byte{2}, 32))
	sealed := box.Seal([]byte("whsec_x"), []byte("row 1"))
	require.NotContains(t, string(sealed), "whsec")
	require.NotEqual(t, sealed, box.Seal([]byte("whsec_x"), []byte("row 1")), "the same text looks the same")
	plain, err := box.Open(sealed, []byte("row 1"))
	require.NoError(t, err)
	require.Equal(t, "whsec_x", string(plain))

	_, err = box.Open(sealed, []byte("row 2"))
	require.ErrorIs(t, err, secret.ErrSealed)
	_, err = other.Open(sealed, []byte("row 1"))
	require.ErrorIs(t, err, secret.ErrSealed)
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		_, err := box.Open(changed, []byte("row 1"))
		require.ErrorIs(t, err, secret.ErrSealed, "byte %d", i)
	}
	for _, short := range [][]byte{nil, {}, {1}, sealed[:len(sealed)-1]} {
		_, err := box.Open(short, []byte("row 1"))
		require.ErrorIs(t, err, secret.ErrSealed)
	}
	require.Panics(t, func() { secret.NewBox([]byte("short")) })
}
