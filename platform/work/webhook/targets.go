package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
)

// Targets says which addresses URLs that tenants choose may lead to.
type Targets int

const (
	// PublicTargets allows the addresses of the public internet, by https.
	PublicTargets Targets = iota
	// LoopbackTargets also allows loopback addresses, and names that have no others, by https and by http. It is for
	// development on one machine: whoever can create targets reaches the programs that listen there.
	LoopbackTargets
	// AnyTargets allows every address, by https and by http. Tenants then reach into the operator's network.
	AnyTargets
)

// The reasons why nothing is connected to.
var (
	errNotPublic   = errors.New("the address is not public")
	errNotLoopback = errors.New("by http only loopback addresses of the server's machine can be called")
)

// isLoopback reports whether an address is in 127.0.0.0/8 or is ::1.
func isLoopback(a netip.Addr) bool { return a.IsLoopback() && !a.Is4In6() && a.Zone() == "" }

// allow returns a dialer that connects to allowed addresses, and returns why for others. It checks each address when it
// connects, after the name has been resolved, so that a name may change its addresses at any time.
func allow(allowed func(netip.Addr) bool, why error, resolver *net.Resolver) *net.Dialer {
	return &net.Dialer{
		Timeout: dialTimeout, KeepAlive: -1, Resolver: resolver,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil || !allowed(to.Addr()) {
				return why
			}
			return nil
		},
	}
}

// dialer connects for a transport.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// dialers returns what connects for http and for https. The resolver is for tests; nil: that of the system.
func (t Targets) dialers(resolver *net.Resolver) (plain, secure dialer) {
	if t == AnyTargets {
		open := &net.Dialer{Timeout: dialTimeout, KeepAlive: -1, Resolver: resolver}
		return open.DialContext, open.DialContext
	}
	refused := notPublic()
	public := allow(func(a netip.Addr) bool { return isPublic(a, refused) }, errNotPublic, resolver)
	if t == PublicTargets {
		return public.DialContext, public.DialContext
	}
	loopback := allow(isLoopback, errNotLoopback, resolver)
	secure = func(ctx context.Context, network, address string) (net.Conn, error) {
		local, err := leadsToLoopback(ctx, resolver, address)
		switch {
		case err != nil:
			return nil, err
		case local:
			return loopback.DialContext(ctx, network, address)
		default:
			return public.DialContext(ctx, network, address)
		}
	}
	plain = func(ctx context.Context, network, address string) (net.Conn, error) {
		local, err := leadsToLoopback(ctx, resolver, address)
		if err == nil && !local {
			err = errNotLoopback
		}
		if err != nil {
			return nil, err
		}
		return loopback.DialContext(ctx, network, address)
	}
	return plain, secure
}

// leadsToLoopback reports whether all addresses of a host are loopback addresses.
func leadsToLoopback(ctx context.Context, resolver *net.Resolver, address string) (bool, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false, fmt.Errorf("read the address of a target: %w", err)
	}
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	found, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return false, fmt.Errorf("resolve the name of a target: %w", err)
	}
	return len(found) > 0 && !slices.ContainsFunc(found, func(a netip.Addr) bool { return !isLoopback(a.Unmap()) }), nil
}

// tuned returns what sends requests to targets. Tune changes the transports of http and https.
func (t Targets) tuned(resolver *net.Resolver, tune func(*http.Transport)) http.RoundTripper {
	plain, secure := t.dialers(resolver)
	https := newTransport(secure)
	tune(https)
	if t != LoopbackTargets {
		return https
	}
	insecure := newTransport(plain)
	tune(insecure)
	return bySchemes{insecure, https}
}

// bySchemes sends requests by the transport of their scheme.
type bySchemes struct{ http, https http.RoundTripper }

func (s bySchemes) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" {
		return s.http.RoundTrip(r)
	}
	return s.https.RoundTrip(r)
}
