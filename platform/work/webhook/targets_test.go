package webhook_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/parley/parley/platform/work/webhook"
)

// resolving returns a resolver for which every name has the addresses that answer returns for the nth question for IPv4
// addresses, and no others.
func resolving(t *testing.T, answer func(n int) []string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	var asked atomic.Int64
	go func() {
		for buffer := make([]byte, 1500); ; {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				for _, text := range answer(int(asked.Add(1))) {
					m.Answers = append(m.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
						Body:   &dnsmessage.AResource{A: netip.MustParseAddr(text).As4()},
					})
				}
			}
			if packed, err := m.Pack(); err == nil {
				_, _ = server.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

func TestOnOneMachineOnlyItsLoopbackAddressesAreCalledToo(t *testing.T) {
	t.Parallel()
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(target.Close)
	_, port, err := net.SplitHostPort(target.Listener.Addr().String())
	require.NoError(t, err)
	client := webhook.NewClient(webhook.LoopbackTargets)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		url := "http://" + host + ":" + port + "/"
		require.NoError(t, webhook.CheckURL(url, webhook.LoopbackTargets), url)
		require.Error(t, webhook.CheckURL(url, webhook.PublicTargets), url)
		_, err := webhook.Deliver(t.Context(), client, url, http.Header{}, nil)
		require.NoError(t, err, url)
	}
	for _, url := range []string{"http://127.8.8.8/", "http://[::1]:9/", "https://127.0.0.1/", "https://localhost:9/", "https://example.com/", "https://8.8.8.8/"} {
		require.NoError(t, webhook.CheckURL(url, webhook.LoopbackTargets), url)
	}
	for _, host := range []string{
		"0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "168.63.129.16", "[::]", "[fd12::1]", "[fe80::1]",
		"[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]",
	} {
		for _, scheme := range []string{"http", "https"} {
			require.Error(t, webhook.CheckURL(scheme+"://"+host+"/", webhook.LoopbackTargets), host)
			_, err := webhook.Deliver(t.Context(), client, scheme+"://"+host+":"+port+"/", http.Header{}, nil)
			require.Regexp(t, "^(the address is not public|by http only loopback addresses .*)$", err, scheme+host)
		}
	}
	require.EqualError(t, webhook.CheckURL("http://8.8.8.8/", webhook.LoopbackTargets), "must be https, or lead to a loopback address of the server's machine")
	_, err = webhook.Deliver(t.Context(), client, "http://8.8.8.8/", http.Header{}, nil)
	require.EqualError(t, err, "by http only loopback addresses of the server's machine can be called")
}

func TestANameLeadsToLoopbackAddressesOnlyIfItHasNoOthers(t *testing.T) {
	t.Parallel()
	reached := atomic.Int64{}
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(target.Close)
	_, port, err := net.SplitHostPort(target.Listener.Addr().String())
	require.NoError(t, err)
	url := "http://chat.example.test:" + port + "/"
	for name, test := range map[string]struct {
		answer func(n int) []string
		err    string
	}{
		"loopback":                {func(int) []string { return []string{"127.0.0.1"} }, ""},
		"several":                 {func(int) []string { return []string{"127.0.0.1", "127.0.0.2"} }, ""},
		"loopback and private":    {func(int) []string { return []string{"127.0.0.1", "10.0.0.1"} }, "by http only loopback"},
		"loopback and public":     {func(int) []string { return []string{"127.0.0.1", "8.8.8.8"} }, "by http only loopback"},
		"loopback, then private":  {changing("127.0.0.1", "10.0.0.1"), "by http only loopback"},
		"loopback, then metadata": {changing("127.0.0.1", "169.254.169.254"), "by http only loopback"},
		"private, then loopback":  {changing("10.0.0.1", "127.0.0.1"), "by http only loopback"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := webhook.Deliver(t.Context(), webhook.NewClientOf(webhook.LoopbackTargets, resolving(t, test.answer)), url, http.Header{}, nil)
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.err)
		})
	}
	require.EqualValues(t, 2, reached.Load())
	secure := strings.Replace(url, "http:", "https:", 1)
	for _, answer := range []func(int) []string{
		changing("127.0.0.1", "10.0.0.1"), changing("8.8.8.8", "10.0.0.1"), changing("8.8.8.8", "127.0.0.1"),
		func(int) []string { return []string{"10.0.0.1", "10.0.0.2"} },
	} {
		_, err := webhook.Deliver(t.Context(), webhook.NewClientOf(webhook.LoopbackTargets, resolving(t, answer)), secure, http.Header{}, nil)
		require.Regexp(t, "^(the address is not public|by http only loopback addresses .*)$", err)
	}
	_, err = webhook.Deliver(t.Context(), webhook.NewClientOf(webhook.PublicTargets, resolving(t, changing("127.0.0.1", "127.0.0.1"))), url, http.Header{}, nil)
	require.EqualError(t, err, "the address is not public")
	require.EqualValues(t, 2, reached.Load())
}

// changing answers the first question with one address and later ones with another.
func changing(first, later string) func(int) []string {
	return func(n int) []string {
		if n == 1 {
			return []string{first}
		}
		return []string{later}
	}
}

func TestALoopbackTargetRedirectsNowhere(t *testing.T) {
	t.Parallel()
	for _, location := range []string{"http://10.0.0.1/", "http://169.254.169.254/latest/meta-data", "https://example.com/"} {
		from := httptest.NewServer(http.RedirectHandler(location, http.StatusTemporaryRedirect))
		t.Cleanup(from.Close)
		_, err := webhook.Deliver(t.Context(), webhook.NewClient(webhook.LoopbackTargets), from.URL, http.Header{}, nil)
		require.EqualError(t, err, "it answered 307")
	}
}
