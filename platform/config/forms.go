package config

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

// isDSN reports whether a text is empty or has the parts of a Sentry DSN.
func isDSN(s string) bool {
	u, err := url.Parse(s)
	return s == "" || err == nil && isURL(s, "http", "https") && u.User.Username() != "" && u.Host != "" && len(u.Path) > 1
}

// isSecret reports whether a text is empty or is valid as one half of a key pair.
func isSecret(s string, least int) bool {
	return s == "" || len(s) >= least && isKey(s)
}

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

func allOrigins(origins []string) bool {
	for _, o := range origins {
		if o != "*" && (o == "" || !isServer(o) || strings.HasSuffix(o, "/")) {
			return false
		}
	}
	return true
}

func prefixes(texts []string) (out []netip.Prefix, err error) {
	for _, t := range texts {
		p, err := netip.ParsePrefix(t)
		if err != nil {
			addr, err := netip.ParseAddr(t)
			if err != nil {
				return nil, err
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		out = append(out, p)
	}
	return out, nil
}
