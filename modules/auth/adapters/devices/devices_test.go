package devices_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/adapters/devices"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/platform/ops/secret"
)

func TestADeviceTokenIsGoodForItsAccountPasswordAndTime(t *testing.T) {
	t.Parallel()
	now := time.Now()
	d := devices.Devices{Keys: secret.Keys{{Bytes: bytes.Repeat([]byte{7}, 32)}}, Now: func() time.Time { return now }}
	user := uuid.New()
	token := d.Issue(user, "hash", "")
	require.True(t, strings.HasPrefix(token, "dev_"), token)
	name := d.Trusted(token, user, "hash")
	require.True(t, strings.HasPrefix(name, "device "), name)
	require.Equal(t, name, d.Trusted(d.Issue(user, "hash", token), user, "hash"), "a device stays itself")
	require.NotEqual(t, name, d.Trusted(d.Issue(user, "hash", ""), user, "hash"))
	require.NotEqual(t, name, d.Trusted(d.Issue(user, "another hash", token), user, "another hash"), "what is not trusted lends no name")

	require.Empty(t, d.Trusted(token, uuid.New(), "hash"), "another account")
	require.Empty(t, d.Trusted(token, user, "another hash"), "the password was changed")
	require.Empty(t, d.Trusted(token, uuid.Nil, ""), "nobody's account")
	require.Empty(t, devices.Devices{Keys: secret.Keys{{Bytes: bytes.Repeat([]byte{8}, 32)}}, Now: d.Now}.Trusted(token, user, "hash"), "another key")
	changed := devices.Devices{Keys: secret.Keys{{Bytes: bytes.Repeat([]byte{8}, 32)}, d.Keys[0]}, Now: d.Now}
	require.Equal(t, d.Trusted(token, user, "hash"), changed.Trusted(token, user, "hash"), "a former key")
	raw, err := base64.RawURLEncoding.DecodeString(token[4:])
	require.NoError(t, err)
	for i := range raw {
		forged := bytes.Clone(raw)
		forged[i] ^= 1
		require.Empty(t, d.Trusted("dev_"+base64.RawURLEncoding.EncodeToString(forged), user, "hash"), "byte %d", i)
	}
	for _, text := range []string{"", "dev_", token[4:], token + "A", token[:len(token)-1], strings.ToUpper(token), strings.Repeat("dev_", 1000)} {
		require.Empty(t, d.Trusted(text, user, "hash"), text)
	}
	now = now.Add(domain.DeviceLife - time.Second)
	require.Equal(t, name, d.Trusted(token, user, "hash"))
	now = now.Add(2 * time.Second)
	require.Empty(t, d.Trusted(token, user, "hash"), "too old")
	device, ok := d.Read(token)
	require.False(t, ok)
	require.Equal(t, user, device.UserID)
}
