package secret_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/secret"
)

func TestWhatIsSealedIsOpenedByItsKeyForItsContextAndNothingElse(t *testing.T) {
	t.Parallel()
	box, other := secret.NewBox(keys(1)), secret.NewBox(keys(2))
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
	require.Panics(t, func() { secret.NewBox(secret.Keys{{Bytes: []byte("short")}}) })
}

// keys makes keys with different bytes, the current one first.
func keys(of ...byte) (all secret.Keys) {
	for _, b := range of {
		all = append(all, secret.Key{ID: secret.KeyID{b}, Bytes: bytes.Repeat([]byte{b}, 32)})
	}
	return all
}

func TestWhatAFormerKeyHasSealedIsOpenedAndSealedAnew(t *testing.T) {
	t.Parallel()
	former, both, current := secret.NewBox(keys(1)), secret.NewBox(keys(2, 1)), secret.NewBox(keys(2))
	context := []byte("row 1")
	sealed := former.Seal([]byte("whsec_x"), context)
	_, err := current.Open(sealed, context)
	require.ErrorIs(t, err, secret.ErrUnknownKey)
	require.ErrorIs(t, err, secret.ErrSealed)
	require.ErrorContains(t, err, secret.KeyID{1}.String())
	plain, err := both.Open(sealed, context)
	require.NoError(t, err)
	require.Equal(t, "whsec_x", string(plain))

	again, err := both.Reseal(sealed, context)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(again, both.Mark().Bytes))
	require.True(t, strings.HasPrefix(base64.StdEncoding.EncodeToString(again), both.Mark().Base64), "SQL finds what is to be sealed anew by that")
	plain, err = current.Open(again, context)
	require.NoError(t, err)
	require.Equal(t, "whsec_x", string(plain))
	nothing, err := both.Reseal(again, context)
	require.NoError(t, err)
	require.Nil(t, nothing, "it is sealed with the current key already")
	_, err = current.Reseal(sealed, context)
	require.ErrorIs(t, err, secret.ErrUnknownKey)
}

func TestATextWithoutTheIDOfItsKeyIsReadAndOneIsWrittenForTheReleaseBefore(t *testing.T) {
	t.Parallel()
	master := func(text string) secret.Master {
		m, err := secret.NewMaster(strings.Repeat(text, 32))
		require.NoError(t, err)
		return m
	}
	one := secret.NewRing(master("a"))
	one.IDsFrom = time.Now().Add(time.Hour)
	old := one.Box("p").Seal([]byte("text"), nil)
	require.Equal(t, byte(1), old[0], "a process of the release before reads version 1 only")
	one.IDsFrom = time.Now().Add(-time.Second)
	require.Equal(t, byte(2), one.Box("p").Seal(nil, nil)[0])

	both := secret.NewRing(master("b"), master("a"), master("b"))
	require.Len(t, both.Masters(), 2)
	both.IDsFrom = time.Now().Add(time.Hour)
	require.Equal(t, byte(2), both.Box("p").Seal(nil, nil)[0], "a key is only changed when all processes are of this release")
	plain, err := both.Box("p").Open(old, nil)
	require.NoError(t, err)
	require.Equal(t, "text", string(plain))
	_, err = secret.NewRing(master("b")).Box("p").Open(old, nil)
	require.ErrorIs(t, err, secret.ErrSealed)
}
