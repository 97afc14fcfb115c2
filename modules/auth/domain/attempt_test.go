package domain_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/domain"
)

func TestFailuresCountForTheirAccountAndOrigin(t *testing.T) {
	t.Parallel()
	at := func(ip string) domain.Origin { return domain.Origin{Account: "ada@x", IP: netip.MustParseAddr(ip)} }
	require.Equal(t, at("192.0.2.1").Known(), at("192.0.2.200").Known(), "the same /24")
	require.NotEqual(t, at("192.0.2.1").Known(), at("192.0.3.1").Known())
	require.Equal(t, at("2001:db8:1:2::1").Known(), at("2001:db8:1:2:ffff::1").Known(), "the same /64")
	require.NotEqual(t, at("2001:db8:1:2::1").Known(), at("2001:db8:1:3::1").Known())
	require.Equal(t, at("2001:db8:1:2::1").Unknown().Counter, at("2001:db8:1:ffff::1").Unknown().Counter, "a stranger has a whole /48")
	require.NotEqual(t, at("2001:db8:1:2::1").Unknown().Counter, at("2001:db8:2:2::1").Unknown().Counter)
	require.NotEqual(t, at("192.0.2.1").Known().Counter, at("192.0.2.1").Unknown().Counter)
	require.Equal(t, "ada@x", at("192.0.2.1").Unknown().Account)
	require.Empty(t, at("192.0.2.1").Known().Account, "who is known is not delayed by others")

	device := at("192.0.2.1")
	device.Trusted = "device 7"
	require.NotEqual(t, at("192.0.2.1").Known().Counter, device.Known().Counter)
	elsewhere := at("198.51.100.1")
	elsewhere.Trusted = "device 7"
	require.Equal(t, device.Known().Counter, elsewhere.Known().Counter, "a device is one wherever it is")
	require.Empty(t, domain.Network(netip.Addr{}), "nothing to be remembered")
	other := at("192.0.2.1")
	other.Account = "bob@x"
	require.NotEqual(t, at("192.0.2.1").Known().Counter, other.Known().Counter)
}
