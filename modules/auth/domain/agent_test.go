package domain_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/domain"
)

func TestAClientIsDescribedInPlainWords(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"": "",
		"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0":                                                                 "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36":                        "Chrome on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0":          "Edge on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 YaBrowser/25.10.0 Safari/537.36":      "Yandex on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15":                  "Safari on macOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36":    "Samsung-Internet on Android",
		"curl/8.14.1":                 "curl",
		"Go-http-client/1.1":          "Go-http-client",
		"python-requests/2.32.5":      "python-requests",
		"okhttp":                      "okhttp",
		"Mozilla/5.0":                 "",
		"Mozilla/5.0 (X11)":           "Unix",
		"\"><b>x</b>":                 "",
		"../../etc/passwd":            "",
		strings.Repeat("a", 41) + "/": "",
	} {
		require.Equal(t, want, domain.Client{UserAgent: agent}.Agent().String(), agent)
	}
	require.Empty(t, domain.Client{UserAgent: strings.Repeat("(", 600) + " Firefox/145.0"}.Agent().String(), "only the beginning is read")
}

func TestTheNetworkOfAClientIsNotItsAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"203.0.113.7": "203.0.113.0/24", "::ffff:203.0.113.7": "203.0.113.0/24", "2001:db8:1:2:3::4": "2001:db8:1::/48",
	} {
		require.Equal(t, want, domain.Client{IP: netip.MustParseAddr(address)}.Network(), address)
	}
	require.Empty(t, domain.Client{}.Network())
}
