package webhook

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
)

// notPublic are the networks of the IANA special-purpose registries that are not globally reachable, and those that carry
// an IPv4 address in an IPv6 one: what is behind them is another's network, or ours.
// https://www.iana.org/assignments/iana-ipv4-special-registry, https://www.iana.org/assignments/iana-ipv6-special-registry
// One more is in no registry: at 168.63.129.16 a machine in Azure finds its host.
// https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
func notPublic() []netip.Prefix {
	texts := []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "2002::/16",
		"2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	}
	prefixes := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		prefixes[i] = netip.MustParsePrefix(text)
	}
	return prefixes
}

// isPublic reports whether an address belongs to the public internet. For IPv6 only 2000::/3 qualifies, which is all
// that has been allocated (https://www.iana.org/assignments/ipv6-address-space).
func isPublic(a netip.Addr, refused []netip.Prefix) bool {
	if a.Zone() != "" || a.Is4In6() || a.Is6() && !netip.MustParsePrefix("2000::/3").Contains(a) {
		return false
	}
	for _, p := range refused {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsValid()
}

const (
	maxURL  = 2000 // bytes
	maxHost = 255
)

// CheckURL returns an error that says what is wrong with the URL of a target, worded for the user who set it. The
// addresses of a host name are not checked here: the client of NewClient checks them when it connects.
func CheckURL(raw string, targets Targets) error {
	const shape = "must be an https:// URL with a host, without user, password or fragment, of 2000 bytes at the most"
	u, err := url.Parse(raw)
	if err != nil || len(raw) > maxURL || strings.ContainsFunc(raw, func(r rune) bool { return r > unicode.MaxASCII || r <= ' ' || r == 0x7f }) {
		return errors.New(shape)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || targets == PublicTargets) || u.Hostname() == "" || u.User != nil || u.Fragment != "" || strings.Contains(raw, "#") {
		return errors.New(shape)
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	switch {
	case targets == AnyTargets, targets == LoopbackTargets && mayBeLoopback(host):
		return nil
	case u.Scheme == "http":
		return errors.New("must be https, or lead to a loopback address of the server's machine")
	case !mayBePublic(host):
		return errors.New("must lead to a public address")
	}
	return nil
}

// Host returns the host of a URL, without its port, in lower case and at most 255 bytes long; "" if it has none.
func Host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	return host[:min(len(host), maxHost)]
}

// mayBeLoopback checks a host before it is resolved: any name may have a loopback address.
func mayBeLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err != nil || isLoopback(a)
}

// mayBePublic checks a host before it is resolved. A name whose last label is a number is an address in a form that
// only some resolvers accept (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func mayBePublic(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return isPublic(a, notPublic())
	}
	last := host[strings.LastIndex(host, ".")+1:]
	if last == "" || last == "localhost" || last == "local" || last == "internal" || !strings.Contains(host, ".") {
		return false
	}
	return last[0] < '0' || last[0] > '9'
}
